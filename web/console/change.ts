// A change of a database row, made ready to be read: what was, what is, how long
// it took. Pure.

type Row = Readonly<Record<string, unknown>>

/** What supabase-js hands over for a change. */
export type ChangePayload = {
  schema: string
  table: string
  commit_timestamp: string | null
  eventType: string
  new: Row
  old: Row
  errors: string[] | null
}

export type Cell = {
  name: string
  now?: unknown // absent for a DELETE
  before?: unknown // absent when nobody knows
  // Who says what was before: the server, or this page, which saw the row earlier.
  from?: 'server' | 'page'
  changed: boolean
}

export type Change = {
  at: number // milliseconds, when it arrived
  event: string
  table: string // with its schema
  row: Row
  cells: Cell[]
  latency: number | null // milliseconds from commit to arrival, by two clocks
  errors: string[]
  bindings: number[] // which of the topic's bindings it fits, from 1
}

/** Reads a change; earlier are those that this page saw before, oldest first. */
export function readChange(payload: ChangePayload, at: number, earlier: readonly Change[]): Change {
  const table = `${payload.schema}.${payload.table}`
  const committed = payload.commit_timestamp === null ? NaN : Date.parse(payload.commit_timestamp)
  return {
    at,
    event: payload.eventType,
    table,
    row: payload.new,
    cells: payload.eventType === 'DELETE' ? gone(payload.old) : cells(payload, lastSeen(table, payload, earlier)),
    latency: Number.isNaN(committed) ? null : at - committed,
    errors: payload.errors ?? [],
    bindings: [],
  }
}

function gone(old: Row): Cell[] {
  return Object.entries(old).map(([name, before]) => ({ name, before, from: 'server', changed: true }))
}

function cells(payload: ChangePayload, seen: Row): Cell[] {
  return Object.entries(payload.new).map(([name, now]) => {
    if (payload.eventType !== 'UPDATE') return { name, now, changed: false }
    const from = Object.hasOwn(payload.old, name) ? 'server' : Object.hasOwn(seen, name) ? 'page' : undefined
    if (!from) return { name, now, changed: false }
    const before = from === 'server' ? payload.old[name] : seen[name]
    return { name, now, before, from, changed: !same(before, now) }
  })
}

// Most tables send the key of the old row only, but this page may have seen the
// rest of it.
function lastSeen(table: string, { eventType, old, new: now }: ChangePayload, earlier: readonly Change[]): Row {
  const key = Object.entries(old)
  if (eventType !== 'UPDATE' || key.length === 0 || key.length >= Object.keys(now).length) return {}
  for (let i = earlier.length - 1; i >= 0; i--) {
    const change = earlier[i]!
    // The row of a DELETE is empty: nothing is known of what comes after it.
    if (change.table === table && key.every(([name, value]) => same(valueIn(change, name), value))) return change.row
  }
  return {}
}

function valueIn(change: Change, name: string): unknown {
  return change.event === 'DELETE' ? change.cells.find((cell) => cell.name === name)?.before : change.row[name]
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  // Only lists and objects need the long way; this is asked for each row seen.
  return typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b)
}

/** Writes a latency; a negative one is the fault of a clock. */
export function latencyInWords(milliseconds: number): string {
  if (milliseconds < 0) return `${Math.round(milliseconds)} ms, so the clocks differ`.replace('-', '−')
  return milliseconds < 10_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`
}

/** A system message of a topic. */
export type Notice = { at: number; ok: boolean; extension: string; text: string }

/** How a topic's subscription to changes stands. */
export type Standing = 'none' | 'waiting' | 'subscribed' | 'refused'

/** Tells how a subscription stands after a notice. */
export function standing(before: Standing, notice: Notice): Standing {
  if (notice.extension !== 'postgres_changes') return before
  if (notice.ok) return 'subscribed'
  // These two are about single changes: the subscription lives on.
  if (/^Too many database changes|are not delivered: /.test(notice.text)) return before
  // The server tries again by itself.
  if (/^Unable to subscribe to changes: |^Changes were lost/.test(notice.text)) return 'waiting'
  return 'refused'
}
