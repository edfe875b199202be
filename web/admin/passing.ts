// What passes on a topic, newest at the end, with a pause and a filter. What the
// page or the server left out is counted and said.

import { clock, find, make } from '../shared/dom'
import { Feed } from '../shared/feed'
import { count } from '../shared/words'
import type { Passed } from './answers'
import type { LiveState } from './live'
import { setText } from './rows'
import { bytes } from './words'

const kept = 500
const previewLength = 200

export class Passing {
  #paused = false
  #seen = 0
  #missed = 0 // arrived while paused
  #dropped = 0 // of which the server says that it could not keep up
  #counting = false
  readonly #filter = find<HTMLInputElement>('passing-filter')
  readonly #kind = find<HTMLSelectElement>('passing-kind')
  readonly #feed = new Feed<Passed>(find('passing'), kept, row, (message) => matches(message, this.#kind.value, this.#filter.value))

  constructor() {
    const redraw = () => {
      this.#feed.redraw()
      this.#count()
    }
    this.#filter.addEventListener('input', redraw)
    this.#kind.addEventListener('change', redraw)
    find('passing-pause').addEventListener('click', () => this.#pause(!this.#paused))
    find('passing-clear').addEventListener('click', () => this.#forget())
  }

  /** Begins anew, for another topic. */
  clear(): void {
    this.#filter.value = this.#kind.value = ''
    this.#pause(false)
    this.#forget()
  }

  state(state: LiveState): void {
    const pill = find('passing-state')
    const words = state.state === 'live' ? 'Live' : state.state === 'connecting' ? 'Connecting…' : 'Not live, trying again'
    pill.dataset.state = state.state === 'live' ? 'connected' : state.state === 'connecting' ? 'connecting' : 'reconnecting'
    pill.title = state.state === 'lost' ? state.fault.message : ''
    setText(pill, words)
  }

  add(message: Passed): void {
    this.#feed.add(message)
    this.#seen++
    if (this.#paused) this.#missed++
    this.#countSoon()
  }

  dropped(n: number): void {
    this.#dropped += n
    this.#countSoon()
  }

  #forget(): void {
    this.#feed.clear()
    this.#seen = this.#missed = this.#dropped = 0
    this.#count()
  }

  #pause(paused: boolean): void {
    this.#paused = paused
    this.#missed = 0
    this.#feed.freeze(paused)
    const button = find('passing-pause')
    button.setAttribute('aria-pressed', String(paused))
    setText(button, paused ? 'Resume' : 'Pause')
    this.#count()
  }

  #countSoon(): void {
    if (this.#counting) return
    this.#counting = true
    requestAnimationFrame(() => {
      this.#counting = false
      this.#count()
    })
  }

  #count(): void {
    find('passing-empty').hidden = this.#seen > 0
    find('passing-count').hidden = this.#seen + this.#dropped === 0
    setText(find('passing-count'), summary({ seen: this.#seen, shown: this.#feed.shown().length, kept: this.#feed.items.length, missed: this.#paused ? this.#missed : null, dropped: this.#dropped }))
  }
}

/** Says how many passed, and what of it is not shown. */
export function summary({ seen, shown, kept: held, missed, dropped }: { seen: number; shown: number; kept: number; missed: number | null; dropped: number }): string {
  const parts = [`${count(seen)} ${seen === 1 ? 'message' : 'messages'}`]
  if (seen > held) parts.push(`the last ${count(held)} kept`)
  if (shown < held) parts.push(`${count(held - shown)} filtered out`)
  if (missed !== null) parts.push(`paused: ${count(missed)} new`)
  if (dropped > 0) parts.push(`${count(dropped)} left out because they came too fast`)
  return parts.join(', ')
}

/** Whether a message is of a kind and has a word in it, in any case. */
export function matches(message: Passed, kind: string, word: string): boolean {
  if (kind && message.kind !== kind) return false
  const wanted = word.trim().toLowerCase()
  return wanted === '' || `${message.event}\n${message.from ?? ''}\n${preview(message)}`.toLowerCase().includes(wanted)
}

function preview({ payload }: Passed): string {
  if (payload === null || payload === undefined) return 'bytes'
  return typeof payload === 'string' ? payload : JSON.stringify(payload)
}

function row(message: Passed): HTMLElement {
  const text = preview(message)
  const line = make(
    'summary',
    {},
    make('time', {}, clock(message.at)),
    make('span', { class: 'kind' }, message.kind === 'postgres_changes' ? 'change' : message.kind),
    make('span', { class: 'event' }, message.event || '–'),
    make('span', { class: 'preview' }, text.slice(0, previewLength)),
    make('span', { class: 'size' }, bytes(message.size)),
  )
  const details = make('details', { 'data-testid': 'passed', 'data-kind': message.kind, 'data-event': message.event }, line)
  details.addEventListener('toggle', () => open(details, message), { once: true })
  return make('li', {}, details)
}

// Most rows are never opened, so their text is made when one is.
function open(details: HTMLElement, message: Passed): void {
  const facts = [message.from ? `from ${message.from}` : 'from the server or another node', message.node && `on ${message.node}`, message.truncated && 'cut, for it is long'].filter(Boolean).join(', ')
  details.append(make('div', { class: 'frame-body' }, make('p', { class: 'hint' }, facts), make('pre', { tabindex: '0' }, pretty(message.payload))))
}

// A payload that the server cut is text, no JSON any more.
function pretty(payload: unknown): string {
  if (payload === null || payload === undefined) return 'Bytes, which are not shown.'
  return typeof payload === 'string' ? payload : JSON.stringify(payload, null, 2)
}
