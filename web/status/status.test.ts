import { describe, expect, test } from 'vitest'
import { asked, cluster, single } from './canned'
import { readStatus, tripBetween } from './status'

describe('an answer', () => {
  test('of a single node is one node', () => {
    const status = readStatus(single)
    expect(status).toMatchObject({ alone: true, bus: {}, nodes: [{ id: 'this node', self: true, started: asked - 3_600_000, unready: '' }] })
    expect(status.nodes[0]?.load).toEqual({ connections: 7, topics: 5, tenants: 2 })
  })

  test('of a cluster has the fresh numbers of the node that answers', () => {
    const { alone, lostAfter, nodes } = readStatus(cluster())
    expect({ alone, lostAfter, ids: nodes.map(({ id }) => id) }).toEqual({ alone: false, lostAfter: 5000, ids: ['fra-1', 'fra-2', 'iad-1', 'sin-1'] })
    expect(nodes[0]?.load).toEqual({ connections: 1200, topics: 310, tenants: 12, feeds_owned: 3, feeds_followed: 4 })
    expect(nodes[3]).toMatchObject({ leaving: true, roundTrip: 162, silent: 120 })
  })

  test('of a node that drains says why', () => {
    expect(readStatus({ ...single, ready: false, reason: 'draining' }).nodes[0]?.unready).toBe('draining')
    expect(readStatus({ ...cluster(), ready: false }).nodes[0]?.unready).not.toBe('')
  })

  test('of another release is read as far as it goes', () => {
    const answer = cluster()
    answer.cluster.nodes = [{ id: 'a', self: true, load: { connections: 'many', x: 1 } }, { self: false }, { id: 'b', round_trips: null, addresses: [1] }]
    const { nodes } = readStatus(answer)
    expect(nodes.map(({ id, roundTrip, addresses }) => ({ id, roundTrip, addresses }))).toEqual([
      { id: 'a', roundTrip: null, addresses: [] },
      { id: 'b', roundTrip: null, addresses: [] },
    ])
    expect(nodes[0]?.load).toEqual({ x: 1, connections: 1200, topics: 310, tenants: 12 })
  })

  test.each([[null], [[]], ['ok'], [{}], [{ message: 'Not Found' }], [{ started: 'x' }]])('that is no status is refused: %j', (answer) => {
    expect(() => readStatus(answer)).toThrow('no status')
  })
})

describe('a round trip', () => {
  const [own, near, far, leaving] = readStatus(cluster()).nodes as [never, never, never, never]
  test('is what the node itself measures', () => expect(tripBetween(near, own)).toBe(0.45))
  test('is the heartbeat’s where the node that answers says nothing else', () => expect(tripBetween(own, leaving)).toBe(162))
  test('is not known where neither says so', () => expect(tripBetween(far, leaving)).toBe(null))
})
