// One topic that the developer wants to be in, whether or not it is joined now.

import type { RealtimeChannel, SupabaseClient } from '@supabase/supabase-js'
import { readChange, standing, type Change, type ChangePayload, type Notice, type Standing } from './change'
import { explain, type Explanation } from './explain'
import { channelOptions, type RoomOptions } from './options'

export type RoomState = 'offline' | 'joining' | 'joined' | 'error' | 'closed'

export type Message = { at: number; event: string; payload: unknown; meta?: unknown }

/** What the server says about a message that the database sent or kept. */
export type MessageMeta = { id?: string; replayed?: boolean }

export type Present = { key: string; states: Record<string, unknown>[] }

export type Sent = { ok: boolean; text: string }

export type RoomWatcher = {
  state(room: Room): void
  message(room: Room, message: Message): void
  presence(room: Room): void
  change(room: Room, change: Change): void
  notice(room: Room, notice: Notice): void
}

const messagesKept = 200
const changesKept = 200
const noticesKept = 50

type SystemPayload = { status?: string; message?: unknown; extension?: string }

export class Room {
  readonly options: RoomOptions
  state: RoomState = 'offline'
  problem: Explanation | null = null
  standing: Standing
  readonly messages: Message[] = []
  readonly changes: Change[] = []
  readonly notices: Notice[] = []
  #latest: ChangePayload | null = null
  #channel: RealtimeChannel | null = null
  #tracked: Record<string, unknown> | null = null
  readonly #watch: RoomWatcher

  constructor(options: RoomOptions, watch: RoomWatcher) {
    this.options = options
    this.standing = options.bindings.length > 0 ? 'waiting' : 'none'
    this.#watch = watch
  }

