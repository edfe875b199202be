// What /admin/api answers. Times are milliseconds since 1970, rates per second.

export type Node = {
  id: string
  region: string
  version: string
  self: boolean
  alive: boolean
  started_at: number
  connections: number
  tenants: number
  cpu_percent?: number
  memory_bytes?: number
  round_trip_ms?: number
}

export type Totals = {
  tenants_connected: number
  connections: number
  channels: number
  events_per_second: number
  joins_per_second: number
  bytes_in_per_second?: number
  bytes_out_per_second?: number
}

export type Overview = {
  version: string
  node: string
  region: string
  started_at: number
  now: number
  nodes: Node[]
  totals: Totals
  unreachable: string[]
  features: { control?: boolean; dashboard_write?: boolean; kick_ref?: boolean }
  series?: Series
}

export type Point = {
  at: number
  connections: number
  events: number
  joins: number
  presence_events?: number
  db_events?: number
  errors?: number
}

export type Series = { step_ms: number; points: Point[] }

export type Feed = { state: string; lag_bytes?: number; lag_seconds?: number; code?: string; error?: string }

export type Limits = Readonly<Record<string, number | undefined>>

export type TenantRow = {
  external_id: string
  name: string
  connections: number
  channels: number
  topics: number
  events_per_second: number
  joins_per_second: number
  presence_events_per_second: number
  db_events_per_second: number
  limits: Limits
  suspended: boolean
  has_database: boolean
  feed: Feed | null
}

export type Slot = { name: string; active: boolean; ours?: boolean; wal_status: string; retained_bytes?: number; confirmed_lag_bytes?: number }

export type Health = { healthy: boolean; db_connected: boolean; replication_connected: boolean; connected_cluster: number; region: string; node: string }

export type Tenant = TenantRow & { extensions?: string[]; slots?: Slot[]; slots_error?: string; health?: Health; series?: Series }

export type TopicRow = { topic: string; private: boolean; bare?: boolean; listeners: number; presences: number; events_per_second?: number }

export type Member = { ref: string; node: string; sub?: string; role?: string; since: number; user_agent?: string }

export type Topic = { topic: string; private: boolean; listeners: number; members: Member[]; total?: number; presences?: number; presence: Record<string, unknown[]>; truncated?: boolean; unreachable?: string[] }

export type Passed = { at: number; kind: string; event: string; size: number; payload: unknown; truncated?: boolean; from?: string | null; node?: string | null }

export type Check = { name: string; status: string; text: string; cure?: string; code?: string }

export type Created = { tenant?: { external_id?: string }; secret?: string; anon_key?: string; service_key?: string; url?: string; snippet?: string }

/** The limits that the page shows, with the number that each of them holds down. */
export const limitWords: readonly { name: string; words: string; used?: keyof TenantRow; unit?: string; note?: string }[] = [
  { name: 'max_concurrent_users', words: 'Connections', used: 'connections' },
  { name: 'max_events_per_second', words: 'Events each second', used: 'events_per_second' },
  { name: 'max_joins_per_second', words: 'Joins each second', used: 'joins_per_second' },
  { name: 'max_presence_events_per_second', words: 'Presence events each second', used: 'presence_events_per_second' },
  { name: 'max_channels_per_client', words: 'Channels of a client' },
  { name: 'max_payload_size_in_kb', words: 'Payload', unit: 'kB' },
  { name: 'max_bytes_per_second', words: 'Bytes each second', note: 'stored, not enforced' },
]

export type Nearness = 'far' | 'near' | 'reached'

/** How near a number is to its limit. A limit of zero allows nothing. */
export function nearness(used: number, limit: number): Nearness {
  if (used >= limit) return 'reached'
  return used >= 0.8 * limit ? 'near' : 'far'
}

/** How a tenant is, in chips: what is not as usual first. */
export function chips(t: TenantRow): { state: 'good' | 'wait' | 'bad' | 'none'; text: string }[] {
  const list: ReturnType<typeof chips> = []
  if (t.suspended) list.push({ state: 'bad', text: 'suspended' })
  const over = limitWords.flatMap(({ name, words, used }) => {
    const limit = t.limits[name]
    const near = used && limit !== undefined ? nearness(t[used] as number, limit) : 'far'
    return near === 'far' ? [] : [{ state: near === 'near' ? ('wait' as const) : ('bad' as const), text: `${words.toLowerCase()}: ${near === 'near' ? 'near the limit' : 'limit reached'}` }]
  })
  list.push(...(t.suspended ? [] : over))
  if (!t.has_database) list.push({ state: 'none', text: 'no database' })
  else if (t.feed?.state === 'down') list.push({ state: 'bad', text: 'feed down' })
  else if (t.feed?.state === 'connecting') list.push({ state: 'wait', text: 'feed connecting' })
  else if (t.feed?.state === 'live') list.push({ state: 'good', text: 'feed live' })
  return list
}
