import { describe, expect, test } from 'vitest'
import { inWords, lateness, marks } from './picture'
import type { Dot, Score } from './protocol'

const score = (dots: Dot[], more: Partial<Score> = {}): Score => ({
  take: 't', student_id: 'ann', grading: { feel: 'straight', subdivision: 1, tolerance_ms: 100 },
  expected: 4, hit: 3, missed: 1, extra: 0, mean_ms: -12.4, sd_ms: 9.8, drift_ms_per_min: 3.1, bpm: 96, asked_bpm: 96, dots, ...more,
})

describe('the picture of a take', () => {
  test('has early dots above the line and late ones below, as far as the tolerance', () => {
    const dots: Dot[] = [
      { kind: 'hit', beat: 4, late_ms: -50 }, { kind: 'hit', beat: 5, late_ms: 100 },
      { kind: 'hit', beat: 6, late_ms: 3 }, { kind: 'missed', beat: 7 }, { kind: 'extra', beat: 7.5 }, { kind: 'hit', beat: 8, late_ms: 250 },
    ]
    expect(marks(score(dots)).map(({ kind, x, y }) => [kind, x, y])).toEqual([
      ['early', 0, -0.5], ['late', 0.25, 1], ['intime', 0.5, 0.03], ['missed', 0.75, 0], ['extra', 0.875, 0], ['late', 1, 1],
    ])
  })

  test('says of each dot what it is', () => {
    const dots: Dot[] = [{ kind: 'hit', beat: 4.5, late_ms: -50 }, { kind: 'missed', beat: 5 }, { kind: 'extra', beat: 5.123 }]
    expect(marks(score(dots)).map(({ words }) => words)).toEqual(['beat 4.5: 50 ms early', 'beat 5: missed', 'beat 5.12: extra note'])
  })

  test('of one dot or none is no division by zero', () => {
    expect(marks(score([]))).toEqual([])
    expect(marks(score([{ kind: 'hit', beat: 4, late_ms: 0 }]))[0]).toMatchObject({ x: 0, y: 0 })
  })
})

describe('a score in words', () => {
  test('tells counts, lateness and evenness apart', () => {
    expect(inWords(score([]))).toBe('3 of 4 hit, 1 missed. On average 12 ms early, give or take 9.8 ms.')
  })

  test('mentions drift only when it can be heard', () => {
    expect(inWords(score([], { drift_ms_per_min: -200 }))).toMatch(/You ran ahead a little\.$/)
    expect(inWords(score([], { drift_ms_per_min: 200 }))).toMatch(/You fell behind a little\.$/)
  })

  test('of a take in which nobody played, or no music did, makes sense', () => {
    const none = { hit: 0, mean_ms: null, sd_ms: null, drift_ms_per_min: null, bpm: null }
    expect(inWords(score([], { ...none, missed: 4 }))).toBe('0 of 4 hit, 4 missed.')
    expect(inWords(score([], { ...none, expected: 0, missed: 0 }))).toMatch(/did not play/)
  })

  test('is on the beat where it is', () => {
    expect([-0.01, 0, 3, -12.6].map(lateness)).toEqual(['on the beat', 'on the beat', '3.0 ms late', '13 ms early'])
  })
})
