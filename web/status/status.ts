// What the server answers at /status, read with care: a node of another release
// may leave something out or have more.

export type Numbers = Readonly<Record<string, number>>

export type Node = {
  id: string
  self: boolean // it is the node that answered
  region: string
  version: string
  started: number // in milliseconds since 1970
  addresses: string[]
  roundTrip: number | null // from the node that answered, in milliseconds
  silent: number // milliseconds since it was heard
  missed: number // messages that were lost on their way to it
  leaving: boolean
  unready: string // why it wants no new clients, as far as it told; "" when it does
  load: Numbers
  roundTrips: Numbers // what it measures to others: id → milliseconds
}

export type Status = {
  alone: boolean // no cluster
  cluster: string
  lostAfter: number // milliseconds of silence
  nodes: Node[] // the one that answered first
  bus: Numbers
}

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0)
const time = (value: unknown): number => number(Date.parse(text(value)))

function numbers(value: unknown): Numbers {
  if (!isFields(value)) return {}
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, number] => Number.isFinite(entry[1])))
}

/** Reads an answer of the server; throws at one that is no status at all. */
export function readStatus(answer: unknown): Status {
  if (!isFields(answer) || typeof answer.started !== 'string' || typeof answer.connections !== 'number') {
    throw new Error('the answer is no status of a Tutti server')
  }
  const own = readOwn(answer)
  const cluster = answer.cluster
  if (!isFields(cluster)) return { alone: true, cluster: '', lostAfter: 0, nodes: [own], bus: {} }
  const listed = Array.isArray(cluster.nodes) ? cluster.nodes.filter(isFields).map(readNode).filter((node) => node.id !== '') : []
  return {
    alone: false,
    cluster: text(cluster.name),
    lostAfter: number(cluster.lost_after_ms) || 5000,
    nodes: [withOwn(listed.find((node) => node.self), own), ...listed.filter((node) => !node.self)],
    bus: numbers(cluster.bus),
  }
}

// The answer's own numbers are of this moment, those of the list as old as the
// node's last heartbeat.
function withOwn(node: Node | undefined, own: Node): Node {
  if (!node) return own
  return { ...node, started: own.started, silent: 0, unready: own.unready, load: { ...node.load, ...own.load } }
}

function readOwn(answer: Fields): Node {
  const { connections, topics, tenants } = answer
  return {
    id: text(answer.node) || 'this node', self: true, region: text(answer.region), version: text(answer.version), started: time(answer.started),
    addresses: [], roundTrip: null, silent: 0, missed: 0, leaving: false,
    unready: answer.ready === false ? text(answer.reason) || 'it does not say why' : '',
    load: numbers({ connections, topics, tenants }), roundTrips: {},
  }
}

function readNode(node: Fields): Node {
  return {
    id: text(node.id), self: node.self === true, region: text(node.region), version: text(node.version), started: time(node.started),
    addresses: Array.isArray(node.addresses) ? node.addresses.filter((address) => typeof address === 'string') : [],
    roundTrip: number(node.round_trip_ms) || null, silent: number(node.silent_ms), missed: number(node.missed),
    leaving: node.leaving === true, unready: '', load: numbers(node.load), roundTrips: numbers(node.round_trips),
  }
}

/** What one node measures to another and back, in milliseconds; null when nobody knows. */
export function tripBetween(from: Node, to: Node): number | null {
  return from.roundTrips[to.id] ?? (from.self ? to.roundTrip : null)
}
