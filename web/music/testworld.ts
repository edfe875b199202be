// A world in virtual time for the tests: clocks that are off and drift, and
// networks that delay, lose, double and overtake. Time is true time in ms.

import type { Timers } from './clock'

/** Numbers from 0 up to 1 that are the same for the same seed (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

type Event = { at: number; order: number; run: () => void; off?: boolean }

/** What happens when: run goes from event to event, as far as it is told to. */
export class World {
  now = 0
  #events: Event[] = []
  #order = 0

  after(ms: number, run: () => void): Event {
    const event: Event = { at: this.now + Math.max(0, ms), order: this.#order++, run }
    let i = this.#events.length
    while (i > 0 && this.#events[i - 1]!.at > event.at) i--
    this.#events.splice(i, 0, event)
    return event
  }

  run(until: number): void {
    for (let next = this.#events[0]; next && next.at <= until; next = this.#events[0]) {
      this.#events.shift()
      this.now = next.at
      if (!next.off) next.run()
    }
    this.now = until
  }
}

/** A machine: its steady clock is off by some ms and runs too fast by some ppm; it can sleep, and its tab can be throttled. */
export class Machine {
  readonly world: World
  readonly #offset: number
  readonly #ppm: number
  #stood = 0 // ms that the steady clock missed
  #wallError = 0
  #awakeAt = 0
  /** Timers come at full multiples of this many ms only. */
  throttle = 0

  constructor(world: World, offset = 0, ppm = 0) {
    this.world = world
    this.#offset = offset
    this.#ppm = ppm
  }

  now = (): number => this.#offset + (this.world.now - this.#stood) * (1 + this.#ppm * 1e-6)

  wall = (): number => 1.7e12 + this.world.now + this.#wallError

  /** Falls asleep for so long. The steady clock stands still meanwhile, unless it is one that does not. */
  sleep(ms: number, stands = true): void {
    this.#awakeAt = this.world.now + ms
    if (stands) this.world.after(ms, () => (this.#stood += ms))
  }

  setWall(by: number): void {
    this.#wallError += by
  }

  /** Runs something on this machine when it is awake. */
  deliver(run: () => void): void {
    if (this.world.now >= this.#awakeAt) return run()
    this.world.after(this.#awakeAt - this.world.now, () => this.deliver(run))
  }

  timers: Timers = {
    set: (run, ms) => {
      let at = this.world.now + ms
      if (this.throttle > 0) at = Math.ceil(at / this.throttle) * this.throttle
      return this.world.after(at - this.world.now, () => this.deliver(run))
    },
    clear: (handle) => {
      if (handle) (handle as Event).off = true
    },
  }
}

export type Path = { delay(): number; loss?: number; twice?: number; inOrder?: boolean }

/** One direction of a network. */
export class Link {
  readonly #world: World
  readonly #path: Path
  readonly #random: () => number
  #last = 0

  constructor(world: World, path: Path, random: () => number) {
    this.#world = world
    this.#path = path
    this.#random = random
  }

  carry(arrive: () => void): void {
    if (this.#random() < (this.#path.loss ?? 0)) return
    const copies = this.#random() < (this.#path.twice ?? 0) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      let at = this.#world.now + this.#path.delay()
      if (this.#path.inOrder) at = this.#last = Math.max(this.#last, at)
      this.#world.after(at - this.#world.now, arrive)
    }
  }
}

/** Delays from least to most ms, all as likely. */
export function uniform(random: () => number, least: number, most: number): () => number {
  return () => least + (most - least) * random()
}

/** Mostly a little above the least, at times far above, as on a wireless link. */
export function longTailed(random: () => number, least: number, mean: number): () => number {
  return () => least - Math.log(1 - random()) * mean * (random() < 0.05 ? 10 : 1)
}
