// Intervals as in NINJAM: who is far away plays one interval late. Members
// record interval n and hear everybody's interval n - 1.

import { modeAt, type Turn } from './bars'
import { beatAt, inForce, timeOf, type Segment } from './segment'

/** From this whole beat on, which begins interval number `interval`, each has so many beats; 0 for none. */
export type Cycle = { beat: number; beats: number; interval: number }

/** One interval: its number, its first beat, its length, and from when until when in ms of the server's clock. */
export type Interval = { interval: number; beat: number; beats: number; at: number; until: number; rev: number }

type Timed = { rev: number; tempo: Segment[]; transport: Turn[]; intervals: Cycle[] }

const start = ({ beat }: Cycle): number => beat

function cycleAt({ intervals }: Timed, beat: number): { cycle: Cycle; limit: number } {
  const i = inForce(intervals, beat, start)
  return { cycle: intervals[i]!, limit: intervals[i + 1]?.beat ?? Infinity }
}

function describe({ rev, tempo }: Timed, cycle: Cycle, beat: number, interval: number, limit: number): Interval {
  const end = Math.min(beat + cycle.beats, limit)
  return { interval, beat, beats: end - beat, at: timeOf(tempo, beat), until: timeOf(tempo, end), rev }
}

/** What begins with from <= at < to while the music plays. */
export function intervalsBetween(state: Timed, from: number, to: number): Interval[] {
  const found: Interval[] = []
  let beat = Math.ceil(beatAt(state.tempo, from) - 1e-6) + 0 // no -0
  while (timeOf(state.tempo, beat) < from) beat++
  while (Number.isFinite(beat) && timeOf(state.tempo, beat) < to) {
    const { cycle, limit } = cycleAt(state, beat)
    const n = cycle.beats > 0 ? Math.max(0, Math.ceil((beat - cycle.beat) / cycle.beats)) : 0
    const next = cycle.beats > 0 ? cycle.beat + n * cycle.beats : limit
    if (next >= limit) {
      beat = limit
      continue
    }
    if (modeAt(state.transport, next) === 'playing' && timeOf(state.tempo, next) < to) {
      found.push(describe(state, cycle, next, cycle.interval + n, limit))
    }
    beat = next + 1
  }
  return found
}

/** The interval that contains a time, if one does. */
export function runningInterval(state: Timed, at: number): Interval | null {
  const beat = Math.floor(beatAt(state.tempo, at))
  const { cycle, limit } = cycleAt(state, beat)
  if (cycle.beats === 0 || beat < cycle.beat || modeAt(state.transport, beat) !== 'playing') return null
  const gone = Math.floor((beat - cycle.beat) / cycle.beats)
  return describe(state, cycle, cycle.beat + gone * cycle.beats, cycle.interval + gone, limit)
}
