import assert from 'node:assert/strict'
import { test } from 'node:test'
import { broadcast, generations, join, listen, newest, of2023 } from './clients.mjs'
import { start } from './server.mjs'

const loud = { broadcast: { ack: true, self: true } }
const rich = { text: 'Grüße, 🎻', list: [1, 2.5, -3, null, true], deep: { empty: {}, '': '' } }

test('clients of 2023 and of today hear themselves and each other, with the same payloads', async (t) => {
  const server = await start(t)
  const old = await join(of2023(server), 'room', loud)
  const young = await join(newest(server), 'room', loud)

  assert.equal(await broadcast(old, 'from-2023', rich), 'ok')
  assert.equal(await broadcast(young, 'from-today', rich), 'ok')
  for (const channel of [old, young]) {
    assert.deepEqual(await channel.heard.next(), { type: 'broadcast', event: 'from-2023', payload: rich })
    assert.deepEqual(await channel.heard.next(), { type: 'broadcast', event: 'from-today', payload: rich })
  }
})

test('bytes reach clients of today only, and leave those of 2023 undisturbed', async (t) => {
  const server = await start(t)
  const old = await join(of2023(server), 'room')
  const young = await join(newest(server), 'room', loud)

  assert.equal(await broadcast(young, 'bytes', Uint8Array.of(1, 2).buffer), 'ok')
  assert.equal(await broadcast(young, 'words', { after: 'bytes' }), 'ok')
  assert.deepEqual(new Uint8Array((await young.heard.next()).payload), Uint8Array.of(1, 2))
  assert.equal((await young.heard.next()).event, 'words')
  assert.deepEqual(await old.heard.next(), { type: 'broadcast', event: 'words', payload: { after: 'bytes' } })
})

test('a broadcast over HTTP reaches both generations', async (t) => {
  const server = await start(t)
  const room = [await join(of2023(server), 'room'), await join(newest(server), 'room')]

  assert.deepEqual(await listen(newest(server), 'room').httpSend('http', rich), { success: true })
  for (const channel of room) {
    assert.deepEqual(await channel.heard.next(), { type: 'broadcast', event: 'http', payload: rich })
  }
})

for (const [name, make] of Object.entries(generations)) {
  test(`what ${name} sends before it joins goes over HTTP and reaches both generations`, async (t) => {
    const server = await start(t)
    const room = [await join(of2023(server), 'room'), await join(newest(server), 'room')]

    assert.equal(await broadcast(listen(make(server), 'room'), 'early', rich), 'ok')
    for (const channel of room) {
      assert.deepEqual(await channel.heard.next(), { type: 'broadcast', event: 'early', payload: rich })
    }
  })
}
