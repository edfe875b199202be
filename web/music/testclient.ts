// A server that answers clock_ping, and clients of it, for the tests.

import { ServerClock, type ClockEvent, type ClockSettings, type Ping, type Pong } from './clock'
import { dice, Link, Machine, type Path, type World } from './testworld'

export class Server {
  node: string | undefined = 'n1'
  readonly #world: World
  #start = 5e8

  constructor(world: World) {
    this.#world = world
  }

  now = (): number => this.#start + this.#world.now

  /** Shows so many ms more from now on, as another node's clock, or one that was set. */
  turnOver(by: number, node = this.node): void {
    this.#start += by
    this.node = node
  }

  answer({ id, c0 }: Ping, took: number): Pong {
    // Servers tell whole microseconds.
    const s1 = Math.floor(this.now() * 1e3) / 1e3
    const pong = { id, c0, s1, s2: s1 + took }
    return this.node === undefined ? pong : { ...pong, epoch: this.node }
  }
}

export type Nature = { offset?: number; ppm?: number; up: Path; down: Path; settings?: Partial<ClockSettings> }

export class Client {
  readonly machine: Machine
  readonly clock: ServerClock
  readonly server: Server
  readonly events: ClockEvent[] = []
  readonly answers: Pong[] = []
  online = true
  sent = 0

  constructor(world: World, server: Server, seed: number, nature: Nature) {
    const random = dice(seed)
    this.server = server
    this.machine = new Machine(world, nature.offset, nature.ppm)
    const up = new Link(world, nature.up, random)
    const down = new Link(world, nature.down, random)
    const send = (ping: Ping): void => {
      if (!this.online) throw new Error('the channel is away')
      this.sent++
      up.carry(() => {
        const took = random() * 0.4
        const pong = server.answer(ping, took)
        world.after(took, () => down.carry(() => this.machine.deliver(() => this.hear(pong))))
      })
    }
    this.clock = new ServerClock({
      send, random, now: this.machine.now, wall: this.machine.wall, timers: this.machine.timers,
      watch: (event) => this.events.push(event), settings: { resolution: 0.01, ...nature.settings },
    })
  }

  hear(pong: Pong): void {
    this.answers.push(pong)
    this.clock.pong(pong)
  }

  /** How wrong the shown time is now: ms that it is ahead. */
  error(): number {
    return this.clock.server(this.machine.now()) - this.server.now()
  }

  told(type: ClockEvent['type']): ClockEvent[] {
    return this.events.filter((event) => event.type === type)
  }
}

/** A network of fixed delays. */
export function still(up: number, down = up): { up: Path; down: Path } {
  return { up: { delay: () => up }, down: { delay: () => down } }
}
