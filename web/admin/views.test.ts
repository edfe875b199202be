import { describe, expect, test } from 'vitest'
import type { Overview, Passed } from './answers'
import { feedLines } from './database'
import { cureParts, ordered, verdict } from './doctor'
import { explained } from './explain'
import { sparkPoints } from './lines'
import { alerts, headline } from './overview'
import { matches, summary } from './passing'
import { Fault } from './server'

const node = { id: 'a', region: '', version: '1', self: true, alive: true, started_at: 0, connections: 1, tenants: 1 }
const answer: Overview = {
  version: '1', node: 'a', region: '', started_at: 0, now: 0, nodes: [node], unreachable: [], features: {},
  totals: { tenants_connected: 1, connections: 1, channels: 1, events_per_second: 0, joins_per_second: 0 },
}

describe('the overview', () => {
  test('says nothing where all is well', () => expect(alerts(answer)).toEqual([]))
  test('names each silent node once', () => {
    const nodes = [node, { ...node, id: 'b', alive: false }]
    expect(alerts({ ...answer, nodes, unreachable: ['b'] })).toEqual([{ level: 'bad', text: 'b does not answer. What it counts is missing from the numbers here.' }])
    expect(alerts({ ...answer, nodes, unreachable: ['c'] })[0]?.text).toMatch(/^b and c do not answer/)
  })
  test('names different versions', () => expect(alerts({ ...answer, nodes: [node, { ...node, id: 'b', version: '2' }] })).toMatchObject([{ level: 'wait', text: expect.stringContaining('1 and 2') }]))
  test('counts in words', () => expect([headline(answer), headline({ ...answer, nodes: [node, { ...node, id: 'b' }] })]).toEqual(['A single node with 1 connection', '2 nodes with 1 connection']))
})

test('the feed is told in sentences', () => {
  expect(feedLines({ has_database: false, feed: null })).toEqual(['This tenant has no database: no changes, no private topics, no replay.'])
  expect(feedLines({ has_database: true, feed: null })).toEqual(['No client listens to tables, so there is no feed.'])
  expect(feedLines({ has_database: true, feed: { state: 'live', lag_bytes: 1200, lag_seconds: 0.01 } })[1]).toBe('It is 10 ms and 1.2 kB behind the database.')
  expect(feedLines({ has_database: true, feed: { state: 'down', code: 'X', error: 'it is so' } })[1]).toBe('X: it is so')
  expect(feedLines({ has_database: true, feed: { state: 'dreaming' } })).toEqual(['The feed is dreaming.'])
})

test('what failed comes first, and is counted', () => {
  const check = (status: string) => ({ name: status, status, text: '' })
  const checks = [check('ok'), check('warning'), check('failed'), check('ok')]
  expect(ordered(checks).map(({ status }) => status)).toEqual(['failed', 'warning', 'ok', 'ok'])
  expect([verdict(checks), verdict(checks.slice(0, 2)), verdict([check('ok')])]).toEqual(['1 check failed.', 'Nothing failed, 1 warning.', 'All is well.'])
})

test('a cure is parted into words and the SQL that can be copied', () => {
  expect(cureParts('add the tables')).toEqual([{ text: 'add the tables', code: false }])
  expect(cureParts('ALTER SYSTEM SET x = 1;')).toEqual([{ text: 'ALTER SYSTEM SET x = 1;', code: true }])
  expect(cureParts('drop it: SELECT f();')).toEqual([{ text: 'drop it:', code: false }, { text: 'SELECT f();', code: true }])
  expect(cureParts('so: CREATE POLICY … ON t;')).toEqual([{ text: 'so: CREATE POLICY … ON t;', code: false }])
})

describe('what passes', () => {
  const message: Passed = { at: 0, kind: 'broadcast', event: 'Note', size: 1, payload: { text: 'Do' }, from: 'ann' }
  test.each([['', '', true], ['broadcast', '', true], ['presence', '', false], ['', ' note ', true], ['', '"do"', true], ['', 'ANN', true], ['', 'bob', false], ['presence', 'note', false]])('kind %j with word %j passes: %s', (kind, word, want) =>
    expect(matches(message, kind, word)).toBe(want),
  )
  test('bytes have no words', () => expect(matches({ ...message, payload: null }, '', 'do')).toBe(false))
  test('what is not shown is counted', () => {
    expect(summary({ seen: 1, shown: 1, kept: 1, missed: null, dropped: 0 })).toBe('1 message')
    expect(summary({ seen: 1200, shown: 3, kept: 500, missed: 0, dropped: 7 })).toBe('1,200 messages, the last 500 kept, 497 filtered out, paused: 0 new, 7 left out because they came too fast')
  })
})

test('a spark ends at the right, inside, and a lone value is a dash', () => {
  expect(sparkPoints([3]).split(' ')).toHaveLength(2)
  const points = sparkPoints(Array.from({ length: 60 }, (_, i) => i)).split(' ').map((point) => point.split(',').map(Number))
  expect([points[0]?.[0], points.at(-1)]).toEqual([0, [88, 2]])
  for (const [x, y] of points) expect(x! >= 0 && x! <= 88 && y! >= 2 && y! <= 20).toBe(true)
})

test('an error has a title, a cause and a cure, whoever makes it', () => {
  expect(explained('It failed', new Fault(409, 'TenantConflict', 'is taken', ''))).toEqual({ title: 'It failed (TenantConflict)', cause: 'is taken', cure: 'Choose another name, or look what somebody else has done meanwhile.' })
  expect(explained('It failed', new Fault(0, '', 'no answer', '')).cure).toMatch(/tries again/)
  expect(explained('It failed', new TypeError('x')).cause).toMatch(/TypeError: x/)
})
