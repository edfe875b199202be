// A list that grows quickly: the newest items stay, the oldest go, and the
// document is touched at most once per animation frame, less often when that is
// slow.

// After a draw that took a while the page rests for this many times as long. Else
// drawing starves the socket when thousands of messages come at once: heartbeats
// are late then, and the connection is given up.
const restFactor = 4
const longestRest = 1000 // milliseconds
const rowsAtOnce = 200

export class Feed<T> {
  readonly items: T[] = []
  #fresh: T[] = [] // in items, not yet in the document
  #scheduled = false
  #frozen = false
  #restUntil = 0 // on the clock of performance.now
  readonly #list: HTMLElement
  readonly #limit: number
  readonly #row: (item: T) => HTMLElement
  readonly #wanted: (item: T) => boolean

  constructor(list: HTMLElement, limit: number, row: (item: T) => HTMLElement, wanted: (item: T) => boolean = () => true) {
    this.#list = list
    this.#limit = limit
    this.#row = row
    this.#wanted = wanted
  }

  add(item: T): void {
    this.items.push(item)
    if (this.items.length > this.#limit) this.items.shift()
    this.#fresh.push(item)
    // A hidden page gets no animation frames, so this queue needs an end too.
    if (this.#fresh.length > this.#limit) this.#fresh.shift()
    this.#schedule()
  }

  clear(): void {
    this.replace([])
  }

  /** Shows other items instead, for example those of another topic. */
  replace(items: readonly T[]): void {
    this.items.splice(0, this.items.length, ...items.slice(-this.#limit))
    this.redraw()
  }

  /** Draws all items anew, because what is wanted has changed. */
  redraw(): void {
    this.#fresh = []
    this.#list.replaceChildren(...this.shown().map(this.#row))
    this.#list.scrollTop = this.#list.scrollHeight
  }

  /** Returns the items that pass the filter. */
  shown(): T[] {
    return this.items.filter(this.#wanted)
  }

  /** While frozen, items are kept but not drawn. */
  freeze(frozen: boolean): void {
    this.#frozen = frozen
    if (!frozen) this.redraw()
  }

  #schedule(): void {
    if (this.#scheduled || this.#frozen) return
    this.#scheduled = true
    const rest = this.#restUntil - performance.now()
    if (rest > 0) setTimeout(() => this.#request(), rest)
    else this.#request()
  }

  #request(): void {
    requestAnimationFrame(() => {
      this.#scheduled = false
      if (this.#frozen) return
      const begin = performance.now()
      this.#draw()
      const end = performance.now()
      this.#restUntil = end + Math.min(restFactor * (end - begin), longestRest)
      if (this.#fresh.length > 0) this.#schedule()
    })
  }

  #draw(): void {
    const list = this.#list
    const rows = this.#fresh.splice(0, rowsAtOnce).filter(this.#wanted).map(this.#row)
    if (rows.length === 0) return
    // Whoever has scrolled up to read is not pulled down again.
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24
    list.append(...rows)
    while (list.childElementCount > this.#limit) list.firstElementChild?.remove()
    if (atEnd) list.scrollTop = list.scrollHeight
  }
}
