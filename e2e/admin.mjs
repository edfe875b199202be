// A made-up answer of /admin/api, for what a test cannot bring about in a real
// server: nodes that are silent, feeds that are down, many tenants, a server that
// goes away. The page itself is the one that npm built.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

const dist = process.env.TUTTI_PAGES ?? fileURLToPath(new URL('../web/dist', import.meta.url))
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }
const hour = 3_600_000
const step = 5000 // milliseconds between points

export const right = { user: 'admin', password: 'grün & secret' }

/** Starts the made-up server. world may be changed while it runs; asked has what it was asked to do. */
export async function fake(t, world = {}) {
  const streams = new Set()
  const asked = []
  const state = { control: true, write: true, answers: true, tenants: tenants(), ...world }
  const server = createServer((request, response) => void serve(request, response, state, asked, streams).catch((err) => response.destroy(err)))
  server.listen(state.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const end = () => {
    for (const stop of streams) stop()
    server.closeAllConnections()
    server.close()
  }
  t.after(end)
  return { url: `http://127.0.0.1:${server.address().port}`, port: server.address().port, state, asked, end }
}

async function serve(request, response, state, asked, streams) {
  const { pathname, searchParams } = new URL(request.url, 'http://x')
  if (!pathname.startsWith('/admin/api/')) return page(pathname, response)
  const json = (status, body) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  if (!state.answers) return response.destroy()
  if (request.headers['x-requested-with'] !== 'tutti') return json(403, { error: 'no header', code: 'Forged', cure: '' })
  const want = `Basic ${Buffer.from(`${right.user}:${right.password}`).toString('base64')}`
  if (request.headers.authorization !== want || state.locked) return json(401, { error: 'wrong', code: 'DashboardUnauthorized', cure: 'Check it.' })
  const [one, id, what, topic, live] = pathname.slice('/admin/api/'.length).split('/').map(decodeURIComponent)
  if (request.method !== 'GET') {
    let body = ''
    for await (const chunk of request) body += chunk
    const note = { method: request.method, path: pathname.slice('/admin/api/'.length), body: JSON.parse(body) }
    asked.push(note)
    const [status, answer] = state.act?.(note) ?? [200, what === 'kick' ? { disconnected: 3 } : what === 'token' ? { token: 'a.b.c' } : { ok: true }]
    return json(status, answer)
  }
  if (one === 'overview') return json(200, overview(state))
  if (one === 'live' && searchParams.has('tenant') && !state.tenants.some(({ external_id }) => external_id === searchParams.get('tenant'))) return json(404, { error: 'none', code: 'TenantNotFound', cure: '' })
  if (one === 'live') return stream(response, streams, 1000, () => [['overview', overview(state)], ...(searchParams.get('tenant') ? [['tenant', point(Date.now(), state.tenants.find(({ external_id }) => external_id === searchParams.get('tenant'))?.connections ?? 0)]] : [])])
  if (one === 'doctor') return json(200, { checks })
  if (!id) return json(200, listed(state.tenants, searchParams))
  const found = state.tenants.find(({ external_id }) => external_id === id)
  if (!found) return json(404, { error: `there is no tenant ${id}`, code: 'TenantNotFound', cure: 'Look at the list of tenants.' })
  if (!what) return json(200, { ...found, extensions: [], slots: found.has_database ? slots : [], health: { healthy: found.feed?.state !== 'down', db_connected: true, replication_connected: found.feed?.state === 'live', connected_cluster: found.connections, region: 'eu', node: 'fra-1' }, series: series(found.connections) })
  if (what === 'snippet') return json(200, { url: `https://${id}.example.com`, snippet: `const supabase = createClient('https://${id}.example.com', 'YOUR_ANON_KEY')` })
  if (what === 'topics' && !topic) {
    const all = topics.filter((row) => row.topic.includes(searchParams.get('search') ?? ''))
    return json(200, { total: all.length, topics: all })
  }
  if (live) return stream(response, streams, 150, state.passing ?? (() => [['message', message()]]))
  return json(200, { topic, private: searchParams.get('private') === 'true', listeners: members.length, total: members.length, members, presence: { ann: [{ name: 'Ann', typing: true }], bob: [{ name: 'Bob' }] } })
}

async function page(pathname, response) {
  const name = pathname === '/admin' ? '/admin.html' : pathname
  try {
    const data = await readFile(dist + name)
    response.writeHead(200, { 'Content-Type': types[extname(name)] ?? 'application/octet-stream' }).end(data)
  } catch {
    response.writeHead(404).end()
  }
}

function stream(response, streams, every, next) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  const tell = () => {
    for (const [name, data] of next()) response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
  }
  tell()
  const timer = setInterval(tell, every)
  const stop = () => (clearInterval(timer), streams.delete(stop))
  streams.add(stop)
  response.on('close', stop)
}

const wave = (at, high) => Math.round(high * (0.75 + 0.25 * Math.sin(at / 40_000)))
const point = (at, high) => ({ at, connections: wave(at, high), events: wave(at + 9000, 3 * high), joins: wave(at, high) / 20, presence_events: 1, db_events: wave(at + 30_000, high / 2), errors: 0 })
const series = (high) => ({ step_ms: step, points: Array.from({ length: 120 }, (_, i) => point(Date.now() - (120 - i) * step, high)) })

