import type { SupabaseClient } from '@supabase/supabase-js'
import { describe, expect, test, vi } from 'vitest'
import { bindingInWords, channelOptions, distinct, readBinding, snippet, type RoomOptions } from './options'
import { Room } from './room'

const plain: RoomOptions = { name: 'lobby', isPrivate: false, self: true, ack: true, presence: false, presenceKey: '', bindings: [], replay: null }
const all: RoomOptions = {
  name: `it's a "room" \\ 1`, isPrivate: true, self: false, ack: true, presence: true, presenceKey: 'ann',
  bindings: [{ event: '*', schema: 'public', table: 'todos', filter: 'title=eq."it\'s"' }, { event: 'DELETE', schema: 'public' }],
  replay: { minutes: 10, limit: 5 },
}

// A client that writes down what is asked of it.
function recorder() {
  const calls: unknown[] = []
  const channel = {
    on: (type: string, filter: unknown) => (calls.push(['on', type, filter]), channel),
    subscribe: () => (calls.push(['subscribe']), channel),
  }
  const client = {
    channel: (name: string, config: unknown) => (calls.push(['channel', name, config]), channel),
    realtime: { setAuth: async (token: string) => void calls.push(['setAuth', token]) },
  }
  return { calls, client }
}

async function run(code: string) {
  const { calls, client } = recorder()
  const createClient = (...args: unknown[]) => (calls.push(['createClient', ...args]), client)
  const body = code.replace(/^import .*\n/, '')
  await new Function('createClient', `return (async () => {${body}})()`)(createClient)
  return calls
}

// The library takes a missing key for an empty one.
function keyed(calls: unknown[]): unknown[] {
  return JSON.parse(JSON.stringify(calls, (name, value) => (name === 'presence' ? { key: '', ...value } : value))) as unknown[]
}

describe('snippet', () => {
  for (const [name, options] of Object.entries({ 'a plain topic': plain, 'everything at once': all })) {
    test(`asks of the client what the page asks: ${name}`, async () => {
      vi.useFakeTimers({ now: 1_700_000_000_000 })
      const page = recorder()
      const room = new Room(options, { state() {}, message() {}, presence() {}, change() {}, notice() {} })
      room.join(page.client as unknown as SupabaseClient)
      const calls = await run(snippet({ url: 'http://a', vsn: '2.0.0', userToken: false, options }))
      vi.useRealTimers()
      expect(calls[0]).toEqual(['createClient', 'http://a', 'YOUR_KEY'])
      expect(keyed(calls.slice(1))).toEqual(keyed(page.calls))
    })
  }
  test('sets the token before it joins', async () => {
    const calls = await run(snippet({ url: 'http://a', vsn: '1.0.0', userToken: true, options: plain }))
    expect(calls[0]).toEqual(['createClient', 'http://a', 'YOUR_KEY', { realtime: { vsn: '1.0.0' } }])
    expect(calls[1]).toEqual(['setAuth', 'USER_TOKEN'])
  })
})

test('a public topic is never asked to replay, for the library throws', () => {
  expect(channelOptions({ ...all, isPrivate: false }, 0).config.broadcast).toEqual({ self: false, ack: true })
  expect(channelOptions(all, 600_000).config.broadcast?.replay).toEqual({ since: 0, limit: 5 })
})

describe('readBinding', () => {
  test('leaves out what is empty', () => expect(readBinding('*', ' ', '', ' ')).toEqual({ event: '*', schema: 'public' }))
  test('trims the rest', () => {
    expect(readBinding('INSERT', 's', ' t ', ' id=eq.1 ')).toEqual({ event: 'INSERT', schema: 's', table: 't', filter: 'id=eq.1' })
  })
})

test('distinct leaves each binding once', () => {
  const [a, b] = all.bindings
  expect(distinct([a!, b!, { ...a! }])).toEqual([a, b])
})

test('bindingInWords reads as a sentence', () => {
  expect(all.bindings.map(bindingInWords)).toEqual([`any change of public.todos where title=eq."it's"`, 'DELETE of public.*'])
})
