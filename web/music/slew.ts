// The time that is shown: a line from local to server time that follows better
// and better estimates without running backwards.

/** One stretch: at local time `at` the aim is `offset`, moving by rate; what is shown is still `error` short of it. */
type Stretch = { at: number; offset: number; rate: number; error: number }

export class Slew {
  #now: Stretch | null = null
  readonly #speed: number

  /** Takes how fast an error is worked off, in ppm of the time that passes. */
  constructor(ppm: number) {
    this.#speed = ppm * 1e-6
  }

  /** Whether there is any time to show. */
  get known(): boolean {
    return this.#now !== null
  }

  /** Aims at this offset at this local time, drifting by ppm; goes there gradually, from what is shown now. */
  steer(at: number, offset: number, ppm: number): void {
    const error = this.#now === null ? 0 : offset - this.offset(at)
    this.#now = { at, offset, rate: ppm * 1e-6, error }
  }

  /** Shows this offset from this local time on. Returns by how much that differs from what was shown, in ms. */
  jump(at: number, offset: number, ppm: number): number {
    const by = this.#now === null ? 0 : offset - this.offset(at)
    this.#now = { at, offset, rate: ppm * 1e-6, error: 0 }
    return by
  }

  /** The server's clock now counts from another zero: all times are so many ms more, and nothing else changes. */
  shift(by: number): void {
    if (this.#now !== null) this.#now = { ...this.#now, offset: this.#now.offset + by }
  }

  /** Server time minus local time, as shown at this local time; NaN when nothing is known. */
  offset(local: number): number {
    if (this.#now === null) return NaN
    const { at, offset, rate, error } = this.#now
    const since = local - at
    // Before the stretch began the error had not begun to shrink.
    const left = Math.max(0, Math.abs(error) - this.#speed * Math.max(0, since))
    return offset + rate * since - Math.sign(error) * left
  }

  /** The server time that is shown at this local time. */
  server(local: number): number {
    return local + this.offset(local)
  }

  /** The local time at which this server time is shown: the inverse of server. */
  local(server: number): number {
    if (this.#now === null) return NaN
    const { at, offset, rate, error } = this.#now
    const since = server - at - offset
    if (since + error < 0) return at + (since + error) / (1 + rate)
    const slewing = (since + error) / (1 + rate + Math.sign(error) * this.#speed)
    if (slewing * this.#speed < Math.abs(error)) return at + slewing
    return at + since / (1 + rate)
  }
}
