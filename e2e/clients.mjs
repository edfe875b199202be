// The official clients of two generations: the newest, which speaks serializer
// 2.0.0, and one of 2023, which speaks 1.0.0.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { createClient } from '@supabase/supabase-js'
import { createClient as createClient2023 } from 'supabase-js-2023'
import { WebSocket } from 'ws'
import { Heard } from './until.mjs'

const stateless = { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false }

/** Makes a client of today. Its wires are the sockets it has opened so far. */
export function newest(server, { url = server.url, key = server.anon } = {}) {
  const wires = []
  // Node got a WebSocket of its own with version 22.
  class Wire extends WebSocket {
    constructor(address, protocols) {
      super(address, protocols)
      wires.push(this)
    }
  }
  const client = createClient(url, key, { auth: stateless, realtime: { transport: Wire, logger: () => {} } })
  client.wires = wires
  client.cut = () => wires.at(-1).terminate()
  return keep(server, client)
}

/** Makes a client of 2023. It brings a WebSocket along. */
export function of2023(server, { url = server.url, key = server.anon } = {}) {
  const client = createClient2023(url, key, { auth: stateless })
  client.cut = () => client.realtime.conn._connection.socket.destroy()
  return keep(server, client)
}

/** Both generations, for tests that ask the same of each. */
export const generations = { 'the newest client': newest, 'the client of 2023': of2023 }

function keep(server, client) {
  server.guest(async () => {
    await client.removeAllChannels()
    await client.realtime.disconnect()
  })
  return client
}

/**
 * Makes a channel that notes what it hears and what its state becomes. It joins
 * when join is called. Presence is noted if config has it.
 */
export function listen(client, topic, config = {}) {
  const channel = client.channel(topic, { config })
  channel.heard = new Heard(`a broadcast on ${topic}`)
  channel.states = new Heard(`a state of ${topic}`)
  channel.notices = new Heard(`a notice on ${topic}`)
  channel.on('broadcast', { event: '*' }, channel.heard.add)
  channel.on('system', { event: '*' }, channel.notices.add)
  if (config.presence) {
    channel.presences = new Heard(`presence on ${topic}`)
    for (const event of ['sync', 'join', 'leave']) channel.on('presence', { event }, channel.presences.add)
  }
  channel.start = () => channel.subscribe((status, err) => channel.states.add({ status, err }))
  return channel
}

/** Joins a topic and returns its channel. */
export async function join(client, topic, config) {
  const channel = listen(client, topic, config)
  channel.start()
  await joined(channel)
  return channel
}

/** Waits until a channel is joined for this many times. */
export async function joined(channel, times = 1) {
  await channel.states.until((all) => all.filter(({ status }) => status === 'SUBSCRIBED').length >= times, 15_000)
}

/** Listens to changes and waits until none can be missed. Its changes are what each filter lets through. */
export async function watch(client, topic, ...filters) {
  const channel = listen(client, topic)
  channel.changes = filters.map((filter) => {
    const heard = new Heard(`a change for ${JSON.stringify(filter)}`)
    channel.on('postgres_changes', filter, heard.add)
    return heard
  })
  channel.start()
  await joined(channel)
  await channel.notices.find(subscribed, 20_000)
  return channel
}

/** Whether a notice says that changes can be missed no more. */
export const subscribed = ({ message }) => message === 'Subscribed to PostgreSQL'

/** The presence state as its users see it, without the references of its entries. */
export function seen(channel) {
  return Object.fromEntries(
    Object.entries(channel.presenceState()).map(([key, entries]) => [key, entries.map(({ presence_ref: _, ...own }) => own)]),
  )
}

/** Waits until the channel's state is this. */
export async function sees(channel, want, milliseconds) {
  const same = () => {
    try {
      assert.deepEqual(seen(channel), want)
      return true
    } catch {
      return false
    }
  }
  await channel.presences.until(same, milliseconds).catch((err) => {
    assert.deepEqual(seen(channel), want, err.message)
  })
}

export function broadcast(channel, event, payload) {
  return channel.send({ type: 'broadcast', event, payload })
}

/** Signs a token; lives is its time to live in seconds, negative for one that has expired. */
export function token(secret, lives = 3600, claims = {}) {
  const now = Math.floor(Date.now() / 1000)
  const body = [{ alg: 'HS256', typ: 'JWT' }, { role: 'authenticated', iat: now, exp: now + lives, ...claims }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
}
