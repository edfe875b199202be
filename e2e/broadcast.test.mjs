import assert from 'node:assert/strict'
import { test } from 'node:test'
import { broadcast, join, listen, newest } from './clients.mjs'
import { start } from './server.mjs'

const rich = { text: 'Grüße, 🎻', list: [1, 2.5, -3, null, true], deep: { empty: {}, '': '' } }

test('what one client sends another hears, and the sender is told that it was sent', async (t) => {
  const server = await start(t)
  const ann = await join(newest(server), 'room', { broadcast: { ack: true } })
  const bob = await join(newest(server), 'room')

  assert.equal(await broadcast(ann, 'note', rich), 'ok')
  assert.deepEqual(await bob.heard.next(), { type: 'broadcast', event: 'note', payload: rich })
})

test('a client hears itself only if it asked to', async (t) => {
  const server = await start(t)
  const ann = await join(newest(server), 'room', { broadcast: { ack: true, self: true } })
  const bob = await join(newest(server), 'room', { broadcast: { ack: true, self: false } })

  assert.equal(await broadcast(bob, 'one', { by: 'bob' }), 'ok')
  assert.equal(await broadcast(ann, 'two', { by: 'ann' }), 'ok')
  assert.deepEqual([(await ann.heard.next()).event, (await ann.heard.next()).event], ['one', 'two'])
  assert.equal((await bob.heard.next()).event, 'two', 'bob must not hear himself')
})

test('bytes arrive as the same bytes', async (t) => {
  const server = await start(t)
  const ann = await join(newest(server), 'room', { broadcast: { ack: true, self: true } })
  const bob = await join(newest(server), 'room')
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)

  assert.equal(await broadcast(ann, 'samples', bytes.buffer), 'ok')
  for (const channel of [ann, bob]) {
    const { event, payload } = await channel.heard.next()
    assert.equal(event, 'samples')
    assert.ok(payload instanceof ArrayBuffer)
    assert.deepEqual(new Uint8Array(payload), bytes)
  }
})

test('a thousand broadcasts arrive in order', async (t) => {
  const server = await start(t, { env: { TENANT_MAX_EVENTS_PER_SECOND: '100000' } })
  const ann = await join(newest(server), 'room')
  const bob = await join(newest(server), 'room')

  const numbers = Array.from({ length: 1000 }, (_, i) => i)
  for (const n of numbers) await broadcast(ann, 'count', { n })
  await bob.heard.until((all) => all.length >= numbers.length)
  assert.deepEqual(bob.heard.all.map(({ payload }) => payload.n), numbers)
})

test('a payload larger than the tenant may send is answered with an error, and the channel lives on', async (t) => {
  const server = await start(t, { env: { TENANT_MAX_PAYLOAD_SIZE_IN_KB: '1' } })
  const ann = await join(newest(server), 'room', { broadcast: { ack: true } })
  const bob = await join(newest(server), 'room')

  assert.equal(await broadcast(ann, 'large', { text: 'x'.repeat(1500) }), 'error')
  assert.equal(await broadcast(ann, 'small', { text: 'x'.repeat(1000) }), 'ok')
  assert.equal((await bob.heard.next()).event, 'small')
})

test('a channel that was removed can be joined again, and hears everything once', async (t) => {
  const server = await start(t)
  const client = newest(server)
  const ann = await join(newest(server), 'room', { broadcast: { ack: true } })

  const before = await join(client, 'room')
  assert.equal(await client.removeChannel(before), 'ok')
  assert.equal((await before.states.find(({ status }) => status === 'CLOSED')).err, undefined)
  assert.equal(await broadcast(ann, 'missed', {}), 'ok')

  const after = await join(client, 'room')
  assert.equal(await broadcast(ann, 'heard', {}), 'ok')
  assert.equal(await broadcast(ann, 'last', {}), 'ok')
  assert.deepEqual([(await after.heard.next()).event, (await after.heard.next()).event], ['heard', 'last'])
  assert.deepEqual(before.heard.all, [])
})

test('what is sent over HTTP reaches those who joined, as JSON and as bytes', async (t) => {
  const server = await start(t)
  const ann = listen(newest(server), 'room: north/1')
  const bob = await join(newest(server), 'room: north/1')

  assert.deepEqual(await ann.httpSend('note / a', rich), { success: true })
  assert.deepEqual(await bob.heard.next(), { type: 'broadcast', event: 'note / a', payload: rich })
  assert.deepEqual(await ann.httpSend('bytes', Uint8Array.of(0, 255).buffer), { success: true })
  assert.deepEqual(new Uint8Array((await bob.heard.next()).payload), Uint8Array.of(0, 255))
})
