// Intervals: everybody plays to the click, and is heard by all one interval later.
// The card shows the one that runs, and who is heard in it.

import { find, make } from '../shared/dom'
import { barLength, type Interval, type Timeline } from '../music'
import type { Lesson } from './lesson'
import type { Loops } from './loops'
import { plays, type Person } from './protocol'

const still = window.matchMedia('(prefers-reduced-motion: reduce)')
const longest = 512 // beats, says the server

export class Intervals {
  readonly #lesson: () => Lesson | null
  readonly #loops: Loops
  readonly #fill = find('interval-fill')
  readonly #bar = find('interval-bar').firstElementChild as HTMLElement // the same beside the lamps
  #shown = '' // what the words and the list were made of

  /** changed is called when what is heard of the loops may be another. */
  constructor(lesson: () => Lesson | null, loops: Loops, changed: () => void) {
    this.#lesson = lesson
    this.#loops = loops
    find('interval-form').addEventListener('submit', (submit) => {
      submit.preventDefault()
      this.#set(Number(find<HTMLSelectElement>('interval-bars').value))
    })
    const input = (testid: string): HTMLInputElement => find<HTMLInputElement>(testid)
    input('loop-repeat').addEventListener('change', ({ target }) => {
      loops.repeat = (target as HTMLInputElement).checked
      changed()
    })
    input('loop-own').addEventListener('change', changed)
    for (const whose of ['mine', 'all'] as const) {
      find(`loop-clear-${whose}`).addEventListener('click', () => {
        loops.clear(whose === 'mine' ? lesson()?.me.id : undefined)
        lesson()?.clearLoops(whose)
        changed()
      })
    }
  }

  /** Whether my own loop is heard here. */
  get own(): boolean {
    return find<HTMLInputElement>('loop-own').checked
  }

  /** Shows what the room has set. */
  show(): void {
    const lesson = this.#lesson()
    const last = lesson?.timeline?.state.intervals.at(-1)
    if (!lesson?.timeline || !last) return
    find('intervals').hidden = find('interval-bar').hidden = last.beats === 0
    find('loop-clear-all').hidden = !lesson.leads
    find('loop-clear-mine').hidden = !plays(lesson.me.role)
    find('loop-own').parentElement!.hidden = !plays(lesson.me.role)
    const select = find<HTMLSelectElement>('interval-bars')
    if (document.activeElement !== select) select.value = String(barsOf(lesson.timeline, last.beats))
    this.#shown = ''
  }

  /** Shows where the interval is; to be called in each frame. */
  draw(timeline: Timeline, at: number, people: readonly Person[]): void {
    if (find('intervals').hidden) return
    const running = timeline.running(at)
    const position = running ? timeline.beat(at) - running.beat : 0
    const share = running ? (still.matches ? Math.floor(position) : position) / running.beats : 0
    this.#fill.style.strokeDashoffset = String(100 - 100 * Math.min(1, Math.max(0, share)))
    this.#bar.style.transform = `scaleX(${share.toFixed(4)})`
    const beat = Math.floor(position)
    const heard = running ? this.#loops.players(running) : []
    const playing = running ? people.filter(({ id }) => this.#loops.records(id, running)).map(({ id }) => id) : []
    const shown = JSON.stringify([running?.interval, running?.beats, beat, heard, playing])
    if (shown === this.#shown) return
    this.#shown = shown
    find('interval-left').textContent = running ? String(running.beats - beat) : '–'
    find('interval-ring').setAttribute('aria-valuenow', String(running ? beat + 1 : 0))
    find('interval-ring').setAttribute('aria-valuemax', String(running?.beats ?? 1))
    find('interval-words').textContent = words(running, timeline, heard.length)
    this.#list(people, heard, playing)
  }

  #list(people: readonly Person[], heard: readonly string[], playing: readonly string[]): void {
    const items = people.filter(({ id }) => heard.includes(id) || playing.includes(id)).map(({ id, name }) => {
      const state = heard.includes(id) ? (playing.includes(id) ? 'is heard, and plays anew' : 'is heard') : 'plays, and is heard next'
      return make('li', { 'data-testid': 'loop', 'data-heard': heard.includes(id) }, make('strong', {}, name), ` ${state}`)
    })
    find('loop-list').replaceChildren(...items)
  }

  #set(bars: number): void {
    const lesson = this.#lesson()
    if (!lesson?.timeline) return
    const { meter } = lesson.timeline.place(lesson.timeline.beat(lesson.clock.now()))
    lesson.command('set_interval', { beats: Math.min(longest, bars * barLength(meter)) })
  }
}

function barsOf(timeline: Timeline, beats: number): number {
  const meter = timeline.state.bars.at(-1)
  return meter ? Math.round(beats / barLength(meter)) : 0
}

function words(running: Interval | null, timeline: Timeline, heard: number): string {
  if (!running) return 'The next interval begins with the music, at a bar line.'
  const bars = barsOf(timeline, running.beats)
  const length = `${bars === 1 ? 'one bar' : `${bars} bars`}`
  if (heard === 0) return `Interval ${running.interval}, ${length}: play now, and all hear it when the ring is full.`
  return `Interval ${running.interval}, ${length}: you hear what was played before.`
}
