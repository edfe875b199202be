// The server's clock, as this client knows it: an estimate that only runs forwards,
// and a bound on its error. Time, timers and the way to the server are handed in.

import { carry, drift, gate, median, narrow, point, quantile, roundTrip } from './estimate'
import type { Bounds, Drift, Limits, Point, Sample } from './estimate'
import { Slew } from './slew'

/** What is sent to the server, which answers this sender alone. */
export type Ping = { id: number; c0: number }

/**
 * The answer: the ping, when the server received it and when it answered, in ms of
 * its clock. epoch names that clock: another one is another node's, or was set.
 */
export type Pong = { id: number; c0: number; s1: number; s2: number; epoch?: string | number }

/** The timers that the clock and the scheduler need; `browserTimers` are the page's. */
export type Timers = { set(run: () => void, ms: number): unknown; clear(handle: unknown): void }

export const browserTimers: Timers = {
  set: (run, ms) => setTimeout(run, ms),
  clear: (handle) => clearTimeout(handle as number),
}

/**
 * Why the samples so far say nothing any more. sleep: the local clock stood
 * still or was set. epoch: the server counts from another start. node: another
 * clock of the server's answers, which should show the same. doubt: two answers
 * cannot both be true. asked: restart was called.
 */
export type Restart = 'sleep' | 'epoch' | 'node' | 'doubt' | 'asked'

/** What the owner of a clock should know of. by is in ms, positive when the shown time leapt forwards. */
export type ClockEvent =
  | { type: 'ready'; uncertainty: number }
  | { type: 'restart'; why: Restart }
  | { type: 'jump'; by: number; why: Restart | 'error' }

/** How the clock asks and how it corrects itself; times in ms. */
export type ClockSettings = Limits & {
  /** Pings at the start, ms between pings, answers that suffice to begin. */
  burst: number
  spacing: number
  enough: number
  /** Pings of a later series, and ms between series, give or take a fifth so that a class does not ask in step. */
  series: number
  every: number
  /** An answer that takes longer is counted as lost. */
  timeout: number
  /** How fast an error is worked off, in ppm: 2,000 changes a beat of 500 ms by 1 ms. */
  slewPpm: number
  /** An error above this is not worked off: the time jumps. */
  jump: number
  /** The wall clock and the local clock differ by more over one look: one of them stood still. */
  sleep: number
  /** A timer that comes later than this means a suspended tab. */
  gap: number
  /** How long samples count for the drift. */
  memory: number
}

export const clockDefaults: ClockSettings = {
  burst: 12, spacing: 80, enough: 8, series: 4, every: 10_000, timeout: 4_000,
  slewPpm: 2_000, jump: 50, sleep: 250, gap: 3_000, memory: 600_000, maxDriftPpm: 250, resolution: 1,
}

export type ClockNeeds = {
  /** Sends clock_ping. What it throws counts as a lost ping. */
  send(ping: Ping): void
  /** A steady local clock in ms: performance.now. */
  now(): number
  /** The wall clock in ms, only to notice sleep: Date.now. */
  wall(): number
  timers: Timers
  /** A number from 0 up to 1: Math.random. */
  random(): number
  watch?(event: ClockEvent): void
  settings?: Partial<ClockSettings>
}

/** What the server wants to hear of this clock: ms, ppm, counts. Round trips are null before the first answer. */
export type ClockReport = {
  rtt_min: number | null; rtt_p50: number | null; rtt_p95: number | null; offset_sd: number; drift_ppm: number
  uncertainty: number | null; n: number; lost: number; ignored: number
}

// The rate of a warm crystal wanders by some ppm within minutes.
const wanderPpm = 5
const tripsKept = 100

export class ServerClock {
  readonly settings: ClockSettings
  /**
   * Whether the shown time may be trusted to within uncertainty. It stays true when
   * another node answers: then the time that was shown goes on while that is unknown.
   */
  ready = false
  /** The epoch of the time that is counted, as the server's state names it. */
  epoch: string | number | undefined
  /** The clock that answers, when answers name it. It may have another name than the epoch. */
  node: string | number | undefined
  readonly #needs: ClockNeeds
  readonly #slew: Slew
  #timer: unknown = null
  #due = Infinity
  #left = 0 // pings of this series that are still to be sent
  #lastId = 0
  readonly #asked = new Map<number, number>() // id to c0
  #bounds: Bounds | null = null // certain, by the largest drift that is possible
  #likely: Bounds | null = null // by the drift that was measured: narrower, may err
  #drift: Drift = { ppm: 0, sd: Infinity }
  #points: Point[] = []
  #best: Point | null = null // of the series that runs
  #answers = 0 // since the last restart
  #why: Restart | null = null
  #trips: number[] = []
  #counts = { n: 0, lost: 0, ignored: 0 }
  #looked: { now: number; wall: number } | null = null
  #shown = -Infinity

  constructor(needs: ClockNeeds) {
    this.#needs = needs
    this.settings = { ...clockDefaults, ...needs.settings }
    this.#slew = new Slew(this.settings.slewPpm)
  }

