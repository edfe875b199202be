// Sounds beats at their time: looks some way ahead on the server's clock, hands
// each click to the audio hardware with the moment at which it is to be heard,
// and takes back what a change of tempo made wrong.

import { AudioMap, type AudioClock } from './audio'
import type { Timers } from './clock'

/** A beat to be heard: its number, by which it is known when it is moved, and when, in ms of the server's clock. */
export type Click = { beat: number; at: number }

/** Where clicks come from: all with from <= at < to, in order. A Timeline, or Announced beats. */
export type Clicks<C extends Click = Click> = { between(from: number, to: number): C[] }

/** A sound that was handed over; cancel takes it back when it has not begun. */
export type Voice = { cancel(): void }

/** The part of a ServerClock that is needed. */
export type Time = { readonly ready: boolean; server(local: number): number; local(server: number): number }

/**
 * locked: no sound is allowed before the user touches something; call unlock
 * from the handler of a click or a key. starting: asked, not granted yet.
 * interrupted: the system took the sound away, as for a telephone call.
 */
export type AudioState = 'locked' | 'starting' | 'running' | 'interrupted' | 'closed'

export type ScheduleSettings = {
  /** How far ahead clicks are handed over, in ms, and how often that is looked at. */
  ahead: number
  interval: number
  /** The same for a hidden page, whose timers come once a second; it is more when they come even later, up to furthest. */
  hiddenAhead: number
  furthest: number
  /** A click that is too late by less is still sounded, at once. */
  grace: number
  /** A click that was handed over for a moment this far off, in ms, is moved. */
  tolerance: number
  /** How long the browser may take to start the sound before the state is locked again. */
  patience: number
}

export const scheduleDefaults: ScheduleSettings = {
  ahead: 100, interval: 25, hiddenAhead: 2_500, furthest: 90_000, grace: 30, tolerance: 1.5, patience: 1_000,
}

export type SchedulerNeeds<C extends Click, A extends AudioClock> = {
  time: Time
  clicks: Clicks<C>
  /** Local ms: performance.now, the same as the ServerClock's. */
  now(): number
  timers: Timers
  /** Makes the AudioContext; called by the first unlock and not before. */
  makeAudio(): A
  /** Starts a sound at a context time in s. */
  sound(click: C, when: number, audio: A): Voice
  /** Whether the page is hidden: document.hidden. */
  hidden?(): boolean
  watch?(state: AudioState): void
  settings?: Partial<ScheduleSettings>
}

/** What became of the clicks. late: known too late to be heard in time; of these, skipped were not sounded at all. */
export type Tally = { sounded: number; late: number; skipped: number; cancelled: number; moved: number; worst: number }

type Planned<C> = { click: C; when: number; voice: Voice }

// A beat that has sounded does not sound again within so many s of audio time,
// when a tempo or the clock moved it a little: it is the same one.
const once = 1
const memory = 60 // s
// Clicks that were missed longer ago, in ms of server time, are not counted.
const lookBack = 10_000
// The server's time leapt by more, in ms: it counts from another zero, and
// nothing was missed.
const leap = 1_000
// A sound that starts sooner, in s, may be on its way to the device.
const tooClose = 0.005
const gapsKept = 8

export class Scheduler<C extends Click = Click, A extends AudioClock = AudioClock> {
  state: AudioState = 'locked'
  audio: A | null = null
  readonly tally: Tally = { sounded: 0, late: 0, skipped: 0, cancelled: 0, moved: 0, worst: 0 }
  readonly #needs: SchedulerNeeds<C, A>
  readonly #settings: ScheduleSettings
  #map: AudioMap | null = null
  #timer: unknown = null
  #ticked: number | null = null
  #gaps: number[] = []
  #asked = 0
  #edge: number | null = null // server time of what could be heard at the last look
  #from = 0 // server time up to which everything was heard or handed over
  #began = 0 // the first edge
  #looked = 0 // local time of the last look
  #calibration = 0
  #planned: Planned<C>[] = []
  #sounded: { beat: number; when: number }[] = []

