// What everybody played in the last interval, to be heard in the next, as NINJAM
// does: however far away somebody is, he is late by exactly one interval. A loop
// goes on until its player plays something else. Pure but for what it holds.

import type { Interval, Timeline } from '../music'
import type { Note } from './protocol'

/** A note of a loop that is to be heard: at in server ms, so many ms long. beat is only what the scheduler tells notes apart by. */
export type LoopNote = { beat: number; at: number; who: string; midi: number; velocity: number; lasts: number }

/** A key that was held from an offset to its interval's first beat, in beats; end is null while it is down. */
type Held = { midi: number; velocity: number; begin: number; end: number | null }

type Recording = { interval: number; beats: number; begin: number; notes: Held[] }

// More in one interval is noise, and this is what a page can sound.
const mostNotes = 400
// Numbers of notes in an interval, for all players.
const perInterval = 1_000_000
const perPlayer = 1_000

export class Loops {
  /** Whether a loop goes on when its player plays nothing more. */
  repeat = true
  /** Whose loops are heard. */
  hears: (who: string) => boolean = () => true
  readonly #players = new Map<string, Recording[]>() // the latest two of each, oldest first
  readonly #numbers = new Map<string, number>() // of players, the same for good

  /** Takes a note that the room heard; its beat says in which interval. Returns whether it is in one. */
  take(note: Note, timeline: Timeline): boolean {
    if (note.velocity === 0) {
      this.#lift(note)
      return false
    }
    const interval = timeline.running(timeline.time(note.beat))
    if (interval === null) return false
    const { notes, begin } = this.#recording(note.who, interval)
    if (notes.length < mostNotes) notes.push({ midi: note.midi, velocity: note.velocity, begin: Math.max(0, note.beat - begin), end: null })
    return true
  }

  /** Who is heard in an interval, or would be. */
  players(interval: Interval): string[] {
    return [...this.#players.keys()].filter((who) => this.#heard(who, interval) !== null)
  }

  /** Who plays into this interval. */
  records(who: string, { interval }: Interval): boolean {
    return this.#players.get(who)?.at(-1)?.interval === interval
  }

  /** Forgets somebody's loop, or all. */
  clear(who?: string): void {
    if (who === undefined) this.#players.clear()
    else this.#players.delete(who)
  }

  /** What is to be heard with from <= at < to, in order. */
  between(from: number, to: number, timeline: Timeline): LoopNote[] {
    const running = timeline.running(from)
    const intervals = [...(running ? [running] : []), ...timeline.intervals(from, to).filter(({ interval }) => interval !== running?.interval)]
    const notes = intervals.flatMap((interval) => this.#notes(interval, timeline))
    return notes.filter(({ at }) => at >= from && at < to).sort((a, b) => a.at - b.at)
  }

  #notes(interval: Interval, timeline: Timeline): LoopNote[] {
    return [...this.#players.keys()].flatMap((who) => {
      const heard = this.hears(who) ? this.#heard(who, interval) : null
      return (heard?.notes ?? []).flatMap(({ midi, velocity, begin, end }, i) => {
        const start = interval.beat + begin
        const at = timeline.time(start)
        // The music may have been stopped within the interval.
        if (timeline.mode(Math.floor(start)) !== 'playing') return []
        const lasts = timeline.time(interval.beat + (end ?? interval.beats)) - at
        const beat = interval.interval * perInterval + (this.#numbers.get(who)! % perPlayer) * perPlayer + i
        return [{ beat, at, who, midi, velocity, lasts }]
      })
    })
  }

  /** The recording that is heard in an interval: the latest before it, if it is as long. */
  #heard(who: string, { interval, beats }: Interval): Recording | null {
    const latest = this.#players.get(who)?.filter((recording) => recording.interval < interval).at(-1)
    if (!latest || latest.beats !== beats || latest.notes.length === 0) return null
    return this.repeat || latest.interval === interval - 1 ? latest : null
  }

  #recording(who: string, { interval, beats, beat }: Interval): Recording {
    const known = this.#players.get(who) ?? []
    if (!this.#numbers.has(who)) this.#numbers.set(who, this.#numbers.size)
    const same = known.find((recording) => recording.interval === interval)
    if (same) return same
    const made = { interval, beats, begin: beat, notes: [] }
    const later = [...known, made].sort((a, b) => a.interval - b.interval).slice(-2)
    this.#players.set(who, later)
    return made
  }

  #lift({ who, midi, beat }: Note): void {
    for (const { notes, begin, beats } of this.#players.get(who) ?? []) {
      const held = notes.find((note) => note.midi === midi && note.end === null)
      if (held) held.end = Math.max(held.begin, Math.min(beat - begin, beats))
    }
  }
}
