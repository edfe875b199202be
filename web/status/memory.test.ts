import { describe, expect, test } from 'vitest'
import { asked, cluster, single } from './canned'
import { Memory, span } from './memory'
import { readStatus } from './status'
import { alerts, headline } from './summary'

const standings = (memory: Memory) => Object.fromEntries(memory.nodes.map(({ node, standing }) => [node.id, standing]))
const without = (...ids: string[]) => {
  const answer = cluster()
  answer.cluster.nodes = answer.cluster.nodes.filter(({ id }) => !ids.includes(String(id)))
  return readStatus(answer)
}

/** The same answer after so many more of a counter. */
const counting = (name: 'missed' | 'sent' | 'unsent', more: number) => {
  const answer = cluster()
  answer.cluster.bus[name] += more
  return readStatus(answer)
}

describe('the page', () => {
  test('says who is silent and who leaves', () => {
    const memory = new Memory()
    const status = readStatus(cluster())
    memory.take(status, asked)
    expect(standings(memory)).toEqual({ 'fra-1': 'well', 'fra-2': 'well', 'iad-1': 'silent', 'sin-1': 'leaving' })
    expect(headline(status)).toBe('4 nodes in 3 regions with 2,891 connections')
    expect(alerts(status, memory).map(({ text }) => text)).toEqual([
      'iad-1 is silent: not heard for 3.4 s; after 5 s it counts as lost.',
      'sin-1 is leaving: it takes no new clients and sends its own to other nodes.',
      'Nodes run different versions: 0.4.0 on fra-1, fra-2 and iad-1; 0.3.9 on sin-1. That is fine while you exchange them one by one.',
    ])
  })

  test('keeps who is gone in sight for ten minutes, last, and tells them from those who left', () => {
    const memory = new Memory()
    memory.take(readStatus(cluster()), asked)
    memory.take(without('iad-1', 'sin-1'), asked + 2000)
    expect(memory.nodes.map(({ node, standing }) => `${node.id} ${standing}`)).toEqual(['fra-1 well', 'fra-2 well', 'iad-1 gone', 'sin-1 left'])
    memory.take(readStatus(cluster()), asked + 4000)
    expect(standings(memory)['sin-1']).toBe('leaving')
    memory.take(without('fra-2'), asked + 6000)
    memory.take(without('fra-2'), asked + 6000 + 10 * 60_000)
    expect(standings(memory)['fra-2']).toBe('left')
    memory.take(without('fra-2'), asked + 6001 + 10 * 60_000)
    expect(memory.nodes.map(({ node }) => node.id)).toEqual(['fra-1', 'iad-1', 'sin-1'])
  })

  test('does not say that a node said goodbye when answers came too seldom to know', () => {
    const memory = new Memory()
    memory.take(readStatus(cluster()), asked)
    memory.take(without('fra-2'), asked + 2250)
    expect(standings(memory)['fra-2']).toBe('gone')
  })

  test('keeps five minutes of each node', () => {
    const memory = new Memory()
    for (let at = 0; at <= 2 * span; at += 2000) memory.take(readStatus(single), asked + at)
    const [own] = memory.nodes
    expect(own?.samples.length).toBe(span / 2000 + 1)
    expect(own?.samples.at(-1)).toEqual({ at: asked + 2 * span, connections: 7 })
  })

  test('warns of what was lost lately, not of what was lost long ago', () => {
    const memory = new Memory()
    memory.take(counting('missed', 0), asked)
    const lost = () => alerts(counting('missed', 0), memory).filter(({ text }) => text.startsWith('Missed'))
    expect(lost()).toEqual([])
    memory.take(counting('missed', 5), asked + 30_000)
    expect(lost()).toMatchObject([{ level: 'bad', text: expect.stringContaining('Missed: 5 in the last minute') }])
    for (let at = 32_000; at <= 96_000; at += 2000) memory.take(counting('missed', 5), asked + at)
    expect(lost()).toEqual([])
  })

  test('does not take another node’s counters, or those of a new life, for losses', () => {
    const memory = new Memory()
    memory.take(counting('unsent', 0), asked)
    memory.take({ ...counting('unsent', 50), nodes: readStatus(single).nodes }, asked + 2000)
    expect(memory.lastMinute.unsent).toBe(0)
    memory.take(counting('unsent', 70), asked + 4000)
    expect(memory.lastMinute.unsent).toBe(0)
    memory.take(counting('unsent', 71), asked + 6000)
    expect(memory.lastMinute.unsent).toBe(1)
  })

  test('is calm about a single node, and says when it is not ready', () => {
    const memory = new Memory()
    const calm = readStatus(single)
    memory.take(calm, asked)
    expect([headline(calm), alerts(calm, memory)]).toEqual(['A single node with 7 connections', []])
    const drains = readStatus({ ...single, ready: false, reason: 'draining' })
    memory.take(drains, asked + 2000)
    expect(alerts(drains, memory)).toEqual([{ level: 'wait', text: 'this node is not ready: it wants no new clients (draining).' }])
  })

  test('says when a node of a cluster hears nobody', () => {
    const memory = new Memory()
    const lonely = without('fra-2', 'iad-1', 'sin-1')
    memory.take(lonely, asked)
    expect(alerts(lonely, memory)).toMatchObject([{ level: 'wait', text: expect.stringContaining('fra-1 hears no other node') }])
  })
})
