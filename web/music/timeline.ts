// All of a room's musical time, as the server tells it: which beat is when, what
// it is called and whether it is heard. One message holds everything that a late
// joiner needs; changes follow it, counted by revision.

import { accentOf, modeAt, placeOf, type Accent, type Mark, type Mode, type Place, type Turn } from './bars'
import { intervalsBetween, runningInterval, type Cycle, type Interval } from './intervals'
import { ordered, readChange, readState } from './read'
import { beatAt, inForce, tempoAt, timeOf, type Segment } from './segment'

/** Everything at one revision. Another epoch means that the server's clock has another start. */
export type State = {
  epoch: string; rev: number
  tempo: Segment[]; bars: Mark[]; transport: Turn[]; intervals: Cycle[]
}

/** The entries of a list at or after beat `from` are replaced by `add`. */
export type Patch<T> = { from: number; add: T[] }

/** What one command made of the state; at and beat say from when on. */
export type Change = {
  event: string; rev: number; at: number; beat: number; by?: string; key?: string
  tempo?: Patch<Segment>; bars?: Patch<Mark>; transport?: Patch<Turn>; intervals?: Patch<Cycle>
}

/** A beat as the server announces it: at is ms of the server's clock. count_in: the music has not begun. off: not heard. */
export type Beat = {
  beat: number; bar: number; beat_in_bar: number; bpm: number; at: number; rev: number; accent: Accent
  count_in?: boolean; off?: boolean
}

/** applied, or known already, or one before it is missing (or it makes no sense): then get the whole state. */
export type Followed = 'applied' | 'old' | 'missing'

// What was over this many ms before a change is forgotten with it.
const past = 120_000
const mostBeats = 10_000

export class Timeline {
  #state: State

  /** Takes the state as it came in a join's reply or later. Throws an Error when it cannot be read. */
  constructor(state: unknown) {
    this.#state = readState(state)
  }

  get state(): Readonly<State> {
    return this.#state
  }

  /** Takes a whole state. Returns false when it is of the same epoch and not newer than what is known. */
  load(state: unknown): boolean {
    const read = readState(state)
    if (read.epoch === this.#state.epoch && read.rev <= this.#state.rev) return false
    this.#state = read
    return true
  }

  /** Takes a change. */
  follow(message: unknown): Followed {
    const change = readChange(message)
    if (change === null) return 'missing'
    const { rev, tempo, bars, transport, intervals } = this.#state
    if (change.rev <= rev) return 'old'
    const after = {
      epoch: this.#state.epoch, rev: change.rev,
      tempo: patched(tempo, change.tempo), bars: patched(bars, change.bars),
      transport: patched(transport, change.transport), intervals: patched(intervals, change.intervals),
    }
    if (change.rev > rev + 1 || !ordered(after)) return 'missing'
    this.#state = pruned(after, change.at - past)
    return 'applied'
  }

  /** The position at a server time in ms, in beats. */
  beat(at: number): number {
    return beatAt(this.#state.tempo, at)
  }

  /** When a position is reached, in ms of the server's clock. */
  time(beat: number): number {
    return timeOf(this.#state.tempo, beat)
  }

  /** The tempo at a server time, in beats per minute. */
  tempo(at: number): number {
    return tempoAt(this.#state.tempo, at)
  }

  /** What the whole beat at or before a position is called. */
  place(beat: number): Place {
    return placeOf(this.#state.bars, beat)
  }

  /** Whether a beat is heard. */
  mode(beat: number): Mode {
    return modeAt(this.#state.transport, beat)
  }

  /** The beats with from <= at < to that are heard, or all of them; 10,000 at most. */
  between(from: number, to: number, silent = false): Beat[] {
    const found: Beat[] = []
    if (!Number.isFinite(from) || !Number.isFinite(to)) return found
    // Rounding may put the first beat a little too early or too late.
    let beat = Math.ceil(this.beat(from) - 1e-6) + 0 // no -0
    while (this.time(beat) < from) beat++
    for (let at = this.time(beat); at < to && found.length < mostBeats; at = this.time(++beat)) {
      const mode = this.mode(beat)
      if (silent || mode !== 'stopped') found.push(this.#describe(beat, at, mode))
    }
    return found
  }

  /** The intervals that begin from a time up to and without another while the music plays. */
  intervals(from: number, to: number): Interval[] {
    return intervalsBetween(this.#state, from, to)
  }

  /** The interval that runs at a time, if one does. */
  running(at: number): Interval | null {
    return runningInterval(this.#state, at)
  }

  #describe(beat: number, at: number, mode: Mode): Beat {
    const place = this.place(beat)
    return {
      beat, bar: place.bar, beat_in_bar: place.beatInBar, bpm: this.tempo(at), at, rev: this.#state.rev, accent: accentOf(place),
      ...(mode === 'counting' && { count_in: true }), ...(mode === 'stopped' && { off: true }),
    }
  }
}

const startOf = ({ beat }: { beat: number }): number => beat

function patched<T extends { beat: number }>(list: T[], patch: Patch<T> | undefined): T[] {
  return patch ? [...list.filter(({ beat }) => beat < patch.from), ...patch.add] : list
}

/** The state without what was over at a time; all that it says of later stays. */
function pruned(state: State, at: number): State {
  const beat = beatAt(state.tempo, at)
  const kept = <T extends { beat: number }>(list: T[]) => list.slice(inForce(list, beat, startOf))
  return {
    ...state,
    tempo: state.tempo.slice(inForce(state.tempo, at, (segment) => segment.at)),
    bars: kept(state.bars), transport: kept(state.transport), intervals: kept(state.intervals),
  }
}
