import { describe, expect, test } from 'vitest'
import { Timeline } from '../music'
import { Loops } from './loops'

// 120 bpm from time 10,000 on, in 4/4, intervals of 8 beats: one takes 4,000 ms.
const state = {
  epoch: 'e', rev: 1, tempo: [{ at: 10_000, beat: 0, bpm: 120 }], bars: [{ beat: 0, bar: 1, beat_in_bar: 1, meter: '4/4' }],
  transport: [{ beat: 0, state: 'playing' }], intervals: [{ beat: 0, beats: 8, interval: 1 }],
}
const timeline = new Timeline(state)
const interval = (number: number) => timeline.intervals(10_000 + (number - 1) * 4_000, 10_000 + number * 4_000)[0]!

function note(who: string, beat: number, velocity = 90, midi = 60) {
  return { who, midi, velocity, at: timeline.time(beat), beat }
}

function played(...beats: number[]): Loops {
  const loops = new Loops()
  for (const beat of beats) {
    loops.take(note('ann', beat), timeline)
    loops.take(note('ann', beat + 0.5, 0), timeline)
  }
  return loops
}

const times = (loops: Loops, number: number, line = timeline) => loops.between(interval(number).at, interval(number).until, line).map(({ at }) => at - 10_000)

describe('what is played in an interval', () => {
  test('is heard in the next, at the same places and as long', () => {
    const loops = played(1, 2.25)
    expect(times(loops, 1)).toEqual([])
    expect(times(loops, 2)).toEqual([4_500, 5_125])
    expect(loops.between(14_000, 18_000, timeline)).toMatchObject([{ who: 'ann', midi: 60, velocity: 90, lasts: 250 }, { lasts: 250 }])
  })

  test('goes on until its player plays something else', () => {
    const loops = played(1)
    expect(times(loops, 5)).toEqual([16_500])
    loops.take(note('ann', 34), timeline) // in the fifth
    expect(times(loops, 5)).toEqual([16_500])
    expect(times(loops, 6)).toEqual([21_000])
  })

  test('is heard once when loops do not repeat', () => {
    const loops = played(1)
    loops.repeat = false
    expect(times(loops, 2)).toHaveLength(1)
    expect(times(loops, 3)).toEqual([])
  })

  test('ends with the interval when the key is held longer, or never told to go up', () => {
    const loops = new Loops()
    loops.take(note('ann', 6), timeline)
    expect(loops.between(14_000, 18_000, timeline)[0]?.lasts).toBe(1_000)
    loops.take(note('ann', 20, 0), timeline)
    expect(loops.between(14_000, 18_000, timeline)[0]?.lasts).toBe(1_000)
  })

  test('is asked for in pieces that neither overlap nor leave a gap', () => {
    const loops = played(0, 1, 2, 3, 7)
    const whole = loops.between(14_000, 22_000, timeline)
    const pieces = []
    for (let at = 14_000; at < 22_000; at += 130) pieces.push(...loops.between(at, Math.min(at + 130, 22_000), timeline))
    expect(pieces).toEqual(whole)
    expect(whole).toHaveLength(10)
    expect(new Set(whole.map(({ beat }) => beat)).size).toBe(10)
  })

  test('is told apart from what others play, and may be left out', () => {
    const loops = played(1)
    loops.take(note('ben', 1), timeline)
    expect(loops.players(interval(2))).toEqual(['ann', 'ben'])
    expect(new Set(loops.between(14_000, 18_000, timeline).map(({ beat }) => beat)).size).toBe(2)
    loops.hears = (who) => who !== 'ann'
    expect(loops.between(14_000, 18_000, timeline).map(({ who }) => who)).toEqual(['ben'])
    loops.clear('ben')
    expect(loops.players(interval(2))).toEqual(['ann'])
    loops.clear()
    expect(loops.players(interval(2))).toEqual([])
  })

  test('is not heard in an interval of another length, nor after the music has stopped', () => {
    const loops = played(1, 6)
    const shorter = new Timeline({ ...state, intervals: [...state.intervals, { beat: 8, beats: 4, interval: 2 }] })
    expect(loops.between(14_000, 18_000, shorter)).toEqual([])
    const stopped = new Timeline({ ...state, transport: [...state.transport, { beat: 12, state: 'stopped', bar: 4, beat_in_bar: 1 }] })
    expect(loops.between(14_000, 18_000, stopped).map(({ at }) => at)).toEqual([14_500])
  })

  test('moves with the tempo', () => {
    const loops = played(1)
    const faster = new Timeline({ ...state, tempo: [...state.tempo, { at: 14_000, beat: 8, bpm: 240 }] })
    expect(loops.between(14_000, 18_000, faster).map(({ at, lasts }) => [at, lasts])[0]).toEqual([14_250, 125])
  })
})

test('what is played while no interval runs is in no loop', () => {
  const loops = new Loops()
  const without = new Timeline({ ...state, intervals: [{ beat: 0, beats: 0, interval: 0 }] })
  expect(loops.take(note('ann', 1), without)).toBe(false)
  expect(loops.players(interval(2))).toEqual([])
})

test('says who plays into an interval', () => {
  const loops = played(1)
  expect(loops.records('ann', interval(1))).toBe(true)
  expect(loops.records('ann', interval(2))).toBe(false)
})
