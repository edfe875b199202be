import assert from 'node:assert/strict'
import { test } from 'node:test'
import { broadcast, generations, join, listen, newest, token } from './clients.mjs'
import { start, tutti } from './server.mjs'

const secret = 'a secret of this test, with more than 32 characters'
const loud = { broadcast: { ack: true, self: true } }

for (const [name, make] of Object.entries(generations)) {
  test(`a new token of ${name} keeps its channel`, async (t) => {
    const server = await start(t, { env: { API_JWT_SECRET: secret } })
    const client = make(server)
    const channel = await join(client, 'room', loud)
    await client.realtime.setAuth(token(secret, 3600, { sub: 'ann' }))
    assert.equal(await broadcast(channel, 'after', {}), 'ok')
    assert.equal((await channel.heard.next()).event, 'after')
    assert.deepEqual(channel.states.all.map(({ status }) => status), ['SUBSCRIBED'])
    assert.ok(!channel.notices.all.some(({ status }) => status === 'error'))
  })

  test(`an expired token of ${name} closes its channel`, async (t) => {
    const server = await start(t, { env: { API_JWT_SECRET: secret } })
    const client = make(server)
    const channel = await join(client, 'room', loud)
    await client.realtime.setAuth(token(secret, -60))
    await channel.states.find(({ status }) => status === 'CLOSED')
  })
}

test('the notice before a channel is closed names the cause', async (t) => {
  const server = await start(t, { env: { API_JWT_SECRET: secret } })
  const client = newest(server)
  const channel = await join(client, 'room')
  await client.realtime.setAuth(token(secret, -60))
  const notice = await channel.notices.next()
  assert.match(notice.message, /^Token has expired 6\d seconds ago$/)
  assert.deepEqual(notice, { extension: 'system', status: 'error', channel: 'room', message: notice.message })
  await channel.states.find(({ status }) => status === 'CLOSED')
})

test('a token that runs out while its channel is joined closes the channel', async (t) => {
  const server = await start(t, { env: { API_JWT_SECRET: secret } })
  const client = newest(server)
  await client.realtime.setAuth(token(secret, 2))
  const channel = await join(client, 'room')
  assert.match((await channel.notices.next()).message, /^Token has expired \d seconds ago$/)
  await channel.states.find(({ status }) => status === 'CLOSED')
})

test('a channel that was closed for its token can be joined with a better one', async (t) => {
  const server = await start(t, { env: { API_JWT_SECRET: secret } })
  const client = newest(server)
  const channel = await join(client, 'room')
  await client.realtime.setAuth(token(secret, -60))
  await channel.states.find(({ status }) => status === 'CLOSED')
  await client.realtime.setAuth(token(secret))
  const again = await join(client, 'room', loud)
  assert.equal(await broadcast(again, 'back', {}), 'ok')
})

test('a token that the command line minted is a key', async (t) => {
  const server = await start(t, { env: { API_JWT_SECRET: secret } })
  const key = await tutti('token', '--secret', secret, '--role', 'authenticated', '--sub', 'ann', '--expires', '5m')
  const channel = await join(newest(server, { key }), 'room', loud)
  assert.equal(await broadcast(channel, 'hello', {}), 'ok')
})

test('the printed service key may broadcast over HTTP', async (t) => {
  const server = await start(t)
  const room = await join(newest(server), 'room')
  assert.deepEqual(await listen(newest(server, { key: server.service }), 'room').httpSend('notice', { from: 'server' }), { success: true })
  assert.deepEqual((await room.heard.next()).payload, { from: 'server' })
})
