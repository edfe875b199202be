import { describe, expect, test, vi } from 'vitest'
import golden from './testdata/timeline.json'
import { accentOf } from './bars'
import { dice } from './testworld'
import { Timeline, type State } from './timeline'

vi.setConfig({ testTimeout: 60_000 }) // a busy machine is no failure

// The server computes in whole ns; a time of today is a double with a grain of
// 0.24 µs, in which the fastest tempo makes 1.6 millionths of a beat.
const microsecond = 0.001
const grain = 2e-6

type Checks = {
  beat_at?: number[][]; tempo_at?: number[][]; time_of?: number[][]; places?: number[][]; modes?: unknown[][]
  between?: { from: number; to: number; beats: Record<string, unknown>[] }[]
  intervals?: { from: number; to: number; intervals: Record<string, unknown>[] }[]
  running?: unknown[][]
}

const near = (got: number, want: number, by: number, of: unknown) => {
  if (!(Math.abs(got - want) <= by)) expect.fail(`${JSON.stringify(of)}: ${got}, want ${want}`)
}

/** The same records, times to a microsecond. */
function same(got: object[], want: Record<string, unknown>[], of: unknown): void {
  expect(got.length, JSON.stringify(of)).toBe(want.length)
  got.forEach((entry, i) => {
    const rounded = { ...entry } as Record<string, unknown>
    for (const [name, by] of Object.entries({ at: microsecond, until: microsecond, bpm: 0.002 })) {
      if (!(name in rounded)) continue
      near(rounded[name] as number, want[i]![name] as number, by, want[i])
      rounded[name] = want[i]![name]
    }
    expect(rounded).toEqual(want[i])
  })
}

function check(timeline: Timeline, checks: Checks): void {
  for (const [at, beat] of checks.beat_at ?? []) near(timeline.beat(at!), beat!, grain, at)
  for (const [at, bpm] of checks.tempo_at ?? []) near(timeline.tempo(at!), bpm!, 0.002, at)
  for (const [beat, at] of checks.time_of ?? []) near(timeline.time(beat!), at!, microsecond, beat)
  for (const [beat, ...want] of checks.places ?? []) {
    const place = timeline.place(beat!)
    expect([place.bar, place.beatInBar, accentOf(place)], `beat ${beat}`).toEqual(want)
  }
  for (const [beat, mode] of checks.modes ?? []) expect(timeline.mode(beat as number), `beat ${beat}`).toBe(mode)
  for (const { from, to, beats } of checks.between ?? []) same(timeline.between(from, to), beats, { from, to })
  for (const { from, to, intervals } of checks.intervals ?? []) same(timeline.intervals(from, to), intervals, { from, to })
  for (const [at, want] of checks.running ?? []) {
    const got = timeline.running(at as number)
    same(got ? [got] : [], want ? [want as Record<string, unknown>] : [], at)
  }
}

describe('golden', () => {
  for (const { name, state, ...checks } of golden.cases) {
    test(name, () => check(new Timeline(state), checks as Checks))
  }

  test('changes, one after the other', () => {
    const timeline = new Timeline(golden.follow.state)
    for (const { change, result, then } of golden.follow.steps) {
      expect(timeline.follow(change), JSON.stringify(change)).toBe(result)
      expect(timeline.state.rev).toBe(then.rev)
      check(timeline, then as Checks)
    }
  })
})

describe('any sequence of changes', () => {
  test('leaves beat(at) continuous and rising, with time(beat) as its inverse', () => {
    for (let seed = 1; seed <= 15; seed++) {
      const random = dice(seed)
      const start = 1.7e12 + random() * 1e9
      const timeline = new Timeline(simple([{ at: start, beat: 0, bpm: 20 + random() * 380 }]))
      let now = start
      for (let rev = 2; rev < 30; rev++) {
        now += random() * 4000
        const beat = timeline.beat(now)
        const bpm = timeline.tempo(now)
        const to = 20 + random() * 380
        const segment = random() < 0.5 ? { at: now, beat, bpm: to } : { at: now, beat, bpm, ramp: { to, beats: 0.5 + random() * 8 } }
        timeline.follow({ event: 'tempo_changed', rev, at: now, beat, tempo: { from: beat, add: [segment] } })
      }
      expect(timeline.state.rev).toBe(29)
      let last = -Infinity
      for (let at = start; at < now + 20_000; at += 1 + random() * 80) {
        const beat = timeline.beat(at)
        if (beat < last) expect.fail(`seed ${seed}: at ${at} the position fell from ${last} to ${beat}`)
        near(timeline.time(beat), at, 2 * microsecond, { seed, at })
        near(timeline.beat(at + microsecond), beat, 1e-5, { seed, at })
        last = beat
      }
      const beats = timeline.between(start, now + 20_000)
      beats.slice(1).forEach(({ beat, at }, i) => {
        if (beat !== beats[i]!.beat + 1 || at <= beats[i]!.at) expect.fail(`seed ${seed}: beat ${beat} at ${at} comes after beat ${beats[i]!.beat}`)
      })
      // Every beat is in just one of two windows that meet.
      const cut = start + random() * (now - start)
      const parts = [...timeline.between(start, cut), ...timeline.between(cut, now + 20_000)]
      expect(parts.map(({ beat }) => beat)).toEqual(beats.map(({ beat }) => beat))
    }
  })

  test('does not pile up for ever', () => {
    const timeline = new Timeline(simple([{ at: 0, beat: 0, bpm: 120 }]))
    for (let rev = 2; rev < 2000; rev++) {
      const at = rev * 1000
      const beat = timeline.beat(at)
      timeline.follow({ event: 'tempo_changed', rev, at, beat, tempo: { from: beat, add: [{ at, beat, bpm: 100 + (rev % 50) }] } })
    }
    expect(timeline.state.tempo.length).toBeLessThan(130)
  })
})

