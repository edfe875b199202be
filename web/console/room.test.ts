import type { SupabaseClient } from '@supabase/supabase-js'
import { describe, expect, test } from 'vitest'
import type { RoomOptions } from './options'
import { Room } from './room'

const options: RoomOptions = {
  name: 'todos', isPrivate: true, self: true, ack: true, presence: false, presenceKey: '', replay: { minutes: 1, limit: 5 },
  bindings: [{ event: '*', schema: 'public', table: 'todos' }, { event: 'INSERT', schema: 'public' }],
}

/** Joins a room whose server is the test: heard calls what listens to a type. */
function joined() {
  const listeners: { type: string; call: (payload: unknown) => void }[] = []
  let status: (status: string) => void = () => {}
  const channel = {
    on: (type: string, _: unknown, call: (payload: unknown) => void) => (listeners.push({ type, call }), channel),
    subscribe: (call: (status: string) => void) => ((status = call), channel),
  }
  const room = new Room(options, { state() {}, message() {}, presence() {}, change() {}, notice() {} })
  room.join({ channel: () => channel } as unknown as SupabaseClient)
  status('SUBSCRIBED')
  const heard = (type: string, payload: unknown) => listeners.filter((one) => one.type === type).forEach((one) => one.call(payload))
  return { room, heard }
}

const insert = (id: number) => ({ schema: 'public', table: 'todos', commit_timestamp: null, eventType: 'INSERT', new: { id }, old: {}, errors: null })

describe('a room', () => {
  test('takes a change that fits two bindings for one', () => {
    const { room, heard } = joined()
    heard('postgres_changes', insert(1))
    heard('postgres_changes', insert(2))
    expect(room.changes.map(({ row, bindings }) => ({ row, bindings }))).toEqual([
      { row: { id: 1 }, bindings: [1, 2] },
      { row: { id: 2 }, bindings: [1, 2] },
    ])
  })

  test('keeps the newest changes only', () => {
    const { room, heard } = joined()
    for (let id = 1; id <= 300; id++) heard('postgres_changes', insert(id))
    expect(room.changes.length).toBe(200)
    expect(room.changes.at(-1)?.row).toEqual({ id: 300 })
  })

  test('knows whether changes come, and stays joined when they do not', () => {
    const { room, heard } = joined()
    expect(room.standing).toBe('waiting')
    heard('system', { extension: 'postgres_changes', status: 'ok', message: 'Subscribed to PostgreSQL' })
    expect(room.standing).toBe('subscribed')
    heard('system', { extension: 'postgres_changes', status: 'error', message: 'Error parsing `filter` params: ["wrong"]' })
    expect(room).toMatchObject({ standing: 'refused', state: 'joined', problem: null })
    expect(room.notices.map(({ ok }) => ok)).toEqual([true, false])
  })

  test('makes what the server says of the topic itself a problem', () => {
    const { room, heard } = joined()
    heard('system', { extension: 'system', status: 'error', message: 'Too many messages per second' })
    expect(room.problem?.title).toBe('Too many messages per second')
  })

  test('shows a message that is replayed again once', () => {
    const { room, heard } = joined()
    const old = { event: 'e', payload: {}, meta: { id: 'a', replayed: true } }
    for (const message of [old, { ...old, meta: { id: 'b', replayed: true } }, old, { event: 'e', payload: {} }]) heard('broadcast', message)
    expect(room.messages.map(({ meta }) => (meta as { id?: string } | undefined)?.id)).toEqual(['a', 'b', undefined])
  })
})
