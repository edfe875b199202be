import { expect, test } from 'vitest'
import { chips, nearness, type TenantRow } from './answers'
import { bytes, lag, percent, rate } from './words'

test.each([[0, '0 B'], [999, '999 B'], [1000, '1.0 kB'], [99_440, '99.4 kB'], [123_456, '123 kB'], [999_999, '1.0 MB'], [5e15, '5000 TB'], [undefined, '–']])('%s bytes are %s', (n, words) =>
  expect(bytes(n)).toBe(words),
)

test('rates, lags and shares are short', () => {
  expect([rate(0), rate(0.25), rate(9.94), rate(1234.5), rate(undefined)]).toEqual(['0', '0.3', '9.9', '1,235', '–'])
  expect([lag(0.012), lag(3.21), lag(75), lag(undefined)]).toEqual(['12 ms', '3.2 s', '1 min 15 s', '–'])
  expect([percent(199.9, 200), percent(200, 200), percent(300, 200), percent(1, 0)]).toEqual(['99 %', '100 %', '150 %', ''])
})

test.each([[0, 200, 'far'], [159, 200, 'far'], [160, 200, 'near'], [200, 200, 'reached'], [0, 0, 'reached']])('%d of %d is %s', (used, limit, want) => expect(nearness(used, limit)).toBe(want))

const tenant: TenantRow = {
  external_id: 'acme', name: 'acme', connections: 0, channels: 0, topics: 0, events_per_second: 0, joins_per_second: 0, presence_events_per_second: 0, db_events_per_second: 0,
  limits: { max_concurrent_users: 200 }, suspended: false, has_database: true, feed: null,
}
const texts = (change: Partial<TenantRow>) => chips({ ...tenant, ...change }).map(({ state, text }) => `${state}: ${text}`)

test('chips say what is not as usual', () => {
  expect(texts({})).toEqual([])
  expect(texts({ has_database: false })).toEqual(['none: no database'])
  expect(texts({ feed: { state: 'down', code: 'X' } })).toEqual(['bad: feed down'])
  expect(texts({ connections: 190, feed: { state: 'live' } })).toEqual(['wait: connections: near the limit', 'good: feed live'])
  expect(texts({ connections: 200 })).toEqual(['bad: connections: limit reached'])
  expect(texts({ suspended: true, connections: 200 })).toEqual(['bad: suspended'])
})
