// What beats are called, which of them are stressed, and whether they are heard.

import { inForce } from './segment'

/** Beats in a bar and the note that is one beat, such as "7/8"; groups such as [2, 2, 3] give the lesser accents. */
export type Meter = { meter: string; groups?: number[] }

/** From this whole beat on, which is the beat_in_bar'th of the bar, beats are counted in this meter. */
export type Mark = Meter & { beat: number; bar: number; beat_in_bar: number }

/** From this beat on it is silent, counted in or played. A stop names the place where the music would go on. */
export type Turn = { beat: number; state: Mode; bar?: number; beat_in_bar?: number }

export type Mode = 'stopped' | 'counting' | 'playing'

/** What a beat is called: bar 1 and beat 1 are the first, a count-in is in bar 0 and below. */
export type Place = { bar: number; beatInBar: number; meter: Mark }

/** The weight of a beat: 2 for the first of a bar, 1 for the first of a group, else 0. */
export type Accent = 0 | 1 | 2

const start = ({ beat }: { beat: number }): number => beat

/** How many beats a bar has. */
export function barLength({ meter }: Meter): number {
  return Number(meter.slice(0, meter.indexOf('/')))
}

/** What the whole beat at or before this position is called. */
export function placeOf(bars: readonly Mark[], beat: number): Place {
  const whole = Math.floor(beat)
  const mark = bars[inForce(bars, whole, start)]!
  const length = barLength(mark)
  const since = whole - mark.beat + mark.beat_in_bar - 1
  const bar = Math.floor(since / length)
  return { bar: mark.bar + bar, beatInBar: since - bar * length + 1, meter: mark }
}

/** How much weight a beat has. */
export function accentOf({ beatInBar, meter }: Place): Accent {
  if (beatInBar === 1) return 2
  let first = 1
  for (const beats of meter.groups ?? []) {
    first += beats
    if (first === beatInBar && first <= barLength(meter)) return 1
  }
  return 0
}

/** Whether a beat is heard. A stop silences the beat that it stands at. */
export function modeAt(turns: readonly Turn[], beat: number): Mode {
  return turns[inForce(turns, beat, start)]!.state
}
