// Takes: who leads starts and stops them, who plays sees how well it was in time.

import { find, make } from '../shared/dom'
import type { Lesson } from './lesson'
import { Onsets } from './onsets'
import { drawPicture, inWords, lateness } from './picture'
import { plays, type Score } from './protocol'
import { milliseconds } from './quality'

const batchEvery = 1_000
// The last note may be late; the server waits longer.
const tail = 300
const columns = ['Hit', 'Missed', 'Extra', 'Average', 'Evenness', 'Drift in a minute', 'Tempo']

export class Takes {
  readonly #lesson: () => Lesson | null
  #onsets: Onsets | null = null

  constructor(lesson: () => Lesson | null) {
    this.#lesson = lesson
    find('take-form').addEventListener('submit', (submit) => {
      submit.preventDefault()
      const [feel, parts] = find<HTMLSelectElement>('take-grid').value.split(':')
      this.#lesson()?.command('start_take', { feel, subdivision: Number(parts), at: 'bar' })
    })
    find('take-stop').addEventListener('click', () => this.#lesson()?.command('stop_take'))
    setInterval(() => this.#flush(), batchEvery)
  }

  /** Takes a note of this page's. */
  played(at: number, midi: number, velocity: number): void {
    this.#onsets?.add(at, midi, velocity)
  }

  /** Shows whether a take runs. */
  show(): void {
    const lesson = this.#lesson()
    if (!lesson) return
    const { take, me, leads } = lesson
    if (take && this.#onsets?.take !== take.id) {
      this.#onsets = plays(me.role) ? new Onsets(take.id) : null
      this.#forget()
    }
    find('takes').dataset.state = take ? 'running' : 'idle'
    this.#say(take ? (leads ? 'A take runs.' : 'A take runs: play along.') : 'No take runs.')
    find('take-form').hidden = !leads
    find<HTMLButtonElement>('take-start').disabled = take !== null
    find<HTMLButtonElement>('take-stop').disabled = take === null
  }

  /** Sends the rest of a take that ends in so many ms. */
  end(inMs: number, spoilt: boolean): void {
    this.show()
    this.#say(spoilt ? 'The take was broken off and cannot be scored.' : 'The take ends; the scores come soon.')
    const onsets = this.#onsets
    setTimeout(() => {
      if (this.#lesson()?.me.role === 'student') onsets?.finish()
      this.#flush()
      if (this.#onsets === onsets) this.#onsets = null
    }, inMs + tail)
  }

  /** Shows one's own score. */
  showScore(score: Score): void {
    this.#say('Your score is here.')
    find('take-empty').hidden = true
    find('take-score').hidden = false
    const place = find('take-picture')
    place.replaceChildren(...(score.dots.length > 0 ? [drawPicture(score, Math.max(240, place.clientWidth))] : []))
    find('take-words').textContent = inWords(score)
  }

  /** Shows everybody's. */
  showTable(scores: readonly Score[]): void {
    const name = (score: Score): string => this.#lesson()?.person(score.student_id)?.name ?? score.student_id
    this.#say('The scores are here.')
    find('take-empty').hidden = true
    find('take-table').hidden = false
    const rows = scores.map((score) => make('tr', { 'data-testid': 'take-row' }, make('th', { scope: 'row' }, name(score)), ...cells(score).map((text, i) => make('td', { 'data-column': columns[i] }, text))))
    const head = make('tr', {}, ...['Player', ...columns].map((text) => make('th', { scope: 'col' }, text)))
    find('take-table').replaceChildren(scores.length > 0
      ? make('table', {}, make('thead', {}, head), make('tbody', {}, ...rows))
      : make('p', { class: 'empty' }, 'Nobody played in this take.'))
  }

  #say(text: string): void {
    find('take-state').textContent = text
  }

  #forget(): void {
    find('take-score').hidden = find('take-table').hidden = true
    find('take-empty').hidden = false
  }

  #flush(): void {
    this.#onsets?.flush((batch) => this.#lesson()?.say('take_events', batch) ?? false)
  }
}

function cells({ expected, hit, missed, extra, mean_ms, sd_ms, drift_ms_per_min: drift, bpm }: Score): string[] {
  return [
    `${hit} of ${expected}`, String(missed), String(extra),
    mean_ms === null ? '–' : lateness(mean_ms), sd_ms === null ? '–' : `± ${milliseconds(sd_ms)}`,
    drift === null ? '–' : `${milliseconds(Math.abs(drift))} ${drift < 0 ? 'ahead' : 'behind'}`, bpm === null ? '–' : `${bpm.toFixed(1)} bpm`,
  ]
}
