// One room that this page is in: its connection, its clock, its time, and who is
// there. Goes on by itself when the connection was lost. docs/music.md says what
// is sent and heard; protocol.ts reads it.

import { createClient, type RealtimeChannel, type RealtimeChannelOptions, type SupabaseClient } from '@supabase/supabase-js'
import { browserTimers, ServerClock, Timeline, type Change } from '../music'
import type { Wish } from './door'
import { fields, leads, number, readNote, readRefusal, readScore, text, type Note, type Person, type Refusal, type Score, type Take } from './protocol'
import { whyRefused } from './why'
import { readPeople, readTable, readTake, readWelcome } from './welcome'

export type Link = 'out' | 'joining' | 'joined' | 'lost' | 'refused'

export type LessonWatcher = {
  /** The connection; why says in the server's words why it was refused. */
  link(link: Link, why: string): void
  /** The server has closed the room to this lesson for good: come in anew. */
  closed(): void
  /** The whole state has come, at first or again. */
  state(): void
  /** The room's time has changed. */
  time(change: Change): void
  /** The clock has become ready, or was lost; what it knows has changed. */
  clock(): void
  people(): void
  /** A teacher has given me another role. */
  role(): void
  note(note: Note): void
  refused(refusal: Refusal): void
  /** A take has begun, or there is none. */
  take(): void
  /** The take ends in so many ms; it cannot be scored when it is spoilt. */
  takeEnds(inMs: number, spoilt: boolean): void
  score(score: Score): void
  table(scores: Score[]): void
}

const heartbeatMs = 10_000 // how soon a connection that died in silence is noticed
const reportEvery = 5_000
// A command that was not answered before the connection was lost is sent again
// with its key, unless it is older: the teacher has gone on.
const stale = 10_000

// How long to stay away from a server that has closed the room.
const closedFor = 3_000

type Sent = { event: string; payload: Record<string, unknown>; at: number }

export class Lesson {
  readonly wish: Wish
  readonly clock: ServerClock
  timeline: Timeline | null = null
  /** My id and role, as the server gave them. */
  me: { id: string; role: Person['role'] }
  people: Person[] = []
  take: Take | null = null
  link: Link = 'out'
  /** In ms, what the sound takes to the ear; null when it is off. */
  latency: () => number | null = () => null
  readonly client: SupabaseClient
  readonly #watch: LessonWatcher
  readonly #channel: RealtimeChannel
  readonly #waiting = new Map<string, Sent>() // commands without an answer, by key
  #reporting: number | undefined

