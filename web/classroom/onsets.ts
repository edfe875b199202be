// What this page plays during a take, sent in batches. Pure but for what it holds.

/** [server ms, midi, velocity] */
export type Onset = [at: number, midi: number, velocity: number]

export type Batch = { take: string; seq: number; ev: Onset[] }

// The server takes 500 at a time.
const largest = 400

export class Onsets {
  readonly take: string
  #seq = 0
  #held: Onset[] = []
  #unsent: Batch[] = []

  constructor(take: string) {
    this.take = take
  }

  /** Takes a note; at is server ms, kept to microseconds. */
  add(at: number, midi: number, velocity: number): void {
    this.#held.push([Math.round(at * 1000) / 1000, midi, velocity])
  }

  /** Has an empty batch sent when nothing was played, so that the server knows who was there. */
  finish(): void {
    if (this.#seq === 0 && this.#held.length === 0) this.#unsent.push({ take: this.take, seq: this.#seq++, ev: [] })
  }

  /** Sends what is held. What send refuses is sent the next time, with its number, so that it counts once. */
  flush(send: (batch: Batch) => boolean): void {
    while (this.#held.length > 0) this.#unsent.push({ take: this.take, seq: this.#seq++, ev: this.#held.splice(0, largest) })
    this.#unsent = this.#unsent.filter((batch) => !send(batch))
  }
}