function simple(tempo: object[]): State {
  return {
    epoch: 'e', rev: 1, tempo, bars: [{ beat: 0, bar: 1, beat_in_bar: 1, meter: '4/4' }],
    transport: [{ beat: 0, state: 'playing' }], intervals: [{ beat: 0, beats: 0, interval: 0 }],
  } as State
}

describe('a whole state', () => {
  const state = simple([{ at: 0, beat: 0, bpm: 120 }])

  test('is all that a late joiner needs', () => {
    const early = new Timeline(golden.follow.state)
    for (const { change } of golden.follow.steps) early.follow(change)
    early.follow({ ...golden.follow.steps[2]!.change })
    const late = new Timeline(JSON.parse(JSON.stringify(early.state)))
    const { at } = early.state.tempo.at(-1)!
    expect(late.between(at - 5000, at + 60_000, true)).toEqual(early.between(at - 5000, at + 60_000, true))
  })

  test('replaces what is known when it is newer or of another epoch', () => {
    const timeline = new Timeline({ ...state, rev: 5 })
    expect(timeline.load({ ...state, rev: 5 })).toBe(false)
    expect(timeline.load({ ...state, rev: 4 })).toBe(false)
    expect(timeline.load({ ...state, rev: 6 })).toBe(true)
    expect(timeline.load({ ...state, rev: 1, epoch: 'f' })).toBe(true)
    expect(timeline.state).toMatchObject({ rev: 1, epoch: 'f' })
  })

  test('does not change when the message does', () => {
    const message = simple([{ at: 0, beat: 0, bpm: 120 }])
    const timeline = new Timeline(message)
    message.tempo[0]!.bpm = 60
    expect(timeline.tempo(0)).toBe(120)
  })

  const broken: Record<string, unknown> = {
    'null': null,
    'a string': 'state',
    'no epoch': { ...state, epoch: undefined },
    'no revision': { ...state, rev: null },
    'no tempo': { ...state, tempo: [] },
    'no bars': { ...state, bars: undefined },
    'a tempo of 0': { ...state, tempo: [{ at: 0, beat: 0, bpm: 0 }] },
    'a time that is a string': { ...state, tempo: [{ at: '0', beat: 0, bpm: 100 }] },
    'a ramp to nowhere': { ...state, tempo: [{ at: 0, beat: 0, bpm: 100, ramp: { beats: 4 } }] },
    'segments out of order': { ...state, tempo: [{ at: 9, beat: 9, bpm: 100 }, { at: 0, beat: 0, bpm: 100 }] },
    'two segments at one time': { ...state, tempo: [{ at: 0, beat: 0, bpm: 100 }, { at: 0, beat: 1, bpm: 100 }] },
    'a meter of no beats': { ...state, bars: [{ beat: 0, bar: 1, beat_in_bar: 1, meter: '0/4' }] },
    'a mode that nobody knows': { ...state, transport: [{ beat: 0, state: 'humming' }] },
    'intervals of negative length': { ...state, intervals: [{ beat: 0, beats: -1, interval: 0 }] },
  }
  for (const [name, message] of Object.entries(broken)) {
    test(`is refused with ${name}`, () => expect(() => new Timeline(message)).toThrow(/^read state: /))
  }
})

describe('a change that makes no sense', () => {
  const broken: Record<string, unknown> = {
    'null': null,
    'no revision': { at: 0, beat: 0 },
    'a list that is none': { rev: 2, at: 0, beat: 0, tempo: { from: 0, add: 'all' } },
    'a segment without tempo': { rev: 2, at: 0, beat: 0, tempo: { from: 1, add: [{ at: 1, beat: 1 }] } },
    'nothing left': { rev: 2, at: 0, beat: 0, tempo: { from: -5, add: [] } },
    'time that goes back': { rev: 2, at: 0, beat: 0, tempo: { from: 4, add: [{ at: -100, beat: 4, bpm: 90 }] } },
  }
  for (const [name, change] of Object.entries(broken)) {
    test(`is not followed: ${name}`, () => {
      const timeline = new Timeline(simple([{ at: 0, beat: 0, bpm: 120 }]))
      expect(timeline.follow(change)).toBe('missing')
      expect(timeline.state).toEqual(simple([{ at: 0, beat: 0, bpm: 120 }]))
    })
  }

  test('times that are no numbers have no beats between them', () => {
    const timeline = new Timeline(simple([{ at: 0, beat: 0, bpm: 120 }]))
    expect(timeline.between(NaN, 1000)).toEqual([])
    expect(timeline.between(0, Infinity)).toEqual([])
  })
})
