import { describe, expect, test, vi } from 'vitest'
import { quantile } from './estimate'
import { Client, Server, still, type Nature } from './testclient'
import { dice, longTailed, uniform, World, type Path } from './testworld'

vi.setConfig({ testTimeout: 60_000 }) // a busy machine is no failure

function alone(nature: Nature, seed = 1): { world: World; server: Server; client: Client } {
  const world = new World()
  const server = new Server(world)
  const client = new Client(world, server, seed, nature)
  client.clock.start()
  return { world, server, client }
}

/** Some network: each direction with a floor, a kind of jitter and losses of its own. */
function anyPath(random: () => number): Path {
  const least = random() * 60
  const jitter = random() * 80
  const delay = random() < 0.5 ? uniform(random, least, least + jitter) : longTailed(random, least, jitter / 4 + 1)
  return { delay, loss: random() * 0.2, twice: random() * 0.1, inOrder: random() < 0.5 }
}

describe('over any network', () => {
  const runs = 24
  const seconds = 120
  test(`two clients agree within what they claim, and neither runs backwards (${runs} networks)`, () => {
    const errors: number[] = []
    const claims: number[] = []
    for (let seed = 1; seed <= runs; seed++) {
      const random = dice(seed)
      const world = new World()
      const server = new Server(world)
      const pair = [0, 1].map((i) => {
        const nature = { offset: random() * 1000 - 500, ppm: random() * 200 - 100, up: anyPath(random), down: anyPath(random) }
        const client = new Client(world, server, seed * 2 + i, nature)
        client.clock.start()
        return client
      }) as [Client, Client]
      const shown = [-Infinity, -Infinity]
      for (let at = 0; at < seconds * 1000; at += 20 + random() * 100) {
        world.run(at)
        if (!pair.every(({ clock }) => clock.ready)) continue
        const [a, b] = pair.map((client, i) => {
          const now = client.clock.now()
          if (now <= shown[i]!) expect.fail(`seed ${seed}: at ${at} client ${i} went from ${shown[i]} to ${now}`)
          shown[i] = now
          const claim = client.clock.uncertainty()
          if (Math.abs(client.error()) > claim) expect.fail(`seed ${seed}: at ${at} client ${i} is off by ${client.error()}, claims ${claim}`)
          if (at > 20_000) errors.push(Math.abs(client.error()))
          if (at > 20_000) claims.push(claim)
          return { now, claim }
        })
        if (Math.abs(a!.now - b!.now) > a!.claim + b!.claim) expect.fail(`seed ${seed}: at ${at} they differ by ${a!.now - b!.now}`)
      }
      for (const { clock, events } of pair) {
        expect(clock.ready, `seed ${seed}`).toBe(true)
        expect(events.filter(({ type }) => type !== 'ready'), `seed ${seed}`).toEqual([])
      }
    }
    const say = (values: number[]) => [0.5, 0.95, 1].map((share) => quantile(values, share).toFixed(2)).join(', ')
    console.log(`after 20 s, error p50, p95, max: ${say(errors)} ms; claimed: ${say(claims)} ms (${errors.length} readings)`)
  })
})

describe('an answered series', () => {
  test('makes the clock ready within a second, exact on an even network', () => {
    const { world, client } = alone({ offset: 437, ...still(30) })
    world.run(1000)
    expect(client.clock.ready).toBe(true)
    expect(Math.abs(client.error())).toBeLessThan(0.01)
    expect(client.clock.uncertainty()).toBeGreaterThan(30)
    expect(client.clock.uncertainty()).toBeLessThan(30.2)
  })

  test('knows no time before', () => {
    const { world, client } = alone(still(30))
    world.run(100)
    expect(client.clock.now()).toBeNaN()
    expect(client.clock.uncertainty()).toBe(Infinity)
  })

  test('on a network that is slow in one direction errs by half the difference, and claims no less', () => {
    const { world, client } = alone(still(70, 10))
    world.run(5000)
    expect(client.error()).toBeCloseTo(30, 0)
    expect(client.clock.uncertainty()).toBeGreaterThan(Math.abs(client.error()))
  })

  test('measures the drift', () => {
    const random = dice(5)
    const delay = longTailed(random, 10, 3)
    const { world, client } = alone({ ppm: 80, up: { delay }, down: { delay } })
    world.run(600_000)
    expect(client.clock.drift.ppm).toBeGreaterThan(-85)
    expect(client.clock.drift.ppm).toBeLessThan(-75)
    expect(client.clock.report()).toMatchObject({ lost: 0, ignored: 0, n: client.sent })
  })

  test('converts there and back', () => {
    const random = dice(6)
    const { world, client } = alone({ ppm: -60, up: { delay: uniform(random, 5, 90) }, down: { delay: uniform(random, 5, 90) } })
    for (let at = 1500; at < 60_000; at += 500) {
      world.run(at)
      for (const ahead of [-20_000, -30, 0, 1, 40, 900, 60_000]) {
        const local = client.machine.now() + ahead
        expect(client.clock.local(client.clock.server(local))).toBeCloseTo(local, 5)
      }
    }
  })
})

