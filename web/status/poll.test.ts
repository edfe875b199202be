import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { single } from './canned'
import { every, poll, type Outcome } from './poll'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('the page goes on asking when the server is away, and hears it when it is back', async () => {
  const answers: (() => unknown)[] = [
    () => single,
    () => {
      throw new Error('Failed to fetch')
    },
    () => 'no status',
    () => single,
  ]
  const told: Outcome[] = []
  const stop = poll(async () => answers[told.length]?.(), (outcome) => told.push(outcome))
  for (let n = 1; n <= answers.length; n++) {
    await vi.advanceTimersByTimeAsync(n === 1 ? 0 : every - 1)
    expect(told.length).toBe(n === 1 ? 1 : n - 1)
    if (n > 1) await vi.advanceTimersByTimeAsync(1)
    expect(told.length).toBe(n)
  }
  expect(told.map((outcome) => ('failure' in outcome ? outcome.failure : 'an answer'))).toEqual([
    'an answer', 'Failed to fetch', 'the answer is no status of a Tutti server', 'an answer',
  ])
  stop()
  await vi.advanceTimersByTimeAsync(10 * every)
  expect(told.length).toBe(4)
})

test('a page that is stopped while it asks hears nothing', async () => {
  const told: Outcome[] = []
  let answer: (value: unknown) => void = () => {}
  const stop = poll(() => new Promise((resolve) => (answer = resolve)), (outcome) => told.push(outcome))
  stop()
  answer(single)
  await vi.advanceTimersByTimeAsync(every)
  expect(told).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})
