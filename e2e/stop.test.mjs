import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { broadcast, generations, join, joined, newest } from './clients.mjs'
import { start } from './server.mjs'
import { before } from './until.mjs'

const secret = 'a secret of this test, with more than 32 characters'
const loud = { broadcast: { ack: true, self: true } }

test('a stop closes every socket with 1012, and the process ends well and soon', async (t) => {
  const server = await start(t)
  const address = `${server.url.replace(/^http/, 'ws')}/realtime/v1/websocket?apikey=${server.anon}&vsn=2.0.0`
  const sockets = Array.from({ length: 20 }, () => new WebSocket(address))
  await Promise.all(sockets.map((socket) => before(5_000, 'a connection', once(socket, 'open'))))
  const client = newest(server)
  const channel = await join(client, 'room')

  sockets.push(client.wires[0])
  const codes = sockets.map((socket) => before(5_000, 'the end of a connection', once(socket, 'close')))
  const took = await server.stop()
  for (const [code] of await Promise.all(codes)) assert.equal(code, 1012)
  assert.match((await channel.states.find(({ status }) => status === 'CHANNEL_ERROR')).err.message, /1012/)
  assert.ok(took < 5_000, `it took ${took} ms`)
})

test('a client that does not answer holds a stop up, but not for the whole grace', async (t) => {
  const server = await start(t)
  const client = newest(server)
  await join(client, 'room')
  client.wires[0]._socket.pause() // reads nothing, so it never answers the close frame
  const took = await server.stop()
  assert.ok(took < 9_000, `it took ${took} ms of the 10 s grace`)
})

for (const [name, make] of Object.entries(generations)) {
  test(`${name} finds back by itself after the server was started again`, async (t) => {
    const first = await start(t, { env: { API_JWT_SECRET: secret } })
    const client = make(first)
    const channel = await join(client, 'room', loud)
    assert.equal(await broadcast(channel, 'first', {}), 'ok')
    await first.stop()
    await channel.states.find(({ status }) => status === 'CHANNEL_ERROR')

    const second = await start(t, { port: first.port, env: { API_JWT_SECRET: secret } })
    await joined(channel, 2)
    const other = await join(newest(second), 'room', { broadcast: { ack: true } })
    assert.equal(await broadcast(other, 'second', {}), 'ok')
    assert.equal(await broadcast(channel, 'third', {}), 'ok')
    assert.deepEqual([await channel.heard.next(), await channel.heard.next(), await channel.heard.next()].map(({ event }) => event), ['first', 'second', 'third'])
  })
}