describe('answers that are of no use', () => {
  const cases: Record<string, (client: Client) => unknown> = {
    'came twice': ({ answers }) => answers[0],
    'were never asked for': () => ({ id: 999, c0: 1, s1: 2, s2: 3 }),
    'name another time of asking': ({ answers }) => ({ ...answers[0]!, c0: 5 }),
    'are no object': () => 'pong',
    'are null': () => null,
    'lack a time': () => ({ id: 1, c0: 1, s1: 2 }),
    'hold no number': () => ({ id: 1, c0: 1, s1: NaN, s2: 2 }),
    'left before they came': () => ({ id: 1, c0: 1, s1: 3, s2: 2 }),
  }
  for (const [name, answer] of Object.entries(cases)) {
    test(`are ignored when they ${name}`, () => {
      const { world, client } = alone(still(30))
      world.run(2000)
      const before = client.clock.report()
      expect(client.clock.pong(answer(client))).toBe(false)
      expect(client.clock.report()).toEqual({ ...before, ignored: 1 })
    })
  }

  test('are ignored when they come too late, and count as lost', () => {
    const { world, client } = alone(still(30))
    let slow = true
    const hear = client.hear.bind(client)
    client.hear = (pong) => {
      if (slow) world.after(9_000, () => hear(pong))
      slow = false
      if (pong.id > 1) hear(pong)
    }
    world.run(30_000)
    expect(client.clock.report()).toMatchObject({ lost: 1, ignored: 1 })
    expect(Math.abs(client.error())).toBeLessThan(0.01)
  })
})

describe('when nothing answers', () => {
  test('the clock goes on, and grows uncertain by the largest drift', () => {
    const { world, client } = alone({ ppm: 100, ...still(30) })
    world.run(10_000)
    const before = client.clock.uncertainty()
    client.online = false
    world.run(310_000)
    expect(client.clock.uncertainty() - before).toBeCloseTo(75, -1)
    expect(Math.abs(client.error())).toBeLessThan(client.clock.uncertainty())
    client.online = true
    client.clock.burst()
    world.run(330_000)
    expect(client.clock.uncertainty()).toBeLessThan(35)
    expect(client.told('restart')).toEqual([])
  })

  test('a clock that was never answered keeps asking', () => {
    const { world, client } = alone({ up: { delay: () => 1, loss: 1 }, down: { delay: () => 1 } })
    world.run(60_000)
    expect(client.clock.ready).toBe(false)
    expect(client.sent).toBeGreaterThan(100)
  })

  test('a stopped clock asks no more', () => {
    const { world, client } = alone(still(30))
    world.run(5000)
    client.clock.stop()
    const { sent } = client
    world.run(60_000)
    expect(client.sent).toBe(sent)
  })
})

describe('a small error', () => {
  test('is worked off at the set rate, a large one by a jump that is told', () => {
    const { world, server, client } = alone({ ...still(5), settings: { slewPpm: 1000 } })
    world.run(9000)
    // 40 ms are more than the round trip, so the samples go, but not the time.
    server.turnOver(40)
    client.clock.burst()
    world.run(10_000)
    expect(client.told('restart')).toEqual([{ type: 'restart', why: 'doubt' }])
    const before = client.error()
    expect(before).toBeLessThan(-38)
    world.run(20_000)
    expect(client.error() - before).toBeCloseTo(10, 1)
    expect(client.told('jump')).toEqual([])
    world.run(60_000)
    expect(Math.abs(client.error())).toBeLessThan(0.1)
    server.turnOver(-200)
    client.clock.burst()
    world.run(62_000)
    expect(client.told('jump')).toEqual([{ type: 'jump', by: expect.closeTo(-200, -1), why: 'doubt' }])
    expect(Math.abs(client.error())).toBeLessThan(0.1)
  })
})

