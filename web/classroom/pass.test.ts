import { expect, test } from 'vitest'
import { World, Machine } from '../music/testworld'
import { askAt, Pass } from './pass'

const start = 1.7e12

function token(livesFor: number, sub = 'ann', at = 0): string {
  const part = (value: object) => btoa(JSON.stringify(value)).replaceAll('=', '')
  return `${part({ alg: 'HS256' })}.${part({ sub, exp: (start + at + livesFor) / 1000 })}.x`
}

function holding(first: string, ask: (() => Promise<string>) | null = null) {
  const world = new World()
  const told: string[] = []
  const pass = new Pass(first, {
    now: () => start + world.now, timers: new Machine(world).timers, ask,
    watch: ({ state }, why) => told.push(why ? `${state}: ${why}` : state),
  })
  return { world, pass, told }
}

/** Lets promises of an answer happen. */
const settle = () => new Promise((resolve) => setTimeout(resolve))

test('a token says a minute before its end that it ends, and then that it has', () => {
  const { world, pass, told } = holding(token(600_000))
  world.run(539_000)
  expect(told).toEqual([])
  world.run(541_000)
  expect(told).toEqual(['soon'])
  expect(pass.left).toBe(59_000)
  world.run(601_000)
  expect(told).toEqual(['soon', 'over'])
})

test('another token in time ends the worry', () => {
  const { world, pass, told } = holding(token(600_000))
  world.run(550_000)
  expect(pass.take(` Bearer ${token(3_600_000)} `)).toBe('')
  expect(told).toEqual(['soon', 'good'])
  world.run(700_000)
  expect(told).toEqual(['soon', 'good'])
  expect(pass.token).toBe(token(3_600_000))
})

test('what is no token, has ended, or is somebody else’s, is refused with the reason', () => {
  const { world, pass } = holding(token(60_000))
  world.run(1)
  expect(pass.take('hello')).toMatch(/Not a JWT/)
  expect(pass.take(token(-1))).toMatch(/has ended/)
  expect(pass.take(token(60_000, 'ben'))).toMatch(/somebody else/)
  expect(pass.token).toBe(token(60_000))
})

test('who can be asked for tokens is asked in time, again and again', async () => {
  let asked = 0
  const { world, pass, told } = holding(token(60_000), async () => token(60_000, 'ann', 40_000 * ++asked))
  for (let at = 10_000; at <= 200_000; at += 10_000) {
    world.run(at)
    await settle()
    expect(pass.left).toBeGreaterThan(0)
  }
  expect(asked).toBeGreaterThanOrEqual(4)
  expect(new Set(told)).toEqual(new Set(['good']))
})

test('when nobody gives a token the reason is told, and it is asked again after the end', async () => {
  let answer = async (): Promise<string> => {
    throw new Error('no')
  }
  const { world, pass, told } = holding(token(30_000), () => answer())
  world.run(20_001)
  await settle()
  expect(told).toEqual(['soon: no'])
  for (let at = 21_000; at <= 40_000; at += 1_000) {
    world.run(at)
    await settle()
  }
  expect(told.filter((text) => text === 'over')).toHaveLength(1)
  expect(pass.state).toBe('over')
  answer = async () => token(3_600_000)
  world.run(50_000)
  await settle()
  expect(told.at(-1)).toBe('good')
})

test('a key without an end, and a pass that was stopped, say nothing', () => {
  const forever = holding('sb_publishable_x')
  forever.world.run(1e9)
  expect(forever.told).toEqual([])
  expect(forever.pass.left).toBe(Infinity)
  const stopped = holding(token(10_000))
  stopped.pass.stop()
  stopped.world.run(1e6)
  expect(stopped.told).toEqual([])
})

test('an address may answer with text or JSON', async () => {
  const real = globalThis.fetch
  try {
    for (const body of ['a.b.c', '{"token":"a.b.c"}', '{"access_token":"a.b.c"}']) {
      globalThis.fetch = async () => new Response(body)
      expect(await askAt('/token', new AbortController().signal)).toBe('a.b.c')
    }
    globalThis.fetch = async () => new Response('', { status: 403 })
    await expect(askAt('/token', new AbortController().signal)).rejects.toThrow('status 403')
  } finally {
    globalThis.fetch = real
  }
})
