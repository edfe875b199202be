// Lists that are drawn again and again. Rows keep their elements, so that the
// focus and what is selected stay where they are.

export type Row<T> = { element: HTMLElement; show: (item: T) => void }

export class Rows<T> {
  readonly #place: HTMLElement
  readonly #key: (item: T) => string
  readonly #make: (item: T) => Row<T>
  #rows = new Map<string, Row<T>>()

  constructor(place: HTMLElement, key: (item: T) => string, make: (item: T) => Row<T>) {
    this.#place = place
    this.#key = key
    this.#make = make
  }

  show(items: readonly T[]): void {
    const rows = new Map<string, Row<T>>()
    let at = this.#place.firstElementChild
    for (const item of items) {
      const key = this.#key(item)
      if (rows.has(key)) continue
      const row = this.#rows.get(key) ?? this.#make(item)
      row.show(item)
      rows.set(key, row)
      if (row.element === at) at = at.nextElementSibling
      else this.#place.insertBefore(row.element, at)
    }
    for (const [key, row] of this.#rows) if (!rows.has(key)) row.element.remove()
    this.#rows = rows
  }
}

/** Sets a text only where it differs, for what is announced is announced again. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/**
 * Asks now and then again, a while after each answer, but not while the page is
 * hidden. What fails is told too. The function that it returns ends it.
 */
export function repeat<T>(every: number, ask: (signal: AbortSignal) => Promise<T>, tell: (answer: T) => void, fail: (err: unknown) => void): { stop: () => void; now: () => void } {
  const end = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let turn = 0
  const once = async (): Promise<void> => {
    clearTimeout(timer)
    const mine = ++turn
    try {
      if (!document.hidden) {
        const answer = await ask(end.signal)
        if (!end.signal.aborted && mine === turn) tell(answer)
      }
    } catch (err) {
      if (!end.signal.aborted && mine === turn) fail(err)
    }
    if (!end.signal.aborted && mine === turn) timer = setTimeout(() => void once(), every)
  }
  void once()
  return { stop: () => (end.abort(), clearTimeout(timer)), now: () => void once() }
}
