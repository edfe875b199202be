// When must a sound be scheduled so that it leaves the loudspeaker at a moment
// of the local clock? Reads an AudioContext, or whatever looks like one.

import { median } from './estimate'

/** What is used of an AudioContext: contextTime, latencies and currentTime in s, performanceTime in ms. */
export type AudioClock = {
  readonly currentTime: number
  readonly state: string
  readonly baseLatency?: number
  readonly outputLatency?: number
  getOutputTimestamp?(): { contextTime?: number; performanceTime?: number }
  resume(): Promise<void>
}

const readingsKept = 64
// A reading this far from the others, in ms, means another device or a pause if
// the next ones agree with it, and a busy page if not.
const farOff = 30
const believedAfter = 3
const longestLatency = 1000
// Readings that follow each other at once, as on a busy page, say one thing.
const apart = 5
// A device that seems to change so often, each time within so many ms, is none:
// its timestamps run at a wrong rate.
const changesBelieved = 2
const changesWithin = 3000

export class AudioMap {
  /** How much later than the device says the sound is heard, in ms: wireless headphones, set by ear. */
  calibration = 0
  readonly #audio: AudioClock
  readonly #now: () => number
  #heard: number[] = [] // audio time that leaves the loudspeaker minus local time, ms
  #rendered: number[] = [] // audio time that is computed next minus local time, ms
  #offset = NaN // the median of heard
  #strange = 0
  #changes = 0
  #changed = -Infinity
  #read = -Infinity

  constructor(audio: AudioClock, now: () => number) {
    this.#audio = audio
    this.#now = now
  }

  /** Reads the clocks once; to be called some times a second. */
  read(): void {
    const now = this.#now()
    if (now - this.#read < apart) return
    const rendered = this.#audio.currentTime * 1000 - now
    const heard = this.#timestamp(now, rendered) ?? rendered - this.#declared()
    this.#strange = Math.abs(heard - this.#offset) > farOff ? this.#strange + 1 : 0
    if (this.#strange >= believedAfter) this.#change(now)
    this.#read = now
    this.#heard = [...this.#heard.slice(1 - readingsKept), heard]
    this.#rendered = [...this.#rendered.slice(1 - readingsKept), rendered]
    this.#offset = median(this.#heard)
  }

  #change(now: number): void {
    this.#changes = now - this.#changed < changesWithin ? this.#changes + 1 : 1
    this.#changed = now
    this.reset()
  }

  /** Forgets all readings: the context was suspended meanwhile. */
  reset(): void {
    this.#heard = []
    this.#rendered = []
    this.#offset = NaN
    this.#strange = 0
    this.#read = -Infinity
  }

  /** The context time in s at which to start a sound that is to be heard at this local time; NaN before the first reading. */
  when(local: number): number {
    return (local - this.calibration + this.#offset) / 1000
  }

  /** The local time in ms at which a sound is heard that starts at this context time. */
  local(when: number): number {
    return when * 1000 - this.#offset + this.calibration
  }

  /** How long a sound takes from its context time to the ear, in ms; NaN before the first reading. */
  latency(): number {
    return median(this.#rendered) - this.#offset + this.calibration
  }

  /**
   * What the device says is heard now. Some browsers return zeros at first, and
   * some have returned nonsense for years, so that it must fit to what else is known.
   */
  #timestamp(now: number, rendered: number): number | null {
    const { contextTime, performanceTime } = this.#audio.getOutputTimestamp?.() ?? {}
    if (!contextTime || !performanceTime || this.#changes > changesBelieved) return null
    const heard = contextTime * 1000 - performanceTime
    const latency = rendered - heard
    const fits = latency > -farOff && latency < longestLatency && Math.abs(now - performanceTime) < 2 * longestLatency
    return fits ? heard : null
  }

  #declared(): number {
    const seconds = (this.#audio.baseLatency ?? 0) + (this.#audio.outputLatency ?? 0)
    return Number.isFinite(seconds) ? Math.min(seconds * 1000, longestLatency) : 0
  }
}