  /** Joins through this client; ends an earlier join. */
  join(client: SupabaseClient): void {
    const { name, presence, bindings } = this.options
    const channel = client.channel(name, channelOptions(this.options, Date.now()))
    this.#channel = channel
    this.#turn('joining', null)
    channel.on('broadcast', { event: '*' }, (message) => {
      this.#hear({ at: Date.now(), event: message.event, payload: message.payload, meta: message.meta })
    })
    if (presence) channel.on('presence', { event: 'sync' }, () => this.#watch.presence(this))
    bindings.forEach((binding, i) => {
      channel.on('postgres_changes', binding as { event: '*'; schema: string }, (change) => this.#see(change as ChangePayload, i + 1))
    })
    channel.on('system', {}, (notice: SystemPayload) => this.#note(notice))
    channel.subscribe((status, err) => {
      if (this.#channel === channel) this.#status(client, status, err)
    })
  }

  /** Leaves the topic and forgets who was there; the messages stay. */
  async leave(client: SupabaseClient | null): Promise<void> {
    const channel = this.#channel
    this.#channel = null
    this.#turn('offline', null)
    this.#watch.presence(this)
    if (channel && client) await client.removeChannel(channel)
  }

  /** Notes that the connection ended, which took the channel with it. */
  disconnected(): void {
    this.#channel = null
    this.#turn('offline', null)
    this.#watch.presence(this)
  }

  async send(event: string, payload: unknown, overHTTP: boolean): Promise<Sent> {
    const channel = this.#channel
    if (!channel || (!overHTTP && this.state !== 'joined')) return { ok: false, text: 'Not joined: nothing was sent.' }
    const start = performance.now()
    const took = () => `${(performance.now() - start).toFixed(1)} ms`
    if (overHTTP) {
      try {
        await channel.httpSend(event, payload)
        return { ok: true, text: `The server accepted it over HTTP in ${took()}.` }
      } catch (err) {
        return { ok: false, text: `Refused over HTTP: ${err instanceof Error ? err.message : String(err)}` }
      }
    }
    const answer = await channel.send({ type: 'broadcast', event, payload })
    if (answer === 'ok') return { ok: true, text: this.options.ack ? `Acknowledged in ${took()}.` : 'Sent.' }
    if (answer === 'error') return { ok: false, text: 'The server answered with an error; its reply is in the frame log. A payload that is too large is the usual cause.' }
    return {
      ok: false,
      text: this.options.isPrivate
        ? 'No answer within 10 s. On a private topic this usually means that no policy allows this token to send (INSERT on realtime.messages).'
        : 'No answer within 10 s.',
    }
  }

  async track(state: Record<string, unknown>): Promise<Sent> {
    if (!this.#channel || this.state !== 'joined') return { ok: false, text: 'Not joined: nothing was tracked.' }
    const answer = await this.#channel.track(state)
    if (answer !== 'ok') return { ok: false, text: `The server did not accept the state (${answer}); its reply is in the frame log.` }
    this.#tracked = state
    return { ok: true, text: 'Others see your state now.' }
  }

  /** Tracks this state at the next join, and at every one after it. */
  trackWhenJoined(state: Record<string, unknown>): void {
    this.#tracked = state
    if (this.state === 'joined') void this.track(state)
  }

  async untrack(): Promise<Sent> {
    this.#tracked = null
    if (!this.#channel || this.state !== 'joined') return { ok: false, text: 'Not joined: nothing was tracked.' }
    const answer = await this.#channel.untrack()
    return answer === 'ok' ? { ok: true, text: 'Others do not see you any more.' } : { ok: false, text: `The server answered: ${answer}.` }
  }

  present(): Present[] {
    const state = this.#channel?.presenceState() ?? {}
    return Object.entries(state).map(([key, metas]) => ({ key, states: metas.map(({ presence_ref: _, ...own }) => own) }))
  }

  #status(client: SupabaseClient, status: string, err?: Error): void {
    switch (status) {
      case 'SUBSCRIBED':
        this.#turn('joined', null)
        // The server forgot us with the old join.
        if (this.#tracked) void this.track(this.#tracked)
        return
      case 'CLOSED':
        this.#channel = null
        this.#turn('closed', this.problem ?? { title: 'The server closed this topic', cause: 'It gave no reason.', cure: 'Join again.' })
        this.#watch.presence(this)
        return
      case 'TIMED_OUT':
        this.#turn('error', explain('Join timed out'))
        return
      default:
        // A lost connection is told of elsewhere, and the library joins again.
        if (!client.realtime.isConnected()) this.#turn('joining', this.problem)
        else this.#turn('error', explain(err?.message ?? ''))
    }
  }

  // The library calls once for each binding that fits, with the same object.
  #see(payload: ChangePayload, binding: number): void {
    if (this.#latest === payload) {
      this.changes.at(-1)?.bindings.push(binding)
      return
    }
    this.#latest = payload
    const change = readChange(payload, Date.now(), this.changes)
    change.bindings.push(binding)
    this.changes.push(change)
    if (this.changes.length > changesKept) this.changes.shift()
    this.#watch.change(this, change)
  }

  #note(payload: SystemPayload): void {
    const notice = { at: Date.now(), ok: payload.status !== 'error', extension: payload.extension ?? '', text: String(payload.message) }
    this.notices.push(notice)
    if (this.notices.length > noticesKept) this.notices.shift()
    this.standing = standing(this.standing, notice)
    this.#watch.notice(this, notice)
    // Of changes the list of notices tells; all else is about the topic itself.
    if (!notice.ok && notice.extension !== 'postgres_changes') this.#turn(this.state, explain(notice.text))
  }

  #hear(message: Message): void {
    // A topic that is joined again has old messages replayed again.
    const { id, replayed } = (message.meta ?? {}) as MessageMeta
    if (replayed && this.messages.some((known) => (known.meta as MessageMeta | undefined)?.id === id)) return
    this.messages.push(message)
    if (this.messages.length > messagesKept) this.messages.shift()
    this.#watch.message(this, message)
  }

  #turn(state: RoomState, problem: Explanation | null): void {
    if (state !== 'joined' && this.standing !== 'none') this.standing = 'waiting'
    this.state = state
    this.problem = problem
    this.#watch.state(this)
  }
}