function overview(state) {
  const now = Date.now()
  const all = point(now, 3600)
  const node = (id, more) => ({ id, region: 'eu', version: '0.5.0', self: false, alive: true, started_at: now - 77 * hour, connections: 1200, tenants: 40, cpu_percent: 34, memory_bytes: 412e6, round_trip_ms: 0.42, ...more })
  const nodes = [node('fra-1', { self: true, round_trip_ms: undefined }), node('fra-2', {}), node('iad-1', { region: 'us', round_trip_ms: 91, ...state.iad })]
  return {
    version: '0.5.0', node: 'fra-1', region: 'eu', started_at: now - 77 * hour, now, nodes, unreachable: state.unreachable ?? [],
    totals: { tenants_connected: 41, connections: all.connections, channels: 9120, events_per_second: all.events, joins_per_second: all.joins, bytes_in_per_second: 1.2e6, bytes_out_per_second: 48e6 },
    features: { control: state.control, dashboard_write: state.write, kick_ref: true }, series: series(3600),
  }
}

export const limits = { max_concurrent_users: 200, max_events_per_second: 100, max_joins_per_second: 100, max_channels_per_client: 100, max_bytes_per_second: 100_000, max_presence_events_per_second: 1000, max_payload_size_in_kb: 3000 }

/** A hundred and twenty tenants, some of which are not well. */
function tenants() {
  const plain = (i) => ({
    external_id: `school-${String(i).padStart(3, '0')}`, name: `Music school ${i}`, connections: 120 - i, channels: 2 * (120 - i), topics: 9, events_per_second: (120 - i) / 2,
    joins_per_second: 0.2, presence_events_per_second: 0.5, db_events_per_second: 1, limits, suspended: false, has_database: i % 3 !== 0, feed: i % 3 === 0 ? null : { state: 'live', lag_bytes: 1200 * i, lag_seconds: i / 100 },
  })
  const special = [
    { ...plain(1), external_id: 'acme', name: 'ACME', connections: 187, events_per_second: 101 },
    { ...plain(2), external_id: 'down-town', name: 'Down Town', feed: { state: 'down', lag_bytes: 812e6, lag_seconds: 4000, code: 'ReplicationSlotBeingUsed', error: 'another process uses the slot supabase_realtime_replication_slot' }, has_database: true },
    { ...plain(4), external_id: 'asleep', name: 'asleep', connections: 0, channels: 0, topics: 0, events_per_second: 0, suspended: true, feed: { state: 'none' } },
  ]
  return [...special, ...Array.from({ length: 117 }, (_, i) => plain(i + 1))]
}

const orders = { id: (a, b) => (a.external_id < b.external_id ? -1 : 1), connections: (a, b) => b.connections - a.connections, events: (a, b) => b.events_per_second - a.events_per_second, lag: (a, b) => (b.feed?.lag_seconds ?? 0) - (a.feed?.lag_seconds ?? 0) }

function listed(all, query) {
  const search = (query.get('search') ?? '').toLowerCase()
  const found = all.filter(({ external_id: id, name }) => `${id} ${name}`.toLowerCase().includes(search)).sort(orders[query.get('sort')])
  const offset = Number(query.get('offset'))
  return { total: found.length, tenants: found.slice(offset, offset + Number(query.get('limit'))) }
}

const slots = [
  { name: 'supabase_realtime_replication_slot', active: true, wal_status: 'reserved', retained_bytes: 16.8e6, confirmed_lag_bytes: 1200 },
  { name: 'forgotten_slot', active: false, wal_status: 'lost', retained_bytes: 9.1e9, confirmed_lag_bytes: 9.1e9 },
]

const topics = [
  { topic: 'lobby', private: false, listeners: 41, presences: 12, events_per_second: 12.4 },
  { topic: 'room/1 ü?', private: true, listeners: 3, presences: 2, events_per_second: 0 },
  { topic: 'music:one', private: false, bare: true, listeners: 8, presences: 0 },
]

const members = [
  { ref: 'fra-1/7', node: 'fra-1', sub: '11111111-1111-1111-1111-111111111111', role: 'authenticated', since: Date.now() - hour, user_agent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0' },
  { ref: 'fra-2/9', node: 'fra-2', role: 'anon', since: Date.now() - 60_000 },
]

const checks = [
  { name: 'connection', status: 'ok', text: 'connected to PostgreSQL 17 as supabase_admin' },
  { name: 'wal_level', status: 'failed', text: 'wal_level is replica, so there are no changes to read', cure: 'ALTER SYSTEM SET wal_level = logical;', code: 'WalLevelNotLogical' },
  { name: 'publication', status: 'warning', text: 'no table is in the publication supabase_realtime', cure: 'Add the tables that clients listen to.' },
]

let counter = 0
const message = () => ({ at: Date.now(), kind: ['broadcast', 'presence', 'postgres_changes', 'system'][counter % 4], event: ['cursor', 'presence_diff', 'INSERT', 'system'][counter % 4], size: 120 + counter, payload: { n: counter++, text: 'hello <b>there</b>', at: [1, 2] }, from: counter % 3 ? '11111111-1111-1111-1111-111111111111' : null, node: 'fra-1' })
