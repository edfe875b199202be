import { describe, expect, test } from 'vitest'
import { brief, byRegion, places, tripOf } from './graph'
import { asked, cluster } from './canned'
import { losses, traffic } from './losses'
import { Memory } from './memory'
import { readStatus } from './status'
import { asSentence, count, counted, duration, listed, silence, trip } from '../shared/words'

const second = 1000
const day = 86_400 * second

test.each([
  [-5, '0 s'], [999, '0 s'], [45 * second, '45 s'], [60 * second, '1 min'], [61 * second, '1 min 1 s'], [3600 * second, '1 h'], [day - 1, '23 h 59 min'],
  [day + 60 * second, '1 d'], [77 * 3600 * second, '3 d 5 h'],
])('%d ms took %s', (ms, words) => expect(duration(ms)).toBe(words))

test.each([[0.4249, '0.42 ms'], [8.06, '8.1 ms'], [91.2, '91 ms'], [1234, '1234 ms']])('a trip of %d ms is %s', (ms, words) => expect(trip(ms)).toBe(words))

test('numbers and lists are words', () => {
  expect([count(1234567), count(0.5), counted(1, 'node'), counted(2, 'node'), silence(3449), silence(61_000)]).toEqual(['1,234,567', '0.5', '1 node', '2 nodes', '3.4 s', '1 min 1 s'])
  expect([listed([]), listed(['a']), listed(['a', 'b', 'c']), asSentence(''), asSentence('it is so')]).toEqual(['', 'a', 'a, b and c', '', 'It is so.'])
  expect([950, 12_999, 3_100_000].map(brief)).toEqual(['950', '12k', '3M'])
})

test('every counter of the bus has words', () => {
  const named = [...losses, ...traffic].map(({ name }) => name)
  expect(named.sort()).toEqual(Object.keys(cluster().cluster.bus).sort())
})

describe('the drawing', () => {
  const memory = new Memory()
  memory.take(readStatus(cluster()), asked)
  const [fra1, fra2, iad, sin] = memory.nodes as [never, never, never, never]

  test('has all places apart and inside', () => {
    for (let n = 2; n <= 6; n++) {
      const at = places(n)
      for (const { x, y } of at) expect(x > 55 && x < 325 && y > 45 && y < 285, `${n}: ${x} ${y}`).toBe(true)
      for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) expect(Math.hypot(at[i]!.x - at[j]!.x, at[i]!.y - at[j]!.y)).toBeGreaterThan(80)
    }
  })

  test('shows the slower of what both measure', () => expect([tripOf(fra1, fra2), tripOf(sin, iad), tripOf(fra1, sin)]).toEqual([0.45, 224, 163]))

  test('keeps regions together', () => expect(byRegion(memory.nodes).map(({ node }) => node.id)).toEqual(['sin-1', 'fra-1', 'fra-2', 'iad-1']))
})
