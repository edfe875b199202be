// Where beats are along the server's clock: the arithmetic of one segment and
// of a list of them. The server computes the same in whole numbers of ns and of
// billionths of a beat (extension/music); here it is floating point, which at
// today's Unix times in ms keeps a quarter of a microsecond.

/** A change of tempo that takes so many beats, linear in time; ms is how long that is, as the server says it. */
export type Ramp = { to: number; beats: number; ms?: number }

/** From `at` (ms of the server's clock), when `beat` is, beats follow at bpm; until the next segment begins. */
export type Segment = { at: number; beat: number; bpm: number; ramp?: Ramp }

const minute = 60_000

/** How long the ramp takes, in ms: its beats at the mean of its tempos. */
export function rampSpan({ bpm, ramp }: Segment): number {
  return ramp ? (ramp.beats * 2 * minute) / (bpm + ramp.to) : 0
}

/** The position that a segment alone gives; before it begins, as if its first tempo had always been. */
export function segmentBeat(s: Segment, t: number): number {
  const d = t - s.at
  const span = rampSpan(s)
  if (d < 0 || !s.ramp) return s.beat + (d * s.bpm) / minute
  if (d < span) return s.beat + Math.min(s.ramp.beats, (d * (2 * span * s.bpm + d * (s.ramp.to - s.bpm))) / (2 * span * minute))
  return s.beat + s.ramp.beats + ((d - span) * s.ramp.to) / minute
}

/** When a segment alone reaches a beat: the inverse. */
export function segmentTime(s: Segment, beat: number): number {
  const d = beat - s.beat
  if (d < 0 || !s.ramp) return s.at + (d * minute) / s.bpm
  const span = rampSpan(s)
  if (d > s.ramp.beats) return s.at + span + ((d - s.ramp.beats) * minute) / s.ramp.to
  // The root's other form, 2d/(v+√…), loses no digits where the tempo hardly changes.
  const gain = (s.ramp.to - s.bpm) / span
  const root = Math.sqrt(Math.max(0, s.bpm * s.bpm + 2 * gain * d * minute))
  return s.at + Math.min(span, (2 * d * minute) / (s.bpm + root))
}

/** The tempo that a segment has at a time, in beats per minute. */
export function segmentTempo(s: Segment, t: number): number {
  if (!s.ramp) return s.bpm
  const done = Math.max(0, Math.min(1, (t - s.at) / rampSpan(s)))
  return s.bpm + (s.ramp.to - s.bpm) * done
}

/** The index of the entry that holds at a place: the last that has begun, the first before any has. */
export function inForce<T>(list: readonly T[], place: number, start: (entry: T) => number): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (start(list[middle]!) > place) high = middle
    else low = middle + 1
  }
  return Math.max(0, low - 1)
}

const segmentStart = ({ at }: Segment): number => at
const segmentFirst = ({ beat }: Segment): number => beat

/** The position at a server time. Never falls as time goes on. */
export function beatAt(list: readonly Segment[], t: number): number {
  const i = inForce(list, t, segmentStart)
  const beat = segmentBeat(list[i]!, t)
  const next = list[i + 1]
  // Where segments meet, the two may differ by some billionths.
  if (next && t < next.at) return Math.min(beat, next.beat)
  return t < list[i]!.at ? beat : Math.max(beat, list[i]!.beat)
}

/** When a beat is reached, in ms of the server's clock. */
export function timeOf(list: readonly Segment[], beat: number): number {
  const i = inForce(list, beat, segmentFirst)
  const t = segmentTime(list[i]!, beat)
  const next = list[i + 1]
  return next ? Math.min(t, next.at) : t
}

/** The tempo at a server time, in beats per minute. */
export function tempoAt(list: readonly Segment[], t: number): number {
  return segmentTempo(list[inForce(list, t, segmentStart)]!, t)
}
