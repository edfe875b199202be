import { describe, expect, test } from 'vitest'
import { grade, inNumbers } from './quality'
import { Taps } from './tap'

describe('a clock in words', () => {
  const of = (uncertainty: number | null) => grade({ roundTrip: 20, uncertainty, latency: null })

  test('is graded by what players notice', () => {
    expect([null, 0.4, 5, 5.1, 15, 16, Infinity].map(of)).toEqual(['unknown', 'good', 'good', 'fair', 'fair', 'poor', 'poor'])
  })

  test('has numbers only for what is known', () => {
    expect(inNumbers({ roundTrip: 18.04, uncertainty: 2.06, latency: 24 })).toBe('within 2.1 ms, round trip 18 ms, sound 24 ms')
    expect(inNumbers({ roundTrip: null, uncertainty: null, latency: null })).toBe('')
  })
})

describe('tapping a tempo', () => {
  test('is the mean of the latest taps', () => {
    const taps = new Taps()
    expect([0, 500, 1010, 1500].map((at) => taps.tap(at))).toEqual([null, 120, 118.8, 120])
  })

  test('begins anew after a pause, and forgets what was long ago', () => {
    const taps = new Taps()
    for (const at of [0, 500, 1000]) taps.tap(at)
    expect(taps.tap(4_100)).toBeNull()
    let bpm: number | null = null
    for (let i = 0; i < 20; i++) bpm = taps.tap(10_000 + i * 1000)
    expect(bpm).toBe(60)
  })

  test('twice at one moment is no tempo', () => {
    const taps = new Taps()
    taps.tap(5)
    expect(taps.tap(5)).toBeNull()
  })
})
