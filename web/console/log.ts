// The log of frames in both directions, newest at the end.

import { clock, copy, find, make } from '../shared/dom'
import { Feed } from '../shared/feed'
import { describe, matches, pretty, type Frame } from './frames'

const rowsKept = 1000
const previewLength = 160

type Entry = { at: number; frame: Frame }

export class Log {
  #paused = false
  #total = 0
  #missed = 0 // arrived while paused
  #counting = false
  readonly #filter = find<HTMLInputElement>('log-filter')
  readonly #direction = find<HTMLSelectElement>('log-direction')
  readonly #heartbeats = find<HTMLInputElement>('log-heartbeats')
  readonly #feed = new Feed<Entry>(find('frame-log'), rowsKept, row, (entry) => this.#wanted(entry))

  constructor() {
    const redraw = () => {
      this.#feed.redraw()
      this.#count()
    }
    this.#filter.addEventListener('input', redraw)
    this.#direction.addEventListener('change', redraw)
    this.#heartbeats.addEventListener('change', redraw)
    find('log-pause').addEventListener('click', () => this.#pause(!this.#paused))
    find('log-clear').addEventListener('click', () => {
      this.#feed.clear()
      this.#total = this.#missed = 0
      this.#count()
    })
    find('log-copy').addEventListener('click', () => void this.#copy())
    this.#count()
  }

  add(frame: Frame): void {
    this.#feed.add({ at: Date.now(), frame })
    this.#total++
    if (this.#paused) this.#missed++
    if (this.#counting) return
    this.#counting = true
    requestAnimationFrame(() => {
      this.#counting = false
      this.#count()
    })
  }

  #wanted(entry: Entry): boolean {
    if (!this.#heartbeats.checked && entry.frame.topic === 'phoenix') return false
    const direction = this.#direction.value
    if (direction !== 'both' && entry.frame.direction !== direction) return false
    return matches(entry.frame, this.#filter.value)
  }

  #pause(paused: boolean): void {
    this.#paused = paused
    this.#missed = 0
    this.#feed.freeze(paused)
    const button = find('log-pause')
    button.setAttribute('aria-pressed', String(paused))
    button.textContent = paused ? 'Resume' : 'Pause'
    this.#count()
  }

  #count(): void {
    find('log-empty').hidden = this.#total > 0
    const kept = Math.min(this.#total, rowsKept)
    const older = this.#total > kept ? `, the last ${kept} kept` : ''
    const missed = this.#paused ? `, paused: ${this.#missed} new` : ''
    find('log-count').textContent = `${this.#total} ${this.#total === 1 ? 'frame' : 'frames'}${older}${missed}`
  }

  async #copy(): Promise<void> {
    const entries = this.#feed.shown()
    const text = entries.map((entry) => `${clock(entry.at)} ${describe(entry.frame)}`).join('\n\n')
    const copied = await copy(text)
    find('log-status').textContent = copied ? `Copied ${entries.length} frames.` : 'The browser did not allow copying.'
  }
}

function row({ at, frame }: Entry): HTMLElement {
  const received = frame.direction === 'in'
  const line = make(
    'summary',
    {},
    make('time', {}, clock(at)),
    make('span', { class: 'arrow', role: 'img', 'aria-label': received ? 'received' : 'sent' }, received ? '←' : '→'),
    make('span', { class: 'topic' }, frame.topic || '–'),
    make('span', { class: 'event' }, frame.event || frame.kind),
    make('span', { class: 'preview' }, frame.problem ?? pretty(frame.payload, 0).slice(0, previewLength)),
    make('span', { class: 'kind' }, `${frame.kind} · ${frame.size} B`),
  )
  const details = make('details', { 'data-testid': 'frame', 'data-direction': frame.direction, 'data-kind': frame.kind, 'data-event': frame.event }, line)
  // Most rows are never opened, so their text is made when one is.
  details.addEventListener('toggle', () => open(details, frame), { once: true })
  return make('li', {}, details)
}

function open(details: HTMLElement, frame: Frame): void {
  const button = make('button', { type: 'button', class: 'small', 'data-testid': 'frame-copy' }, 'Copy')
  button.addEventListener('click', async () => {
    button.textContent = (await copy(describe(frame))) ? 'Copied' : 'Not allowed'
  })
  details.append(make('div', { class: 'frame-body' }, make('pre', { tabindex: '0' }, describe(frame)), button))
  details.scrollIntoView({ block: 'nearest' })
}
