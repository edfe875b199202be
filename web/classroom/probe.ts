// What the page computes, for tests: window.tuttiClassroom says
//   clicks()  what it handed to the audio device and did not take back, the latest
//             500: {beat, at (server ms), wall (ms since 1970 by this machine, when
//             it is to be heard), when (context time, s)}
//   loops()   the same of notes of loops: {who, midi, at, wall, when}
//   ready()   whether the clock is
//   uncertainty()  ms
//   tally()   what became of the clicks
//   events()  what happened to the clock

import type { Beat, ClockEvent, Scheduler, Voice } from '../music'
import type { Lesson } from './lesson'
import type { LoopNote } from './loops'

const kept = 500

type Handed = { at: number; wall: number; when: number }

declare global {
  interface Window {
    tuttiClassroom: object
  }
  interface Navigator {
    /** Not in all browsers. */
    readonly connection?: { readonly saveData?: boolean }
  }
}

export class Probe {
  readonly #clicks: (Handed & { beat: number })[] = []
  readonly #loops: (Handed & { who: string; midi: number })[] = []

  /** Notes a click, to be heard at a local time in ms, for as long as its voice is not taken back. */
  note({ beat, at }: Beat, when: number, local: number, voice: Voice): Voice {
    return remembered(this.#clicks, { beat, at, wall: performance.timeOrigin + local, when }, voice)
  }

  loop({ who, midi, at }: LoopNote, when: number, local: number, voice: Voice): Voice {
    return remembered(this.#loops, { who, midi, at, wall: performance.timeOrigin + local, when }, voice)
  }

  expose(lesson: () => Lesson | null, scheduler: Pick<Scheduler, 'tally'>, looping: Pick<Scheduler, 'tally'>): void {
    window.tuttiClassroom = {
      clicks: () => this.#clicks,
      loops: () => this.#loops,
      ready: () => lesson()?.clock.ready ?? false,
      uncertainty: () => lesson()?.clock.uncertainty() ?? null,
      tally: () => scheduler.tally,
      loopTally: () => looping.tally,
      events: (): readonly ClockEvent[] => lesson()?.events ?? [],
    }
  }
}

function remembered<T>(list: T[], entry: T, voice: Voice): Voice {
  list.push(entry)
  if (list.length > kept) list.shift()
  const cancel = (): void => {
    const place = list.indexOf(entry)
    if (place >= 0) list.splice(place, 1)
    voice.cancel()
  }
  return { cancel }
}
