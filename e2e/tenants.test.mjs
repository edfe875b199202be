import assert from 'node:assert/strict'
import { test } from 'node:test'
import { broadcast, generations, join, listen, newest, of2023, token } from './clients.mjs'
import { start } from './server.mjs'

const secrets = {
  acme: 'the secret of acme, with more than 32 characters',
  beta: 'the secret of beta, with more than 32 characters',
}
const tenants = `tenants:
  - {external_id: acme, jwt_secret: '${secrets.acme}', presence_enabled: true}
  - {external_id: beta, jwt_secret: '${secrets.beta}', presence_enabled: true}
`
const loud = { broadcast: { ack: true, self: true } }

test('two tenants never hear each other, however equal their topics are', async (t) => {
  const server = await start(t, { tenants })
  const of = (tenant) => ({ url: server.host(tenant), key: token(secrets[tenant]) })
  const acme = [await join(newest(server, of('acme')), 'room', loud), await join(of2023(server, of('acme')), 'room', loud)]
  const beta = [await join(newest(server, of('beta')), 'room', loud), await join(of2023(server, of('beta')), 'room', loud)]

  for (const channel of acme) assert.equal(await broadcast(channel, 'for acme', {}), 'ok')
  for (const channel of beta) assert.equal(await broadcast(channel, 'for beta', {}), 'ok')
  await listen(newest(server, of('acme')), 'room').httpSend('for acme', {})
  await listen(newest(server, of('beta')), 'room').httpSend('for beta', {})
  for (const [channels, own] of [[acme, 'for acme'], [beta, 'for beta']]) {
    for (const channel of channels) {
      const events = [await channel.heard.next(), await channel.heard.next(), await channel.heard.next()].map(({ event }) => event)
      assert.deepEqual(events, [own, own, own])
    }
  }
})

test('two tenants never see each other', async (t) => {
  const server = await start(t, { tenants })
  const of = (tenant) => ({ url: server.host(tenant), key: token(secrets[tenant]) })
  const acme = await join(newest(server, of('acme')), 'room', { presence: { key: 'one' } })
  const beta = await join(newest(server, of('beta')), 'room', { presence: { key: 'one' } })
  assert.equal(await acme.track({ of: 'acme' }), 'ok')
  assert.equal(await beta.track({ of: 'beta' }), 'ok')
  for (const [channel, own] of [[acme, 'acme'], [beta, 'beta']]) {
    await channel.presences.find(({ event }) => event === 'join')
    assert.deepEqual(channel.presenceState().one.map(({ of }) => of), [own])
  }
})

for (const [name, make] of Object.entries(generations)) {
  test(`${name} of one tenant is no client of another`, async (t) => {
    const server = await start(t, { tenants })
    const client = make(server, { url: server.host('beta'), key: token(secrets.acme) })
    const channel = listen(client, 'room')
    channel.start()
    await channel.states.find(({ status }) => status === 'CHANNEL_ERROR')
    assert.ok(!client.realtime.isConnected())
  })
}

test('a host that is no tenant is refused in words', async (t) => {
  const server = await start(t, { tenants })
  const answer = await fetch(`${server.host('gamma')}/realtime/v1/websocket?apikey=${token(secrets.acme)}&vsn=2.0.0`)
  assert.equal(answer.status, 404)
  assert.deepEqual(await answer.json(), { error: 'Tenant not found' })
})

test('DEFAULT_TENANT names the tenant of a bare address', async (t) => {
  const server = await start(t, { tenants, env: { DEFAULT_TENANT: 'beta' } })
  const channel = await join(newest(server, { url: `http://127.0.0.1:${server.port}`, key: token(secrets.beta) }), 'room', loud)
  assert.equal(await broadcast(channel, 'hello', {}), 'ok')
})
