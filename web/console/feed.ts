// A list that grows quickly: the newest items stay, the oldest go, and the
// document is touched at most once per animation frame.

export class Feed<T> {
  readonly items: T[] = []
  #fresh: T[] = [] // in items, not yet in the document
  #scheduled = false
  #frozen = false
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
    requestAnimationFrame(() => {
      this.#scheduled = false
      if (!this.#frozen) this.#draw()
    })
  }

  #draw(): void {
    const list = this.#list
    const rows = this.#fresh.filter(this.#wanted).map(this.#row)
    this.#fresh = []
    if (rows.length === 0) return
    // Whoever has scrolled up to read is not pulled down again.
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24
    list.append(...rows)
    while (list.childElementCount > this.#limit) list.firstElementChild?.remove()
    if (atEnd) list.scrollTop = list.scrollHeight
  }
}
