// A loudspeaker in virtual time for the tests: an audio clock that is computed
// in blocks, drifts against the machine's, and sounds with a latency.

import type { AudioClock } from './audio'
import type { Voice } from './schedule'
import { dice, type Machine } from './testworld'

const block = 128 / 48_000

export type Device = {
  latency: number // ms
  ppm?: number
  /** What getOutputTimestamp says: the truth, give or take 8 ms, zeros, nonsense, or it is missing. */
  timestamp?: 'true' | 'bouncing' | 'zero' | 'wrong' | 'none'
  /** Whether resume is obeyed. */
  obeys?: boolean
}

export class Loudspeaker implements AudioClock {
  state = 'suspended'
  /** Every sound that was heard or will be: which beat, and at which local time it leaves the loudspeaker. */
  readonly heard: { beat: number; when: number; local: number }[] = []
  readonly getOutputTimestamp?: () => { contextTime: number; performanceTime: number }
  readonly baseLatency = 0.005
  readonly outputLatency: number
  readonly #machine: Machine
  readonly #device: Device
  readonly #random = dice(9)
  #ran = 0 // s
  #since = 0 // local ms of the last start

  constructor(machine: Machine, device: Device) {
    this.#machine = machine
    this.#device = device
    this.outputLatency = device.latency / 1000 - this.baseLatency
    const { timestamp = 'true' } = device
    if (timestamp !== 'none') this.getOutputTimestamp = () => this.#timestamp(timestamp)
  }

  get currentTime(): number {
    return Math.floor(this.#exact() / block) * block
  }

  resume(): Promise<void> {
    if (this.#device.obeys === false) return new Promise(() => undefined)
    if (this.state === 'suspended') {
      this.state = 'running'
      this.#since = this.#machine.now()
    }
    return Promise.resolve()
  }

  suspend(): void {
    this.#ran = this.#exact()
    this.state = 'suspended'
  }

  /** Starts a sound, at once if its time is over. */
  /** Stands still for so many ms without a word, as when its machine has too much to do. What was handed over sounds later. */
  stall(ms: number): void {
    const { currentTime } = this
    this.#ran = this.#exact()
    this.#since = this.#machine.now() + ms
    for (const note of this.heard) if (note.when > currentTime) note.local += ms
  }

  play(beat: number, when: number): Voice {
    const from = Math.max(when, this.currentTime)
    const note = { beat, when: from, local: this.#since + ((from - this.#ran) * 1000) / this.#rate() + this.#device.latency }
    this.heard.push(note)
    return {
      cancel: () => {
        const i = this.heard.indexOf(note)
        if (from > this.currentTime && i >= 0) this.heard.splice(i, 1)
      },
    }
  }

  #rate(): number {
    return 1 + (this.#device.ppm ?? 0) * 1e-6
  }

  #exact(): number {
    return this.state === 'running' ? this.#ran + (Math.max(0, this.#machine.now() - this.#since) / 1000) * this.#rate() : this.#ran
  }

  #timestamp(kind: 'true' | 'bouncing' | 'zero' | 'wrong'): { contextTime: number; performanceTime: number } {
    const now = this.#machine.now()
    if (kind === 'zero') return { contextTime: 0, performanceTime: 0 }
    if (kind === 'wrong') return { contextTime: this.#exact() / 10, performanceTime: now }
    const off = kind === 'bouncing' ? (this.#random() - 0.5) * 0.016 : 0
    return { contextTime: Math.max(0, this.#exact() - this.#device.latency / 1000 + off), performanceTime: now }
  }
}
