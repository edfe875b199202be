import { describe, expect, test } from 'vitest'
import { Timeline } from '../music'
import { shownAt } from './metronome'
import { readNote, readReflection, readRefusal, readScore } from './protocol'
import { readPeople, readTable, readTake, readWelcome } from './welcome'

const nonsense = [null, undefined, 7, 'text', [], {}, { members: 7 }, { student_id: 3, midi: 'c' }]

const grading = { feel: 'straight', subdivision: 1, tolerance_ms: 100 }
const score = {
  take: 't1', student_id: 'ann', grading, expected: 2, hit: 1, missed: 1, extra: 0, outside: 0,
  mean_ms: 3, sd_ms: null, drift_ms_per_min: null, bpm: null, asked_bpm: null,
  dots: [{ kind: 'hit', beat: 4, at: 1, late_ms: 3, midi: 60, velocity: 64 }, { kind: 'missed', beat: 5, at: 2 }, { kind: 'new' }],
}

describe('what the room says', () => {
  test('is read when it makes sense', () => {
    expect(readNote({ student_id: 'ann', midi: 60, velocity: 0, timestamp: 5.5, beat: 1.25 })).toEqual({ who: 'ann', midi: 60, velocity: 0, at: 5.5, beat: 1.25 })
    expect(readRefusal({ command: 'start', key: 'k', code: 'not_allowed', reason: 'no' })).toEqual({ command: 'start', key: 'k', code: 'not_allowed', reason: 'no' })
    expect(readRefusal({ event: 'play_note', code: 'busy', reason: '' })?.command).toBe('play_note')
    expect(readScore(score)).toMatchObject({ student_id: 'ann', mean_ms: 3, sd_ms: null, dots: [{ kind: 'hit', beat: 4, late_ms: 3 }, { kind: 'missed', beat: 5 }] })
    expect(readTable({ take: 't1', scores: [score, 7] })).toHaveLength(1)
    expect(readTake({ take: 't1', grading })).toEqual({ id: 't1', grading })
    expect(readReflection({ id: 4, student_id: 'ann', mood: 5, text: 'yes', created_at: '2026-01-02T03:04:05Z' })).toEqual({ id: '4', who: 'ann', mood: 5, text: 'yes', at: Date.UTC(2026, 0, 2, 3, 4, 5) })
  })

  test('is ignored when it makes none', () => {
    for (const read of [readNote, readRefusal, readScore, readTake, readReflection]) {
      for (const value of nonsense) expect(read(value)).toBeNull()
    }
    for (const value of nonsense) {
      expect(readPeople(value)).toEqual([])
      expect(readTable(value)).toEqual([])
      expect(readWelcome(value, { id: 'me', role: 'student' })).toMatchObject({ me: { id: 'me', role: 'student' }, people: [], take: null })
    }
    expect(readReflection({ id: 1, mood: 6 })).toBeNull()
  })

  test('names those who are there, with a name or without', () => {
    const members = [
      { student_id: 'ann', name: 'Ann', role: 'teacher', part: '🟩 Violin 1', quality: { rtt: 20, uncertainty: 2, latency: null } },
      { student_id: 'ben', role: 'student' }, { student_id: 'eve', role: 'ghost' },
    ]
    const quality = { roundTrip: null, uncertainty: null, latency: null }
    expect(readPeople({ members, muted: ['ben'], solo: ['ann'] })).toEqual([
      { id: 'ann', name: 'Ann', role: 'teacher', part: { name: 'Violin 1', colour: 2 }, muted: false, solo: true, quality: { roundTrip: 20, uncertainty: 2, latency: null } },
      { id: 'ben', name: 'ben', role: 'student', part: null, muted: true, solo: false, quality },
    ])
  })
})

describe('the metronome shows', () => {
  const timeline = new Timeline({
    epoch: 'e', rev: 1, intervals: [{ beat: 0, beats: 0, interval: 0 }],
    tempo: [{ at: 0, beat: 0, bpm: 60 }],
    bars: [{ beat: 0, bar: 1, beat_in_bar: 1, meter: '4/4' }, { beat: 4, bar: 0, beat_in_bar: 1, meter: '3/4' }],
    transport: [{ beat: 0, state: 'stopped', bar: 9, beat_in_bar: 2 }, { beat: 4, state: 'counting' }, { beat: 7, state: 'playing' }],
  })

  test('where stopped music would go on', () => {
    expect(shownAt(timeline, 2_500)).toMatchObject({ mode: 'stopped', bar: 9, beatInBar: 2 })
  })

  test('the bar and the beat of music that plays or is counted in', () => {
    expect(shownAt(timeline, 5_900)).toMatchObject({ mode: 'counting', bar: 0, beatInBar: 2, bpm: 60 })
    expect(shownAt(timeline, 7_000)).toMatchObject({ mode: 'playing', bar: 1, beatInBar: 1, position: 7 })
  })
})
