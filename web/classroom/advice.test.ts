import { expect, test } from 'vitest'
import { advise, type Health } from './advice'

const fine: Health = {
  quality: { roundTrip: 20, uncertainty: 3, latency: 20 }, joined: true, sounding: true,
  slowest: 40, fastest: 12, lookAhead: 200, late: 0,
}

const quality = (more: Partial<Health['quality']>) => ({ ...fine.quality, ...more })

test('nothing is said when all is well, nor before anything is known', () => {
  expect(advise(fine)).toBeNull()
  const unknown = { roundTrip: null, uncertainty: null, latency: null }
  expect(advise({ ...fine, quality: unknown, slowest: null, fastest: null, lookAhead: null })).toBeNull()
})

test.each([
  ['a lost connection comes first', { joined: false, late: 3 }, /goes on by itself. It is right within 3.0 ms/],
  ['a lost connection before the clock was known', { joined: false, quality: quality({ uncertainty: null }) }, /goes on by itself\.$/],
  ['late clicks are counted', { late: 3 }, /^3 clicks came too late/],
  ['one late click is one', { late: 1 }, /^A click came too late/],
  ['an uneven network says by how much', { quality: quality({ uncertainty: 31 }) }, /up to 31 ms early or late/],
  ['messages slower than the look-ahead', { slowest: 400 }, /Changes of the tempo/],
  ['wireless headphones', { quality: quality({ latency: 250 }) }, /250 ms to your ears/],
])('%s', (_, more, words) => {
  const advice = advise({ ...fine, ...more })
  expect(advice?.what).toMatch(words)
  expect(advice?.todo).not.toBe('')
})

test('late clicks that nobody hears are no matter', () => {
  expect(advise({ ...fine, late: 3, sounding: false })).toBeNull()
})
