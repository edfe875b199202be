import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { follow, waitFor, type LiveState } from './live'
import { Fault, type Server } from './server'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

// A server whose streams do one thing after another.
function serving(...acts: ((take: (name: string, data: string) => void) => Promise<void>)[]): Server & { asked: number } {
  const server = {
    asked: 0,
    stream: async (_: string, open: () => void, take: (event: { name: string; data: string }) => void, signal: AbortSignal) => {
      server.asked++
      const act = acts.shift()
      if (!act) return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      open()
      await act((name, data) => take({ name, data }))
    },
  }
  return server as unknown as Server & { asked: number }
}

const broken = async () => {
  throw new Fault(0, 'Unreachable', 'gone', '')
}

test('what is lost is opened again, later each time, and at once late after something came', async () => {
  const states: LiveState[] = []
  const events: unknown[] = []
  const server = serving(broken, broken, async (take) => take('overview', '{"n":1}'), broken)
  const stop = follow(server, 'live', { state: (state) => states.push(state), event: (name, data) => events.push([name, data]) })
  await vi.advanceTimersByTimeAsync(5000)
  expect(states.flatMap((state) => (state.state === 'lost' ? [state.again] : []))).toEqual([500, 1000, 500, 1000])
  expect(events).toEqual([['overview', { n: 1 }]])
  expect(server.asked).toBe(5)
  stop()
})

test('nothing is asked for after the end, nor after a refusal', async () => {
  const ended = serving(broken)
  const stop = follow(ended, 'live', { state: () => {}, event: () => {} })
  await vi.advanceTimersByTimeAsync(100)
  stop()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(ended.asked).toBe(1)

  const refusing = serving(async () => {
    throw new Fault(401, 'Unauthorized', 'no', '')
  })
  follow(refusing, 'live', { state: () => {}, event: () => {} })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(refusing.asked).toBe(1)
})

test('the waiting has an end', () => expect(waitFor(30)).toBe(10_000))
