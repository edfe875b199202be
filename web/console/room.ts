// One topic that the developer wants to be in, whether or not it is joined now.

import type { RealtimeChannel, SupabaseClient } from '@supabase/supabase-js'
import { explain, type Explanation } from './explain'

export type RoomOptions = {
  name: string
  isPrivate: boolean
  self: boolean // hear what we send
  ack: boolean // the server confirms what we send
  presence: boolean
  presenceKey: string // "" lets the server choose
}

export type RoomState = 'offline' | 'joining' | 'joined' | 'error' | 'closed'

export type Message = { at: number; event: string; payload: unknown; meta?: unknown }

export type Present = { key: string; states: Record<string, unknown>[] }

export type Sent = { ok: boolean; text: string }

export type RoomWatcher = {
  state(room: Room): void
  message(room: Room, message: Message): void
  presence(room: Room): void
}

const messagesKept = 200

export class Room {
  readonly options: RoomOptions
  state: RoomState = 'offline'
  problem: Explanation | null = null
  readonly messages: Message[] = []
  #channel: RealtimeChannel | null = null
  #tracked: Record<string, unknown> | null = null
  readonly #watch: RoomWatcher

  constructor(options: RoomOptions, watch: RoomWatcher) {
    this.options = options
    this.#watch = watch
  }

  /** Joins through this client; ends an earlier join. */
  join(client: SupabaseClient): void {
    const { name, isPrivate, self, ack, presence, presenceKey } = this.options
    const channel = client.channel(name, {
      config: { private: isPrivate, broadcast: { self, ack }, presence: { key: presenceKey, enabled: presence } },
    })
    this.#channel = channel
    this.#turn('joining', null)
    channel.on('broadcast', { event: '*' }, (message) => {
      this.#hear({ at: Date.now(), event: message.event, payload: message.payload, meta: message.meta })
    })
    channel.on('system', {}, (notice: { status?: string; message?: unknown }) => {
      if (notice.status === 'error') this.#turn(this.state, explain(String(notice.message)))
    })
    if (presence) channel.on('presence', { event: 'sync' }, () => this.#watch.presence(this))
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

  #hear(message: Message): void {
    this.messages.push(message)
    if (this.messages.length > messagesKept) this.messages.shift()
    this.#watch.message(this, message)
  }

  #turn(state: RoomState, problem: Explanation | null): void {
    this.state = state
    this.problem = problem
    this.#watch.state(this)
  }
}