describe('sleep and other breaks', () => {
  test('a clock that stood still in sleep is noticed before it is believed', () => {
    const { world, client } = alone(still(30))
    world.run(12_345)
    client.machine.sleep(3_600_000)
    world.run(3_612_346)
    world.run(3_613_345 + 1000)
    expect(client.told('restart')).toEqual([{ type: 'restart', why: 'sleep' }])
    world.run(3_625_000)
    expect(client.told('jump')).toEqual([{ type: 'jump', by: expect.closeTo(3_600_000, 0), why: 'sleep' }])
    expect(Math.abs(client.error())).toBeLessThan(0.01)
  })

  test('an answer that was under way in sleep is not believed', () => {
    const { world, client } = alone({ ...still(30), settings: { timeout: 1e9 } })
    world.run(20)
    client.machine.sleep(60_000)
    world.run(90_000)
    expect(Math.abs(client.error())).toBeLessThan(0.01)
    expect(client.told('restart')).toHaveLength(1)
  })

  test('nor when it comes before any timer', () => {
    const { world, client } = alone(still(30))
    world.run(900) // the last ping of the first series is under way
    client.machine.sleep(5_000)
    world.run(5_950)
    expect(client.told('restart')).toEqual([{ type: 'restart', why: 'sleep' }])
    expect(client.clock.ready).toBe(false)
  })

  test('a tab that was suspended while its clock ran keeps its samples and asks a long series', () => {
    const { world, client } = alone(still(30))
    world.run(20_000)
    client.machine.sleep(600_000, false)
    world.run(619_000)
    const { sent } = client
    world.run(621_200)
    expect(client.told('restart')).toEqual([])
    expect(client.sent - sent).toBeGreaterThanOrEqual(12)
    expect(client.clock.uncertainty()).toBeLessThan(31)
  })

  test('a wall clock that was set only makes the clock ask anew', () => {
    const { world, client } = alone(still(30))
    world.run(20_000)
    client.machine.setWall(-3_600_000)
    client.clock.wake()
    expect(client.told('restart')).toEqual([{ type: 'restart', why: 'sleep' }])
    world.run(40_000)
    expect(client.told('jump')).toEqual([])
    expect(Math.abs(client.error())).toBeLessThan(0.01)
  })

  test('a throttled tab keeps its clock', () => {
    const { world, client } = alone(still(30))
    client.machine.throttle = 60_000
    world.run(1_200_000)
    expect(client.clock.ready).toBe(true)
    expect(Math.abs(client.error())).toBeLessThan(client.clock.uncertainty())
    expect(client.told('restart')).toEqual([])
  })
})

describe('another server that goes on with the time', () => {
  const take = (error: number | null, wrong: number) => {
    const { world, server, client } = alone(still(30))
    world.run(15_000)
    client.clock.burst()
    world.run(15_100) // some pings are under way
    server.turnOver(7e6 + wrong)
    client.clock.shift(7e6, error, 'e2')
    return { world, client }
  }

  test('is followed at once, within the error that it states', () => {
    const { world, client } = take(0.8, 0.7)
    expect(client.error()).toBeCloseTo(-0.7, 2)
    expect(client.clock.ready).toBe(true)
    expect(client.clock.uncertainty()).toBeGreaterThan(30.8)
    const shown = client.clock.now()
    world.run(60_000)
    expect(client.events.map(({ type }) => type)).toEqual(['ready'])
    expect(client.clock.now() - shown).toBeCloseTo(44_900, -1)
    expect(Math.abs(client.error())).toBeLessThan(1)
    expect(Math.abs(client.error())).toBeLessThan(client.clock.uncertainty())
  })

  test('is measured anew when it does not know how wrong it is', () => {
    const { world, client } = take(null, 300)
    expect(client.clock.ready).toBe(false)
    expect(client.clock.uncertainty()).toBe(Infinity)
    world.run(30_000)
    expect(client.told('restart')).toEqual([{ type: 'restart', why: 'epoch' }])
    expect(Math.abs(client.error())).toBeLessThan(0.01)
  })
})

