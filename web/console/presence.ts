// Who is in the chosen topic, and the state that we show to the others.

import { find, make } from '../shared/dom'
import { pretty } from './frames'
import { parseObject } from './payload'
import type { Present, Room, Sent } from './room'

export class Presence {
  #room: Room | null = null
  readonly #list = find('presence-list')
  readonly #payload = find<HTMLTextAreaElement>('presence-payload')

  constructor() {
    this.#payload.addEventListener('input', () => this.#check())
    find('presence-form').addEventListener('submit', (submit) => {
      submit.preventDefault()
      const parsed = this.#check()
      if (!parsed.ok) return this.#payload.focus()
      void this.#room?.track(parsed.value as Record<string, unknown>).then(tell)
    })
    find('untrack').addEventListener('click', () => void this.#room?.untrack().then(tell))
  }

  show(room: Room | null): void {
    this.#room = room
    this.update()
  }

  /** Writes into the form the state that was tracked for the developer. */
  prefill(state: Record<string, unknown>): void {
    this.#payload.value = JSON.stringify(state)
    this.#check()
  }

  update(): void {
    const room = this.#room
    const present = room?.present() ?? []
    this.#list.replaceChildren(...present.map((one) => row(one, one.key === room?.options.presenceKey)))
    find('presence-count').textContent = String(present.length)
    const off = room !== null && !room.options.presence
    find('presence-empty').hidden = present.length > 0
    find('presence-empty').textContent = off ? 'Presence is off for this topic.' : 'Nobody shows a state here yet.'
    const joined = room?.state === 'joined'
    find<HTMLButtonElement>('track').disabled = !joined
    find<HTMLButtonElement>('untrack').disabled = !joined
  }

  #check() {
    const parsed = parseObject(this.#payload.value)
    find('presence-error').textContent = parsed.ok ? '' : parsed.problem
    this.#payload.setAttribute('aria-invalid', String(!parsed.ok))
    return parsed
  }
}

function tell(sent: Sent): void {
  const status = find('presence-status')
  status.textContent = sent.text
  status.dataset.ok = String(sent.ok)
}

function row(one: Present, mine: boolean): HTMLElement {
  const item = make('li', { 'data-testid': `present-${one.key}` }, make('span', { class: 'name' }, one.key))
  if (mine) item.append(make('span', { class: 'badge' }, 'you'))
  if (one.states.length > 1) item.append(make('span', { class: 'badge' }, `${one.states.length} times`))
  for (const state of one.states) item.append(make('code', {}, pretty(state, 0)))
  return item
}
