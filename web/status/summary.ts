// The state of the cluster in a sentence, and what stands out.

import { recentLosses } from './losses'
import type { Memory, Seen, Standing } from './memory'
import type { Status } from './status'
import { count, counted, duration, listed } from '../shared/words'

export type Alert = { level: 'bad' | 'wait'; text: string }

const said: Record<Standing, string> = {
  well: 'is well', silent: 'is silent', leaving: 'is leaving', unready: 'is not ready', gone: 'is gone', left: 'has left',
}

/** The whole in one line. */
export function headline(status: Status): string {
  const connections = status.nodes.reduce((sum, { load }) => sum + (load.connections ?? 0), 0)
  const clients = counted(connections, 'connection')
  if (status.alone) return `A single node with ${clients}`
  const regions = new Set(status.nodes.map(({ region }) => region).filter(Boolean))
  const where = regions.size > 1 ? ` in ${count(regions.size)} regions` : ''
  return `${counted(status.nodes.length, 'node')}${where} with ${clients}`
}

/** What stands out, the worst first. Nothing is a good sign. */
export function alerts(status: Status, memory: Memory): Alert[] {
  const nodes = memory.nodes
  const bad = nodes.filter(({ standing }) => standing === 'silent' || standing === 'gone')
  const wait = nodes.filter(({ standing }) => standing === 'leaving' || standing === 'unready' || standing === 'left')
  return [
    ...bad.map((seen): Alert => ({ level: 'bad', text: sentence(seen) })),
    ...recentLosses(memory.lastMinute).map((text): Alert => ({ level: 'bad', text })),
    ...wait.map((seen): Alert => ({ level: 'wait', text: sentence(seen) })),
    ...versions(nodes),
    ...lonely(status),
  ]
}

function sentence({ node, standing, words }: Seen): string {
  return `${node.id} ${said[standing]}: ${words}.`
}

function versions(nodes: Seen[]): Alert[] {
  const by = new Map<string, string[]>()
  for (const { node, gone } of nodes) if (gone === 0) by.set(node.version, [...(by.get(node.version) ?? []), node.id])
  if (by.size < 2) return []
  const parts = [...by].map(([version, ids]) => `${version || 'an unknown one'} on ${listed(ids)}`)
  return [{ level: 'wait', text: `Nodes run different versions: ${parts.join('; ')}. That is fine while you exchange them one by one.` }]
}

function lonely(status: Status): Alert[] {
  const [own] = status.nodes
  if (status.alone || status.nodes.length > 1 || !own) return []
  return [{ level: 'wait', text: `${own.id} hears no other node. Start another, or check CLUSTER_PEERS and the network. The page looks every two seconds.` }]
}

/** How long a node runs, where that is known. */
export function uptime(started: number, now: number): string {
  return started > 0 ? `up ${duration(now - started)}` : ''
}
