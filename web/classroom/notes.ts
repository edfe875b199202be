// Which notes sounded lately, for the picture of them. Pure but for what it
// remembers. Beats are positions on the room's timeline.

/** end is null while the key is down. */
export type Sounded = { who: string; midi: number; velocity: number; begin: number; end: number | null }

const kept = 2_000

export class Notes {
  #list: Sounded[] = []

  /** Takes a key that went down, or up when its velocity is 0. */
  take(who: string, midi: number, velocity: number, beat: number): void {
    const held = this.#list.find((note) => note.who === who && note.midi === midi && note.end === null)
    if (held) held.end = Math.max(beat, held.begin)
    if (velocity === 0) return
    this.#list.push({ who, midi, velocity, begin: beat, end: null })
    if (this.#list.length > kept) this.#list.splice(0, this.#list.length - kept)
  }

  /** Ends all that is held, at this beat; where that is not known, where it began. */
  silence(beat: number): void {
    for (const note of this.#list) if (note.end === null) note.end = beat > note.begin ? beat : note.begin
  }

  /** The keys that somebody holds down, lowest first. */
  held(who: string): number[] {
    return this.#list.filter((note) => note.who === who && note.end === null).map(({ midi }) => midi).sort((a, b) => a - b)
  }

  /** Whether any key is down. */
  get sounding(): boolean {
    return this.#list.some(({ end }) => end === null)
  }

  /** What sounds between two beats. */
  between(from: number, to: number): Sounded[] {
    return this.#list.filter(({ begin, end }) => begin < to && (end ?? Infinity) >= from)
  }

  /** The lowest and the highest of these, widened to an octave and a half at least. */
  static range(list: readonly Sounded[]): [low: number, high: number] {
    const low = Math.min(60, ...list.map(({ midi }) => midi))
    const high = Math.max(76, ...list.map(({ midi }) => midi))
    return [low - 1, high + 1]
  }

  clear(): void {
    this.#list = []
  }
}
