// Broadcasts of the chosen topic: the form that sends and the list that arrives.

import { clock, find, make } from '../shared/dom'
import { Feed } from '../shared/feed'
import { hex, pretty } from './frames'
import { parse, type Format, type Parsed } from './payload'
import type { Message, MessageMeta, Room } from './room'

const shown = 200

export class Messages {
  #room: Room | null = null
  readonly #feed = new Feed<Message>(find('messages'), shown, row)
  readonly #payload = find<HTMLTextAreaElement>('payload')
  readonly #format = find<HTMLSelectElement>('payload-format')
  readonly #via = find<HTMLSelectElement>('send-via')
  readonly #version: () => string

  /** version tells which serializer the connection uses. */
  constructor(version: () => string) {
    this.#version = version
    this.#payload.addEventListener('input', () => this.#check())
    this.#format.addEventListener('change', () => this.#check())
    this.#via.addEventListener('change', () => this.update())
    this.#payload.addEventListener('keydown', (key) => {
      if (key.key === 'Enter' && (key.ctrlKey || key.metaKey)) find<HTMLFormElement>('send-form').requestSubmit()
    })
    find('send-form').addEventListener('submit', (submit) => {
      submit.preventDefault()
      void this.#send()
    })
    find('messages-clear').addEventListener('click', () => {
      this.#room?.messages.splice(0)
      this.show(this.#room)
    })
    this.#check()
  }

  show(room: Room | null): void {
    this.#room = room
    this.#feed.replace(room?.messages ?? [])
    this.#empty()
    this.update()
  }

  /** Brings what depends on the state of the room up to date. */
  update(): void {
    const state = this.#room?.state ?? 'offline'
    const overHTTP = this.#via.value === 'http' && state !== 'offline' && state !== 'closed'
    find<HTMLButtonElement>('send').disabled = state !== 'joined' && !overHTTP
    this.#check()
  }

  add(room: Room, message: Message): void {
    if (room !== this.#room) return
    this.#feed.add(message)
    this.#empty()
  }

  #empty(): void {
    find('messages-empty').hidden = this.#feed.items.length > 0
  }

  #check(): Parsed {
    const format = this.#format.value as Format
    let parsed = parse(this.#payload.value, format)
    if (format !== 'json' && this.#version() === '1.0.0') {
      parsed = { ok: false, problem: 'Serializer 1.0.0 cannot carry bytes. Connect with 2.0.0, or send JSON.' }
    }
    const problem = find('payload-error')
    problem.textContent = parsed.ok ? '' : parsed.problem
    find('payload-size').textContent = parsed.ok ? `${parsed.size} ${parsed.size === 1 ? 'byte' : 'bytes'}` : ''
    this.#payload.setAttribute('aria-invalid', String(!parsed.ok))
    return parsed
  }

  async #send(): Promise<void> {
    const parsed = this.#check()
    const event = find<HTMLInputElement>('event').value.trim()
    const status = find('send-status')
    if (!parsed.ok) {
      this.#payload.focus()
      return
    }
    if (!this.#room) return
    const sent = await this.#room.send(event, parsed.value, this.#via.value === 'http')
    status.textContent = sent.text
    status.dataset.ok = String(sent.ok)
  }
}

function row(message: Message): HTMLElement {
  const bytes = message.payload instanceof ArrayBuffer ? new Uint8Array(message.payload) : null
  const { id, replayed, ...more } = (message.meta ?? {}) as MessageMeta
  const item = make(
    'li',
    { 'data-testid': 'message', 'data-event': message.event, 'data-replayed': replayed ? 'true' : undefined },
    make('time', {}, clock(message.at)),
    make('span', { class: 'event' }, message.event),
  )
  if (bytes) item.append(make('span', { class: 'badge' }, `${bytes.length} bytes`))
  if (replayed) item.append(make('span', { class: 'badge accent', title: 'Sent before this window joined' }, 'replayed'))
  if (Object.keys(more).length > 0) item.append(make('span', { class: 'badge', title: pretty(more, 0) }, 'meta'))
  item.append(make('code', {}, bytes ? bytesInWords(bytes) : cut(pretty(message.payload, 0))))
  if (id !== undefined) item.append(make('span', { class: 'message-id', 'data-testid': 'message-id' }, `id ${id}`))
  return item
}

// Bytes that are plain text are shown as such, behind their hex.
function bytesInWords(bytes: Uint8Array): string {
  const head = bytes.subarray(0, 64)
  const text = new TextDecoder().decode(head)
  const readable = head.length > 0 && !/[\u0000-\u0008\u000e-\u001f\ufffd]/.test(text)
  return `${hex(head)}${bytes.length > 64 ? ' …' : ''}${readable ? `  “${text}”` : ''}`
}

function cut(text: string): string {
  return text.length > 2000 ? `${text.slice(0, 2000)}…` : text
}
