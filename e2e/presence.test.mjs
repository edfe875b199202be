import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generations, join, newest, of2023, seen, sees, token } from './clients.mjs'
import { start } from './server.mjs'

// Clients of 2023 do not ask for presence; a tenant may give it to all.
const secret = 'a secret of this test, with more than 32 characters'
const tenants = `tenants: [{external_id: band, jwt_secret: '${secret}', presence_enabled: true}]`

async function band(t) {
  const server = await start(t, { tenants })
  return { server, at: { url: server.host('band'), key: token(secret) } }
}

const as = (key) => ({ presence: { key } })

test('both generations see who comes, changes and goes', async (t) => {
  const { server, at } = await band(t)
  const ann = await join(newest(server, at), 'stage', as('ann'))
  const bob = await join(of2023(server, at), 'stage', as('bob'))

  assert.equal(await ann.track({ plays: 'violin' }), 'ok')
  for (const channel of [ann, bob]) {
    await sees(channel, { ann: [{ plays: 'violin' }] })
    const { newPresences, currentPresences } = await channel.presences.find(({ event, key }) => event === 'join' && key === 'ann')
    assert.equal(newPresences.length, 1)
    assert.equal(newPresences[0].plays, 'violin')
    assert.deepEqual(currentPresences, [])
  }

  assert.equal(await bob.track({ plays: 'drums' }), 'ok')
  for (const channel of [ann, bob]) await sees(channel, { ann: [{ plays: 'violin' }], bob: [{ plays: 'drums' }] })

  assert.equal(await ann.track({ plays: 'viola', tuned: true }), 'ok')
  for (const channel of [ann, bob]) await sees(channel, { ann: [{ plays: 'viola', tuned: true }], bob: [{ plays: 'drums' }] })

  assert.equal(await ann.untrack(), 'ok')
  for (const channel of [ann, bob]) {
    await sees(channel, { bob: [{ plays: 'drums' }] })
    const { leftPresences } = await channel.presences.find(
      ({ event, key, leftPresences }) => event === 'leave' && key === 'ann' && leftPresences[0].plays === 'viola',
    )
    assert.equal(leftPresences.length, 1)
  }
})

test('who comes late sees who is there', async (t) => {
  const { server, at } = await band(t)
  const ann = await join(newest(server, at), 'stage', as('ann'))
  assert.equal(await ann.track({ plays: 'violin' }), 'ok')
  for (const make of Object.values(generations)) {
    await sees(await join(make(server, at), 'stage', as('late')), { ann: [{ plays: 'violin' }] })
  }
})

test('two clients with one key are two entries of it', async (t) => {
  const { server, at } = await band(t)
  const desktop = await join(newest(server, at), 'stage', as('ann'))
  const phone = await join(of2023(server, at), 'stage', as('ann'))
  assert.equal(await desktop.track({ on: 'desktop' }), 'ok')
  assert.equal(await phone.track({ on: 'phone' }), 'ok')
  for (const channel of [desktop, phone]) {
    await channel.presences.until(() => channel.presenceState().ann?.length === 2)
    assert.deepEqual(seen(channel).ann.map(({ on }) => on).sort(), ['desktop', 'phone'])
  }
  assert.equal(await phone.unsubscribe(), 'ok')
  await sees(desktop, { ann: [{ on: 'desktop' }] })
})

for (const [name, make] of Object.entries(generations)) {
  test(`when the wire of ${name} is cut, the others see it leave`, async (t) => {
    const { server, at } = await band(t)
    const witnesses = [await join(newest(server, at), 'stage', as('wit')), await join(of2023(server, at), 'stage', as('ness'))]
    const client = make(server, at)
    const lost = await join(client, 'stage', as('lost'))
    assert.equal(await lost.track({ here: true }), 'ok')
    for (const channel of witnesses) await sees(channel, { lost: [{ here: true }] })

    client.cut()
    for (const channel of witnesses) await sees(channel, {})
  })
}

test('a client of today has presence without any setting of the tenant', async (t) => {
  const server = await start(t)
  const ann = await join(newest(server), 'stage', as('ann'))
  const bob = await join(newest(server), 'stage', as('bob'))
  assert.equal(await ann.track({ plays: 'violin' }), 'ok')
  for (const channel of [ann, bob]) await sees(channel, { ann: [{ plays: 'violin' }] })
})
