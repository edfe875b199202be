// One room that this page is in: its connection, its clock, its time, and who is
// there. Goes on by itself when the connection was lost. docs/music.md says what
// is sent and heard; protocol.ts reads it.

import { RealtimeClient, type RealtimeChannel } from '@supabase/supabase-js'
import { browserTimers, ServerClock, Timeline, type Change, type ClockEvent } from '../music'
import type { Wish } from './door'
import { joinOptions, newKey } from './join'
import { askAt, Pass } from './pass'
import { fields, leads, number, readNote, readRefusal, readScore, text, type Note, type Person, type Refusal, type Score, type Take } from './protocol'
import { whyRefused } from './why'
import { readPeople, readTable, readTake, readWelcome } from './welcome'

export type Link = 'out' | 'joining' | 'joined' | 'lost' | 'refused'

export type LessonWatcher = {
  /** The connection; why says in the server's words why it was refused. */
  link(link: Link, why: string): void
  /** The token ends, has ended, or is another; why says what came of asking for one. */
  pass(why: string): void
  /** The whole state has come, at first or again. */
  state(): void
  /** The room's time has changed. */
  time(change: Change): void
  /** The clock has become ready, or was lost; what it knows has changed. */
  clock(): void
  people(): void
  /** A teacher has given me another role. */
  role(): void
  /** A note came from the room, one's own too. */
  note(note: Note): void
  /** Somebody's page says that his loop is over, or "" for all. */
  loopCleared(who: string): void
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

// How long to stay away from a room that was closed to us.
const closedFor = 3_000
const eventsKept = 50
// Between pages alone: the room neither knows nor forbids it, and anybody may say it.
const loopCleared = 'loop_cleared'

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
  /** How long before its effect the room tells a beat, in ms; null when that is not known. */
  lookAhead: number | null = null
  readonly pass: Pass
  /** What happened to the clock, the latest. */
  events: readonly ClockEvent[] = []
  /** In ms, what the sound takes to the ear; null when it is off. */
  latency: () => number | null = () => null
  readonly client: RealtimeClient
  readonly #watch: LessonWatcher
  #channel: RealtimeChannel | null = null
  readonly #waiting = new Map<string, Sent>() // commands without an answer, by key
  #reporting: number | undefined
  #opening: number | undefined

  constructor(wish: Wish, watch: LessonWatcher) {
    this.wish = wish
    this.#watch = watch
    this.me = { id: '', role: wish.role }
    this.clock = new ServerClock({
      send: (ping) => this.#push('clock_ping', ping),
      now: () => performance.now(), wall: () => Date.now(), timers: browserTimers, random: Math.random,
      watch: (event) => {
        this.events = [...this.events.slice(1 - eventsKept), event]
        const { type } = event
        if (type === 'ready') this.report()
        this.#watch.clock()
      },
    })
    this.pass = new Pass(wish.token || wish.key, {
      now: () => this.#unixTime(), timers: browserTimers,
      ask: wish.renew ? (signal) => askAt(wish.renew, signal) : null,
      watch: (pass, why) => this.#passed(pass, why),
    })
    // The rest of supabase-js is as large again three times, and a lesson needs none of it.
    this.client = new RealtimeClient(`${wish.url.replace(/^http/, 'ws')}/realtime/v1`, {
      params: { apikey: wish.key }, heartbeatIntervalMs: heartbeatMs,
      accessToken: async () => this.pass.token,
    })
  }

  /** Joins, and joins again whenever the connection was lost. */
  async enter(): Promise<void> {
    this.#turn('joining')
    // Else the first join would be the key's, and we a guest.
    await this.client.setAuth()
    if (this.link !== 'joining') return
    this.#open()
    this.#reporting = window.setInterval(() => this.report(), reportEvery)
  }

  async leave(): Promise<void> {
    window.clearInterval(this.#reporting)
    window.clearTimeout(this.#opening)
    this.clock.stop()
    this.pass.stop()
    this.#turn('out')
    await this.client.removeAllChannels()
    await this.client.disconnect()
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

  /** Tells the other pages that a loop is over, mine or everybody's. */
  clearLoops(whose: 'mine' | 'all'): void {
    this.say(loopCleared, { student_id: whose === 'mine' ? this.me.id : '' })
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
    void this.#channel?.send({ type: 'broadcast', event, payload })
  }

  /** Makes a channel of the room and joins it. */
  #open(): void {
    const channel = this.client.channel(`music_room:${this.wish.room}`, joinOptions(this.wish))
    this.#channel = channel
    this.#listen(channel)
    channel.subscribe((status, err) => {
      if (channel !== this.#channel || this.link === 'out') return
      if (status === 'SUBSCRIBED') this.#joined()
      else this.#away(status, err)
    })
  }

  #listen(channel: RealtimeChannel): void {
    const on = (event: string, hear: (payload: unknown) => void): void => {
      channel.on('broadcast', { event }, ({ payload }) => hear(payload))
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
    on(loopCleared, (payload) => this.#watch.loopCleared(text(fields(payload).student_id)))
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
    this.#opening = undefined
    this.#turn('joined')
    this.clock.burst()
    for (const [key, { event, payload, at }] of this.#waiting) {
      if (Date.now() - at > stale) this.#waiting.delete(key)
      else this.#push(event, payload)
    }
  }

  #away(status: string, err?: Error): void {
    // The library tries again after a refusal and after a loss, but not after this.
    // What is known of the time stays, so the metronome goes on.
    if (status === 'CLOSED') this.#opening = window.setTimeout(() => this.#open(), this.pass.state === 'over' ? closedFor * 10 : closedFor)
    if (status === 'CHANNEL_ERROR' && this.client.isConnected() && err?.message) this.#turn('refused', err.message)
    else if (this.link === 'joined' || this.link === 'lost') this.#turn('lost')
    else void this.#explain()
  }

  /** Finds out why the first connection does not come about. */
  async #explain(): Promise<void> {
    const why = await whyRefused(this.wish.url, this.wish.key)
    if ((this.link === 'joining' || this.link === 'refused') && !this.client.isConnected()) this.#turn('refused', why)
  }

  /** The server goes by its own clock when it says that a token has ended. */
  #unixTime(): number {
    const server = this.clock.now()
    return Number.isFinite(server) ? server : Date.now()
  }

  #passed(pass: Pass, why: string): void {
    if (pass.state === 'good') {
      void this.client.setAuth()
      // It may have been closed because of the old one.
      if (this.#channel && this.#opening !== undefined && this.link === 'lost') {
        window.clearTimeout(this.#opening)
        this.#open()
      }
    }
    this.#watch.pass(why)
  }

  #turn(link: Link, why = ''): void {
    this.link = link
    this.#watch.link(link, why)
  }

  #welcome(payload: unknown): void {
    const { me, state, people, take, lookAhead } = readWelcome(payload, this.me)
    this.me = me
    this.lookAhead = lookAhead
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