  constructor(needs: SchedulerNeeds<C, A>) {
    this.#needs = needs
    this.#settings = { ...scheduleDefaults, ...needs.settings }
  }

  /** Asks the browser for sound. Must be called from the handler of a user's gesture; harmless when sound runs. */
  unlock(): void {
    if (this.state === 'closed') return
    this.audio ??= this.#needs.makeAudio()
    this.#map ??= new AudioMap(this.audio, this.#needs.now)
    this.#map.calibration = this.#calibration
    this.#asked = this.#needs.now()
    if (this.state !== 'running') this.#turn('starting')
    // What it refuses is seen in its state.
    this.audio.resume().then(() => this.#timer !== null && this.look(), () => undefined)
    if (this.#timer === null) this.#tick()
  }

  /** Silences all that was handed over, and looks no more until unlock. */
  stop(): void {
    this.#needs.timers.clear(this.#timer)
    this.#timer = this.#ticked = null
    this.#gaps = []
    this.reset()
    if (this.state !== 'closed') this.#turn('locked')
  }

  /** Takes back what has not sounded and begins anew from now. */
  reset(): void {
    this.#cancel(() => true)
    this.#edge = null
  }

  /** Tells that the clicks changed, as far back as `since` in server ms; looks at once. */
  changed(since: number): void {
    this.#from = Math.min(this.#from, since)
    this.look()
  }

  /** How long a sound takes to the ear, in ms; null when no sound runs. */
  get latency(): number | null {
    const latency = this.#map?.latency()
    return latency === undefined || Number.isNaN(latency) ? null : latency
  }

  /** What the user found by ear to be missing in that, in ms. */
  calibrate(ms: number): void {
    this.#calibration = ms
    if (this.#map) this.#map.calibration = ms
    this.look()
  }

  /** Hands over what is due, takes back what is wrong. The timer does it; call it when the page is hidden or shown. */
  look(): void {
    if (this.#timer === null || this.audio === null || this.#map === null || !this.#sounds(this.audio)) return
    this.#map.read()
    if (!this.#needs.time.ready) return this.reset()
    const edge = this.#needs.time.server(this.#map.local(this.audio.currentTime))
    const now = this.#needs.now()
    if (this.#edge !== null && Math.abs(edge - this.#edge - (now - this.#looked)) > leap) this.#edge = null
    this.#looked = now
    this.#settle(this.audio.currentTime)
    // All that is handed over must be looked at again, also when the map of the
    // audio clock has moved a little and a click is on the other side of the edge.
    const planned = this.#planned.map(({ click }) => click.at)
    if (this.#edge === null) this.#began = this.#from = edge
    const from = Math.max(Math.min(this.#from, edge, ...planned), edge - lookBack, this.#began)
    const to = Math.max(edge + this.#ahead(), ...planned.map((at) => at + 1))
    const wanted = this.#needs.clicks.between(from, to)
    const beats = new Set(wanted.map(({ beat }) => beat))
    this.#cancel(({ click }) => !beats.has(click.beat))
    for (const click of wanted) this.#want(click, this.audio)
    this.#edge = this.#from = edge
  }

  /** Whether sound runs; follows the browser's word. */
  #sounds(audio: A): boolean {
    if (audio.state === 'running') {
      this.#turn('running')
      return true
    }
    if (audio.state === 'closed') this.#turn('closed')
    else if (this.state === 'running') this.#turn('interrupted')
    else if (this.state === 'starting' && this.#needs.now() - this.#asked > this.#settings.patience) this.#turn('locked')
    this.#map?.reset()
    this.reset()
    return false
  }

  #turn(state: AudioState): void {
    if (state === this.state) return
    this.state = state
    this.#needs.watch?.(state)
  }

  #tick(): void {
    const now = this.#needs.now()
    if (this.#ticked !== null) this.#gaps = [...this.#gaps.slice(1 - gapsKept), now - this.#ticked]
    this.#ticked = now
    this.#timer = this.#needs.timers.set(() => this.#tick(), this.#settings.interval)
    this.look()
  }

  /** How far to look ahead: further when timers are throttled or have lately come late. */
  #ahead(): number {
    const { ahead, hiddenAhead, furthest } = this.#settings
    const longest = Math.max(0, ...this.#gaps)
    const needed = longest > ahead / 2 ? longest * 1.5 + ahead : ahead
    return Math.min(furthest, Math.max(needed, this.#needs.hidden?.() ? hiddenAhead : 0))
  }

  /** Counts what has begun to sound, and forgets what sounded long ago. */
  #settle(current: number): void {
    const begun = this.#planned.filter(({ when }) => when <= current)
    this.tally.sounded += begun.length
    this.#planned = this.#planned.filter(({ when }) => when > current)
    this.#sounded.push(...begun.map(({ click: { beat }, when }) => ({ beat, when })))
    this.#sounded = this.#sounded.filter(({ when }) => current - when <= memory)
  }

  #want(click: C, audio: A): void {
    const when = this.#map!.when(this.#needs.time.local(click.at))
    if (this.#sounded.some((before) => before.beat === click.beat && Math.abs(before.when - when) < once)) return
    const planned = this.#planned.find((p) => p.click.beat === click.beat)
    if (planned) this.#move(planned, click, when, audio)
    else this.#hand(click, when, audio)
  }

  /**
   * Hands a click over; at once when it is a little late, and not at all when it is
   * more: else all that a pause of the sound held up would be heard together.
   */
  #hand(click: C, when: number, audio: A): void {
    const late = (audio.currentTime - when) * 1000
    if (late <= 0) return this.#plan(click, when, audio)
    this.tally.late++
    this.tally.worst = Math.max(this.tally.worst, late)
    if (late <= this.#settings.grace) return this.#plan(click, audio.currentTime, audio)
    this.tally.skipped++
    this.#sounded.push({ beat: click.beat, when })
  }

  #plan(click: C, when: number, audio: A): void {
    this.#planned.push({ click, when, voice: this.#needs.sound(click, when, audio) })
  }

  #move(planned: Planned<C>, click: C, when: number, audio: A): void {
    if (Math.abs(planned.when - when) * 1000 <= this.#settings.tolerance) return
    if (planned.when - audio.currentTime < tooClose) return
    this.#planned = this.#planned.filter((p) => p !== planned)
    planned.voice.cancel()
    this.tally.moved++
    this.#hand(click, when, audio)
  }

  #cancel(wrong: (planned: Planned<C>) => boolean): void {
    const gone = this.#planned.filter(wrong)
    this.#planned = this.#planned.filter((p) => !gone.includes(p))
    for (const { voice } of gone) voice.cancel()
    this.tally.cancelled += gone.length
  }
}

/** A beat as the server announces it: of one beat the greatest rev counts, and one that is off is not heard. */
export type Announcement = Click & { rev: number; off?: boolean }

const announcementsKept = 512

/** The clicks of a page that knows no timeline and goes by the announcements. */
export class Announced<C extends Announcement = Announcement> implements Clicks<C> {
  readonly #beats = new Map<number, C>()

  /** Takes an announcement; false when it is older than what is known of the beat. Then call Scheduler.changed(beat.at). */
  add(beat: C): boolean {
    const known = this.#beats.get(beat.beat)
    if (known && known.rev >= beat.rev) return false
    this.#beats.delete(beat.beat)
    this.#beats.set(beat.beat, beat)
    for (const oldest of this.#beats.keys()) {
      if (this.#beats.size <= announcementsKept) break
      this.#beats.delete(oldest)
    }
    return true
  }

  /** Forgets all: the room has another epoch. */
  clear(): void {
    this.#beats.clear()
  }

  between(from: number, to: number): C[] {
    const due = [...this.#beats.values()].filter(({ at, off }) => !off && at >= from && at < to)
    return due.sort((a, b) => a.at - b.at)
  }
}