describe('a clock of another node', () => {
  test('is measured anew while the time that was shown goes on, and is approached without a jump', () => {
    const { world, server, client } = alone(still(30))
    world.run(15_000)
    server.turnOver(-4, 'n2')
    client.clock.burst() // the page has come back to another node
    let [before, at] = [client.clock.now(), world.now]
    while (world.now < 40_000) {
      world.run(world.now + 50)
      expect(client.clock.ready, `at ${world.now}`).toBe(true)
      const rate = (client.clock.now() - before) / (world.now - at)
      expect(Math.abs(rate - 1), `at ${world.now}`).toBeLessThan(0.0021)
      ;[before, at] = [client.clock.now(), world.now]
    }
    expect(client.events.map(({ type }) => type)).toEqual(['ready', 'restart', 'ready'])
    expect(client.told('restart')).toEqual([{ type: 'restart', why: 'node' }])
    expect(client.clock.node).toBe('n2')
    expect(Math.abs(client.error())).toBeLessThan(0.01)
  })

  test('says nothing of how wrong the time is until it has answered often enough', () => {
    const { world, server, client } = alone(still(30))
    world.run(15_000)
    server.turnOver(0.5, 'n2')
    client.clock.burst()
    world.run(15_070) // one answer
    expect(client.clock.uncertainty()).toBeGreaterThan(29)
    expect(client.told('ready')).toHaveLength(1)
    world.run(17_000)
    expect(client.told('ready')).toHaveLength(2)
    expect(client.clock.uncertainty()).toBeLessThan(31)
  })

  test('that shows quite another time makes the shown one jump, which is told', () => {
    const { world, server, client } = alone(still(30))
    world.run(15_000)
    server.turnOver(-300, 'n2')
    world.run(30_000)
    expect(client.told('jump')).toEqual([{ type: 'jump', by: expect.closeTo(-300, 0), why: 'node' }])
    expect(Math.abs(client.error())).toBeLessThan(0.01)
  })

  test('does not undo what another epoch began, and need not have the epoch’s name', () => {
    const { world, server, client } = alone(still(30))
    world.run(15_000)
    client.clock.sawEpoch('room 1')
    server.turnOver(-20, 'n2')
    client.clock.sawEpoch('room 2')
    expect(client.clock.ready).toBe(false)
    world.run(30_000)
    expect(client.told('jump')).toEqual([{ type: 'jump', by: expect.closeTo(-20, 0), why: 'epoch' }])
    expect([client.clock.epoch, client.clock.node]).toEqual(['room 2', 'n2'])
  })

  test('whose room goes on elsewhere meanwhile stays heard', () => {
    const { world, server, client } = alone(still(30))
    world.run(15_000)
    server.turnOver(0.4, 'n2')
    client.clock.burst()
    world.run(15_030)
    client.clock.shift(0, 0.5)
    world.run(30_000)
    expect(client.told('restart')).toEqual([{ type: 'restart', why: 'node' }])
    expect(client.told('jump')).toEqual([])
    expect(Math.abs(client.error())).toBeLessThan(0.01)
  })
})

describe('a new epoch of the server', () => {
  test('makes the clock silent, then jump, and answers of the old one are ignored', () => {
    const { world, server, client } = alone(still(30))
    client.clock.sawEpoch('e1')
    world.run(15_000)
    client.clock.burst()
    world.run(15_050)
    server.turnOver(-20)
    client.clock.sawEpoch('e2')
    expect(client.clock.ready).toBe(false)
    world.run(30_000)
    expect(client.told('restart')).toEqual([{ type: 'restart', why: 'epoch' }])
    expect(client.told('jump')).toEqual([{ type: 'jump', by: expect.closeTo(-20, 0), why: 'epoch' }])
    expect(client.clock.epoch).toBe('e2')
    expect(Math.abs(client.error())).toBeLessThan(0.01)
  })

  test('of a server that names none is noticed by the contradiction', () => {
    const { world, server, client } = alone(still(30))
    server.node = undefined
    world.run(20_000)
    server.turnOver(5_000, undefined)
    world.run(40_000)
    expect(client.told('restart')[0]).toEqual({ type: 'restart', why: 'doubt' })
    expect(Math.abs(client.error())).toBeLessThan(0.01)
  })
})
