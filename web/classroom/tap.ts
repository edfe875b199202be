// The tempo of somebody who taps. Pure but for what it remembers.

// A longer pause begins anew; it is less than a beat at the slowest tempo
// twice, so that one beat may be left out.
const pause = 3_000
const tapsKept = 8

export class Taps {
  #times: number[] = []

  /** Takes a tap at a time in ms. Returns the tempo in beats per minute, null after the first. */
  tap(at: number): number | null {
    const last = this.#times.at(-1)
    if (last !== undefined && at - last > pause) this.#times = []
    this.#times = [...this.#times.slice(1 - tapsKept), at]
    const first = this.#times[0]!
    const beats = this.#times.length - 1
    if (beats === 0 || at <= first) return null
    return Math.round((60_000 * beats * 10) / (at - first)) / 10
  }
}