  constructor(wish: Wish, watch: LessonWatcher) {
    this.wish = wish
    this.#watch = watch
    this.me = { id: '', role: wish.role }
    this.clock = new ServerClock({
      send: (ping) => this.#push('clock_ping', ping),
      now: () => performance.now(), wall: () => Date.now(), timers: browserTimers, random: Math.random,
      watch: ({ type }) => {
        if (type === 'ready') this.report()
        this.#watch.clock()
      },
    })
    this.client = createClient(wish.url, wish.key, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      accessToken: async () => wish.token || wish.key,
      realtime: { heartbeatIntervalMs: heartbeatMs },
    })
    this.#channel = this.client.channel(`music_room:${wish.room}`, options(wish))
    this.#listen()
  }

  /** Joins, and joins again whenever the connection was lost. */
  async enter(): Promise<void> {
    this.#turn('joining')
    // Else the first join would be the key's, and we a guest.
    await this.client.realtime.setAuth()
    if (this.link !== 'joining') return
    this.#channel.subscribe((status, err) => {
      if (status === 'SUBSCRIBED') this.#joined()
      else if (this.link !== 'out') this.#away(status, err)
    })
    this.#reporting = window.setInterval(() => this.report(), reportEvery)
  }

  async leave(): Promise<void> {
    window.clearInterval(this.#reporting)
    this.clock.stop()
    this.#turn('out')
    await this.client.removeAllChannels()
    await this.client.realtime.disconnect()
  }

  /** Sends a command. What comes of it is told to the watcher. */
  command(event: string, payload: Record<string, unknown> = {}): void {
    if (this.link !== 'joined') return this.#watch.refused({ command: event, code: 'away', reason: 'There is no connection: nothing was sent.' })
    const sent = { event, payload: { ...payload, key: newKey() }, at: Date.now() }
    this.#waiting.set(sent.payload.key, sent)
    this.#push(event, sent.payload)
  }

  /** Sends what needs no answer, such as a note; false when there is no connection. */
  say(event: string, payload: Record<string, unknown>): boolean {
    if (this.link !== 'joined') return false
    this.#push(event, payload)
    return true
  }

  /** Tells the room how good this clock is. */
  report(): void {
    if (!this.clock.ready) return
    const { rtt_p50, uncertainty, drift_ppm } = this.clock.report()
    this.say('clock_report', { rtt_p50, uncertainty, drift_ppm, latency: this.latency() })
  }

  /** The server's time of a local one, null while it is not known. */
  server(local: number): number | null {
    return this.clock.ready ? this.clock.server(local) : null
  }

  get leads(): boolean {
    return leads(this.me.role)
  }

  person(id: string): Person | undefined {
    return this.people.find((person) => person.id === id)
  }

  #push(event: string, payload: Record<string, unknown>): void {
    // Not over HTTP, as the library would do when it is away.
    if (this.link !== 'joined') throw new Error('not joined')
    void this.#channel.send({ type: 'broadcast', event, payload })
  }

  #listen(): void {
    const on = (event: string, hear: (payload: unknown) => void): void => {
      this.#channel.on('broadcast', { event }, ({ payload }) => hear(payload))
    }
    on('clock_pong', (payload) => this.clock.pong(payload) && this.#watch.clock())
    on('room_state', (payload) => this.#welcome(payload))
    for (const event of ['tempo_changed', 'meter_changed', 'transport_changed', 'interval_changed']) {
      on(event, (payload) => this.#change(payload))
    }
    on('take_over', (payload) => this.#takenOver(payload))
    on('student_note', (payload) => {
      const note = readNote(payload)
      if (note) this.#watch.note(note)
    })
    on('roster', (payload) => {
      this.people = readPeople(payload)
      const role = this.person(this.me.id)?.role ?? this.me.role
      if (role === this.me.role) return this.#watch.people()
      this.me = { ...this.me, role }
      this.#watch.role()
    })
    on('answer', (payload) => this.#answered(payload))
    on('refused', (payload) => this.#refused(payload))
    on('extension_error', (payload) => this.#refused(payload))
    on('take_started', (payload) => this.#take(payload))
    on('take_stopped', (payload) => {
      const { at, aborted } = fields(payload)
      const ends = number(at)
      this.take = null
      this.#watch.takeEnds(ends === null ? 0 : Math.max(0, ends - this.clock.now()), aborted === true)
    })
    on('take_score', (payload) => {
      const score = readScore(payload)
      if (score) this.#watch.score(score)
    })
    on('take_table', (payload) => this.#watch.table(readTable(payload)))
  }

  #joined(): void {
    this.#turn('joined')
    this.clock.burst()
    for (const [key, { event, payload, at }] of this.#waiting) {
      if (Date.now() - at > stale) this.#waiting.delete(key)
      else this.#push(event, payload)
    }
  }

  #away(status: string, err?: Error): void {
    // The library tries again after a refusal and after a loss, but not after this.
    if (status === 'CLOSED') window.setTimeout(() => this.#watch.closed(), closedFor)
    if (status === 'CHANNEL_ERROR' && this.client.realtime.isConnected() && err?.message) this.#turn('refused', err.message)
    else if (this.link === 'joined' || this.link === 'lost') this.#turn('lost')
    else void this.#explain()
  }

  /** Finds out why the first connection does not come about. */
  async #explain(): Promise<void> {
    const why = await whyRefused(this.wish.url, this.wish.key)
    if ((this.link === 'joining' || this.link === 'refused') && !this.client.realtime.isConnected()) this.#turn('refused', why)
  }

  #turn(link: Link, why = ''): void {
    this.link = link
    this.#watch.link(link, why)
  }

  #welcome(payload: unknown): void {
    const { me, state, people, take } = readWelcome(payload, this.me)
    this.me = me
    this.people = people
    this.take = take
    this.#load(state)
  }

  /** Another node goes on with the room's time. */
  #takenOver(payload: unknown): void {
    const { offset_ms, phase_error_ms, state } = fields(payload)
    const epoch = text(fields(state).epoch)
    if (epoch !== '') this.clock.shift(number(offset_ms) ?? 0, number(phase_error_ms), epoch)
    this.#load(state)
  }

  #load(state: unknown): void {
    try {
      if (this.timeline) this.timeline.load(state)
      else this.timeline = new Timeline(state)
    } catch {
      return this.#turn('refused', 'the room’s state cannot be read: this page is older or newer than the server')
    }
    this.clock.sawEpoch(this.timeline.state.epoch)
    this.clock.start()
    this.#watch.state()
  }

  #change(payload: unknown): void {
    const followed = this.timeline?.follow(payload) ?? 'missing'
    if (followed === 'missing') this.say('get_state', {})
    if (followed === 'applied') this.#watch.time(payload as Change)
  }

  #answered(payload: unknown): void {
    const { key } = fields(payload)
    this.#waiting.delete(text(key))
  }

  #refused(payload: unknown): void {
    const refusal = readRefusal(payload)
    if (!refusal) return
    if (refusal.key !== undefined) this.#waiting.delete(refusal.key)
    this.#watch.refused(refusal)
  }

  #take(payload: unknown): void {
    this.take = readTake(payload)
    this.#watch.take()
  }

}

// The server trusts the role of a join only where its settings say so, as when
// you try it out; else it goes by the token.
function options({ name, role, isPrivate }: Wish): RealtimeChannelOptions {
  // Of a join's fields the library sends these alone.
  const presence = { key: tabId(), enabled: true, name, role }
  return { config: { private: isPrivate, broadcast: { self: false }, presence } }
}

/** The same as long as this tab lives, so that who comes back is the same. */
function tabId(): string {
  try {
    const known = sessionStorage.getItem('tutti-student')
    if (known) return known
    const made = newKey()
    sessionStorage.setItem('tutti-student', made)
    return made
  } catch {
    return newKey()
  }
}

function newKey(): string {
  return [...crypto.getRandomValues(new Uint32Array(3))].map((n) => n.toString(36)).join('')
}
