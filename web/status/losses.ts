// The counters of what passes between nodes, in words. The names are those of
// the server's answer.

import type { Numbers } from './status'

export type Meaning = { name: string; title: string; meaning: string }

/** What went wrong, the worst first. A counter of 0 is as it should be. */
export const losses: readonly Meaning[] = [
  { name: 'missed', title: 'Missed', meaning: 'Other nodes sent these messages here, and they were lost before clients got them.' },
  { name: 'unsent', title: 'Not sent', meaning: 'Messages for other nodes that found no room or no connection, or were too large.' },
  { name: 'slow', title: 'This node too slow', meaning: 'Times that this node could not take what came from the others. It lacks CPU.' },
  { name: 'slow_peers', title: 'Other node too slow', meaning: 'Times that another node, or the network to it, could not take what this one had for it.' },
  { name: 'disconnects', title: 'Connection lost', meaning: 'Times that this node lost its connection to the bus between nodes.' },
  { name: 'twins', title: 'Same name twice', meaning: 'Messages of another node that has the name of this one. Give each its own NODE_NAME.' },
  { name: 'malformed', title: 'Unreadable', meaning: 'Messages that make no sense. Something else speaks in this cluster.' },
  { name: 'unknown', title: 'Of another release', meaning: 'Messages that this release does not understand. Bring all nodes to one release.' },
]

/** What is neither good nor bad. */
export const traffic: readonly Meaning[] = [
  { name: 'sent', title: 'Sent', meaning: 'Messages to other nodes.' },
  { name: 'received', title: 'Received', meaning: 'Messages from other nodes.' },
  { name: 'unwanted', title: 'Not wanted', meaning: 'Received for a topic that nobody listens to here. A few are normal.' },
  { name: 'late', title: 'Late', meaning: 'Heard twice or out of order, and dropped. Nothing is lost.' },
  { name: 'topics', title: 'Topics', meaning: 'What this node wants to hear of.' },
  { name: 'subscriptions', title: 'Subscriptions', meaning: 'Groups of topics that it hears.' },
  { name: 'routes', title: 'Routes', meaning: 'Connections to other nodes.' },
  { name: 'leases', title: 'Leases', meaning: 'Tasks of the cluster that this node does, such as reading a database.' },
]

/** Says what was lost in the last minute, a sentence each. */
export function recentLosses(lastMinute: Numbers): string[] {
  return losses.flatMap(({ name, title, meaning }) => {
    const n = lastMinute[name] ?? 0
    return n > 0 ? [`${title}: ${n.toLocaleString('en-US')} in the last minute. ${meaning}`] : []
  })
}