  /** Begins to ask the server; harmless when it does. */
  start(): void {
    if (this.#timer === null) this.burst()
  }

  /** Asks no more. What is known stays, and grows uncertain. */
  stop(): void {
    this.#needs.timers.clear(this.#timer)
    this.#timer = null
    this.#due = Infinity
    this.#asked.clear()
  }

  /** Asks a long series now, and goes on to ask: after a reconnection to the same server. */
  burst(): void {
    this.#endSeries()
    this.#left = this.settings.burst
    this.#plan(0)
  }

  /** Forgets all samples and asks anew: the server may be another one. The shown time goes on until answers come. */
  restart(why: Restart = 'asked'): void {
    // Nodes count in one time and differ by little: no reason to be silent.
    if (why !== 'node') this.ready = false
    // What makes the time jump is not forgotten when the node changes meanwhile.
    if (why !== 'node' || this.ready) this.#why = why
    this.#asked.clear()
    this.#bounds = this.#likely = this.#best = null
    this.#points = []
    this.#drift = { ppm: 0, sd: Infinity }
    this.#answers = 0
    this.#needs.watch?.({ type: 'restart', why })
    if (this.#timer !== null) this.burst()
  }

  /** The page became visible or the machine woke up: looks whether time stood still, and asks. */
  wake(): void {
    if (!this.#slept() && this.#timer !== null) this.burst()
  }

  /** Tells that the server's state names this epoch. */
  sawEpoch(epoch: string | number | undefined): void {
    if (epoch === undefined || epoch === this.epoch) return
    const first = this.epoch === undefined
    this.epoch = epoch
    if (!first) this.restart('epoch')
  }

  /**
   * Another server goes on with the time, whose clock shows so many ms more, give or
   * take error, in an epoch that may be new. What was measured stays true with that.
   */
  shift(by: number, error: number | null, epoch = this.epoch): void {
    this.epoch = epoch
    this.#asked.clear()
    this.#slew.shift(by)
    this.#shown += by
    if (error === null) return this.restart('epoch')
    if (this.#bounds === null || this.#likely === null) return // nothing was measured yet that could be wrong now
    const moved = ({ at, low, high }: Bounds) => ({ at, low: low + by - error, high: high + by + error })
    this.#bounds = moved(this.#bounds)
    this.#likely = moved(this.#likely)
    this.#points = this.#points.map((p) => ({ ...p, offset: p.offset + by }))
    this.#best = null
  }

  /** The server's time now, in ms; NaN before the clock was ready once. Never less than before, except over a reported jump. */
  now(): number {
    if (!this.#slew.known) return NaN
    this.#shown = Math.max(this.#shown, this.#slew.server(this.#needs.now()))
    return this.#shown
  }

  /** The server's time at a local time. */
  server(local: number): number {
    return this.#slew.server(local)
  }

  /** The local time of a server's. */
  local(server: number): number {
    return this.#slew.local(server)
  }

  /**
   * The largest error that server(local) can have, in ms, whatever the delays
   * of the network are and however they divide. It holds as long as the two
   * clocks' rates differ by at most maxDriftPpm and neither is set: a server
   * whose clock is set must name a new epoch, for what stays below a round trip
   * cannot be told from a delay. Infinity when nothing is known.
   */
  uncertainty(local = this.#needs.now()): number {
    if (this.#bounds === null || !this.#slew.known) return Infinity
    const { low, high } = carry(this.#bounds, local, 0, this.settings.maxDriftPpm)
    const offset = this.#slew.offset(local)
    return Math.max(high - offset, offset - low)
  }

  /** How much faster the server's clock runs than the local one. */
  get drift(): Drift {
    return this.#drift
  }

  report(): ClockReport {
    const trip = (share: number) => finite(quantile(this.#trips, share))
    const offsets = this.#points.map(({ at, offset }) => offset - this.#drift.ppm * 1e-6 * at)
    const middle = median(offsets)
    return {
      rtt_min: trip(0), rtt_p50: trip(0.5), rtt_p95: trip(0.95),
      offset_sd: finite(1.4826 * median(offsets.map((o) => Math.abs(o - middle)))) ?? 0,
      drift_ppm: this.#drift.ppm, uncertainty: finite(this.uncertainty()), ...this.#counts,
    }
  }

  /**
   * Takes an answer as it arrives. Returns whether it counted: an answer that is
   * unknown, came twice, came too late or cannot be true is ignored.
   */
  pong(answer: unknown): boolean {
    const c1 = this.#needs.now()
    this.#slept()
    const pong = readPong(answer)
    const c0 = pong && this.#asked.get(pong.id)
    if (pong === null || c0 === null || c0 === undefined || c0 !== pong.c0) return this.#ignore()
    this.#asked.delete(pong.id)
    const sample = { c0, s1: pong.s1, s2: pong.s2, c1 }
    const late = c1 - c0 > this.settings.timeout
    if (late) this.#counts.lost++
    if (late || roundTrip(sample) < -2 * this.settings.resolution) return this.#ignore()
    // What another clock said goes; this answer is the first of the new one.
    this.#sawNode(pong.epoch)
    this.#take(sample)
    return true
  }

  #sawNode(node: string | number | undefined): void {
    if (node === undefined || node === this.node) return
    const first = this.node === undefined
    this.node = node
    if (!first) this.restart('node')
  }

  #ignore(): boolean {
    this.#counts.ignored++
    return false
  }

  #take(sample: Sample): void {
    if (!this.#narrow(sample)) {
      this.restart('doubt')
      this.#narrow(sample)
    }
    const trip = point(sample)
    if (this.#best === null || trip.rtt < this.#best.rtt) this.#best = trip
    this.#trips = [...this.#trips.slice(1 - tripsKept), Math.max(0, trip.rtt)]
    this.#counts.n++
    this.#answers++
    // After a restart the old time goes on until there are enough answers.
    const beginning = !this.ready || this.#why !== null
    if (beginning && this.#answers < this.settings.enough) return
    this.#follow()
    if (beginning) this.#begin()
  }

  /** Narrows both bounds; false when the answer contradicts what was certain. */
  #narrow(sample: Sample): boolean {
    const { maxDriftPpm } = this.settings
    const here = gate(sample, this.settings)
    const certain = this.#bounds ? narrow(carry(this.#bounds, here.at, 0, maxDriftPpm), here) : here
    if (certain === null) return false
    this.#bounds = certain
    const spread = Math.min(maxDriftPpm, 3 * this.#drift.sd + wanderPpm)
    const likely = this.#likely ? narrow(carry(this.#likely, here.at, this.#drift.ppm, spread), here) : here
    this.#likely = likely === null ? certain : (narrow(likely, certain) ?? certain)
    return true
  }

  /** Moves the shown time towards the middle of what is likely, or makes it jump there. */
  #follow(): void {
    const now = this.#needs.now()
    const { low, high } = carry(this.#likely!, now, this.#drift.ppm, 0)
    const offset = (low + high) / 2
    const error = offset - this.#slew.offset(now)
    if (Math.abs(error) <= this.settings.jump && this.#why !== 'epoch') return this.#slew.steer(now, offset, this.#drift.ppm)
    const first = !this.#slew.known
    const by = this.#slew.jump(now, offset, this.#drift.ppm)
    this.#shown = -Infinity
    if (!first) this.#needs.watch?.({ type: 'jump', by, why: this.#why ?? 'error' })
  }

  #begin(): void {
    this.ready = true
    this.#why = null
    this.#needs.watch?.({ type: 'ready', uncertainty: this.uncertainty() })
  }

  #plan(ms: number): void {
    this.#needs.timers.clear(this.#timer)
    this.#due = this.#needs.now() + ms
    this.#timer = this.#needs.timers.set(() => this.#tick(), ms)
  }

  #tick(): void {
    const late = this.#needs.now() - this.#due
    if (this.#slept()) return
    this.#expire()
    const suspended = late > this.settings.gap
    if (suspended || this.#left === 0) {
      this.#endSeries()
      this.#left = suspended ? this.settings.burst : this.settings.series
    }
    this.#ask()
    this.#left--
    this.#plan(this.#left > 0 ? this.settings.spacing : this.#pause())
  }

  #ask(): void {
    const ping = { id: ++this.#lastId, c0: this.#needs.now() }
    this.#asked.set(ping.id, ping.c0)
    try {
      this.#needs.send(ping)
    } catch {
      // The channel is away: the ping is lost, as on any network.
    }
  }

  /** How long until the next series. Soon while too few answers came to begin. */
  #pause(): number {
    if (!this.ready || this.#why !== null) return 1_000
    return this.settings.every * (0.8 + 0.4 * this.#needs.random())
  }

  /** Keeps the best answer of the series for the drift. */
  #endSeries(): void {
    if (this.#best === null) return
    const since = this.#best.at - this.settings.memory
    this.#points = [...this.#points.filter(({ at }) => at >= since), this.#best]
    this.#best = null
    this.#drift = drift(this.#points, this.settings.maxDriftPpm)
  }

  #expire(): void {
    const since = this.#needs.now() - this.settings.timeout
    for (const [id, c0] of this.#asked) {
      if (c0 >= since) continue
      this.#asked.delete(id)
      this.#counts.lost++
    }
  }

  /** Notices that the local clock stood still, as in the sleep of some machines; then begins anew. */
  #slept(): boolean {
    const look = { now: this.#needs.now(), wall: this.#needs.wall() }
    const before = this.#looked
    this.#looked = look
    if (before === null) return false
    const passed = look.now - before.now
    // A thousandth of what passed: wall clocks are put right little by little.
    if (Math.abs(look.wall - before.wall - passed) <= this.settings.sleep + passed * 1e-3) return false
    this.restart('sleep')
    return true
  }
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

function readPong(answer: unknown): Pong | null {
  if (typeof answer !== 'object' || answer === null) return null
  const { id, c0, s1, s2, epoch } = answer as Record<string, unknown>
  if (![id, c0, s1, s2].every(Number.isFinite) || (s2 as number) < (s1 as number)) return null
  const named = typeof epoch === 'string' || typeof epoch === 'number' ? { epoch } : {}
  return { id: id as number, c0: c0 as number, s1: s1 as number, s2: s2 as number, ...named }
}
