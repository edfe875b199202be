// The list of topics: joining, leaving, choosing the one that is shown.

import type { SupabaseClient } from '@supabase/supabase-js'
import { find, make } from '../shared/dom'
import type { RoomOptions } from './options'
import { Room, type RoomState, type RoomWatcher } from './room'

const words: Record<RoomState, string> = {
  offline: 'not joined',
  joining: 'joining…',
  joined: 'joined',
  error: 'refused, trying again',
  closed: 'closed by the server',
}

export class Channels {
  selected: Room | null = null
  readonly #rooms = new Map<string, Room>()
  readonly #list = find('channel-list')
  readonly #client: () => SupabaseClient | null
  readonly #chosen: (room: Room | null) => void
  readonly #watch: RoomWatcher

  /** chosen is called whenever another room is to be shown. */
  constructor(client: () => SupabaseClient | null, watch: RoomWatcher, chosen: (room: Room | null) => void) {
    this.#client = client
    this.#chosen = chosen
    this.#watch = {
      ...watch,
      state: (room) => {
        this.#draw()
        watch.state(room)
      },
    }
    this.#draw()
  }

  get empty(): boolean {
    return this.#rooms.size === 0
  }

  /** How many topics are joined now. */
  get joined(): number {
    return [...this.#rooms.values()].filter((room) => room.state === 'joined').length
  }

  /** Whether any topic listens to changes. */
  get listening(): boolean {
    return [...this.#rooms.values()].some((room) => room.options.bindings.length > 0)
  }

  /** Joins a topic; one of the same name is left first, for its options may differ. */
  async join(options: RoomOptions): Promise<Room> {
    await this.#rooms.get(options.name)?.leave(this.#client())
    const room = new Room(options, this.#watch)
    this.#rooms.set(options.name, room)
    this.#choose(room)
    const client = this.#client()
    if (client) room.join(client)
    return room
  }

  /** Joins all topics through a new connection. */
  connected(client: SupabaseClient): void {
    for (const room of this.#rooms.values()) room.join(client)
  }

  disconnected(): void {
    for (const room of this.#rooms.values()) room.disconnected()
  }

  #rejoin(room: Room): void {
    const client = this.#client()
    if (client) room.join(client)
  }

  #leave(room: Room): void {
    this.#rooms.delete(room.options.name)
    void room.leave(this.#client())
    if (this.selected === room) this.#choose([...this.#rooms.values()].at(-1) ?? null)
    else this.#draw()
    find('topic').focus() // the button that had the focus is gone
  }

  #choose(room: Room | null): void {
    this.selected = room
    this.#draw()
    this.#chosen(room)
  }

  #draw(): void {
    const held = document.activeElement?.getAttribute('data-testid')
    this.#list.replaceChildren(...[...this.#rooms.values()].map((room) => this.#row(room)))
    find('channels-empty').hidden = this.#rooms.size > 0
    // Drawing anew must not take the focus away from a keyboard.
    if (held && document.activeElement === document.body) {
      this.#list.querySelector<HTMLElement>(`[data-testid="${CSS.escape(held)}"]`)?.focus()
    }
  }

  #row(room: Room): HTMLElement {
    const { name, isPrivate, bindings } = room.options
    const choose = make(
      'button',
      { type: 'button', class: 'choose', 'data-testid': `select-${name}`, 'aria-pressed': String(room === this.selected) },
      make('span', { class: 'name' }, name),
      ...(isPrivate ? [make('span', { class: 'badge' }, 'private')] : []),
      ...(bindings.length > 0 ? [make('span', { class: 'badge' }, 'changes')] : []),
      make('span', { class: 'state' }, words[room.state]),
    )
    choose.addEventListener('click', () => this.#choose(room))
    const buttons = [choose]
    if (room.state === 'closed' && this.#client()) {
      const again = make('button', { type: 'button', class: 'small', 'data-testid': `rejoin-${name}` }, 'Join again')
      again.addEventListener('click', () => this.#rejoin(room))
      buttons.push(again)
    }
    const leave = make('button', { type: 'button', class: 'quiet small', 'data-testid': `leave-${name}`, 'aria-label': `Leave ${name}` }, 'Leave')
    leave.addEventListener('click', () => this.#leave(room))
    buttons.push(leave)
    return make('li', { 'data-testid': `channel-${name}`, 'data-state': room.state }, ...buttons)
  }
}
