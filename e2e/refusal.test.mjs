import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { broadcast, generations, join, listen, newest, token } from './clients.mjs'
import { start } from './server.mjs'
import { before } from './until.mjs'

/** Tries to join and returns the message of the error. */
async function refused(client, topic, config) {
  const channel = listen(client, topic, config)
  channel.start()
  const { err } = await channel.states.find(({ status }) => status === 'CHANNEL_ERROR')
  assert.ok(!channel.states.all.some(({ status }) => status === 'SUBSCRIBED'))
  return err?.message
}

test('a private topic that nobody may read is refused with the reason', async (t) => {
  const server = await start(t)
  assert.equal(
    await refused(newest(server), 'secret', { private: true }),
    'Unauthorized: You do not have permissions to read from this Channel topic: secret',
  )
})

test('a refused topic leaves the other topics of its client alone', async (t) => {
  const server = await start(t)
  const client = newest(server)
  const open = await join(client, 'open', { broadcast: { self: true, ack: true } })
  await refused(client, 'secret', { private: true })
  assert.equal(await broadcast(open, 'still', { here: true }), 'ok')
  assert.equal((await open.heard.next()).event, 'still')
  assert.equal(open.states.all.length, 1)
})

for (const [name, make] of Object.entries(generations)) {
  test(`${name} learns why a public topic is refused`, async (t) => {
    const secret = 'a secret of this test, with more than 32 characters'
    const server = await start(t, { tenants: `tenants: [{external_id: closed, jwt_secret: '${secret}', private_only: true}]` })
    const client = make(server, { url: server.host('closed'), key: token(secret) })
    assert.match(await refused(client, 'room'), /PrivateOnly: This project only allows private channels/)
  })

  test(`${name} learns that it has joined as many topics as it may`, async (t) => {
    const server = await start(t, { env: { TENANT_MAX_CHANNELS_PER_CLIENT: '1' } })
    const client = make(server)
    const first = await join(client, 'first')
    assert.match(await refused(client, 'second'), /ChannelRateLimitReached: Too many channels/)
    assert.equal(first.states.all.length, 1)
  })

  test(`${name} with a wrong key does not connect`, async (t) => {
    const server = await start(t)
    const client = make(server, { key: token('another secret') })
    await refused(client, 'room')
    assert.ok(!client.realtime.isConnected())
  })
}

for (const [name, { key, status, error }] of Object.entries({
  'no key': { key: () => '', status: 401, error: 'API key is missing' },
  'a key that is no token': { key: () => 'apikey=word', status: 401, error: 'The token provided is not a valid JWT' },
  'a key of another secret': { key: () => `apikey=${token('another secret')}`, status: 401, error: 'Failed to validate JWT signature' },
  'a key that has expired': {
    key: () => `apikey=${token('known', -60)}`,
    status: 401,
    error: 'Token has expired',
  },
})) {
  test(`${name} is refused in words, over HTTP and to a WebSocket`, async (t) => {
    const server = await start(t, { env: { API_JWT_SECRET: 'known' } })
    const address = `${server.url}/realtime/v1/websocket?${key()}&vsn=2.0.0`

    const plain = await fetch(address)
    assert.equal(plain.status, status)
    assert.match(plain.headers.get('content-type'), /^application\/json/)
    assert.deepEqual(await plain.json(), { error })

    const socket = new WebSocket(address.replace(/^http/, 'ws'))
    const [, answer] = await before(5_000, 'the refusal', once(socket, 'unexpected-response'))
    assert.equal(answer.statusCode, status)
    assert.deepEqual(JSON.parse((await answer.toArray()).join('')), { error })
  })
}

test('a broadcast over HTTP with a wrong key is refused in words', async (t) => {
  const server = await start(t)
  const channel = listen(newest(server, { key: token('another secret') }), 'room')
  await assert.rejects(channel.httpSend('note', {}), { message: 'Unauthorized' })
})
