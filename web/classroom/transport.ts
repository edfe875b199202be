// What leads the room: tempo, meter, start and stop.

import { find } from '../shared/dom'
import type { Lesson } from './lesson'
import { Taps } from './tap'

const slowest = 20
const fastest = 400
const step = 4
const barsOfCountIn = 1

export class Transport {
  readonly #lesson: () => Lesson | null
  readonly #bpm = find<HTMLInputElement>('bpm')
  readonly #taps = new Taps()

  constructor(lesson: () => Lesson | null) {
    this.#lesson = lesson
    const on = (testid: string, event: 'click' | 'submit', act: () => void): void => {
      find(testid).addEventListener(event, (happened) => {
        happened.preventDefault()
        act()
      })
    }
    on('start', 'click', () => this.#send('start', { at: this.#at }))
    on('count-in', 'click', () => this.#send('count_in', { at: this.#at, bars: barsOfCountIn }))
    on('stop', 'click', () => this.#send('stop', { at: this.#at }))
    on('tempo-form', 'submit', () => this.#setTempo(Number(this.#bpm.value)))
    on('slower', 'click', () => this.#setTempo(this.#now - step))
    on('faster', 'click', () => this.#setTempo(this.#now + step))
    // At pointer-down, as a click comes when the finger is lifted.
    find('tap').addEventListener('pointerdown', ({ timeStamp }) => this.#tap(timeStamp))
    find('tap').addEventListener('keydown', (key) => {
      if ((key.key === ' ' || key.key === 'Enter') && !key.repeat) this.#tap(key.timeStamp)
    })
    on('meter-form', 'submit', () => this.#setMeter(find<HTMLSelectElement>('meter').value))
    on('seek-form', 'submit', () => this.#send('seek', { bar: Number(find<HTMLInputElement>('seek-bar').value), at: this.#at }))
  }

  /** Shows the tempo that the room has, unless somebody types one. */
  show(): void {
    if (document.activeElement !== this.#bpm) this.#bpm.value = String(round(this.#now))
  }

  get #at(): string {
    return find<HTMLSelectElement>('at').value
  }

  /** The tempo that the last change leads to. */
  get #now(): number {
    const last = this.#lesson()?.timeline?.state.tempo.at(-1)
    return last?.ramp?.to ?? last?.bpm ?? Number(this.#bpm.value)
  }

  #setTempo(bpm: number): void {
    const beats = Number(find<HTMLInputElement>('ramp').value)
    const within = round(Math.min(fastest, Math.max(slowest, bpm)))
    this.#send('set_tempo', { bpm: within, at: this.#at, ...(beats > 0 && { ramp_beats: beats }) })
  }

  #tap(at: number): void {
    const bpm = this.#taps.tap(at)
    if (bpm === null || bpm < slowest || bpm > fastest) return
    this.#bpm.value = String(bpm)
    this.#send('set_tempo', { bpm, at: this.#at })
  }

  #setMeter(choice: string): void {
    const [meter, groups] = choice.split(':')
    this.#send('set_meter', { meter, ...(groups && { groups: groups.split(',').map(Number) }) })
  }

  #send(command: string, payload: Record<string, unknown>): void {
    this.#lesson()?.command(command, payload)
  }
}

/** To thousandths, which is what the server keeps. */
function round(bpm: number): number {
  return Math.round(bpm * 1000) / 1000
}
