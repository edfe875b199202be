// Changes of a database, as the official clients get them.

import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { generations, joined, listen, newest, subscribed, token, watch } from './clients.mjs'
import { devForAll, secret } from './dev.mjs'
import { start } from './server.mjs'

const ann = '11111111-1111-1111-1111-111111111111'
const bob = '22222222-2222-2222-2222-222222222222'

let server
before(async () => {
  server = await devForAll()
  await server.sql(
    'CREATE TABLE notes (id bigint PRIMARY KEY, room int, title text)',
    'GRANT ALL ON notes TO anon, authenticated, service_role',
    'ALTER PUBLICATION supabase_realtime ADD TABLE notes',
  )
})

after(() => server.end())

const as = (sub, claims = {}) => newest(server, { key: token(secret, 3600, { sub, ...claims }) })

for (const [generation, make] of Object.entries(generations)) {
  test(`${generation} gets inserts, updates and deletes`, async () => {
    const topic = `all of ${generation}`
    const channel = await watch(make(server), topic, { event: '*', schema: 'public', table: 'notes' })
    const id = generation.length
    await server.sql(
      `INSERT INTO notes VALUES (${id}, 1, 'a')`,
      `UPDATE notes SET title = 'b' WHERE id = ${id}`,
      `DELETE FROM notes WHERE id = ${id}`,
    )
    const [heard] = channel.changes
    const mine = []
    while (mine.length < 3) {
      const change = await heard.next()
      if ((change.new.id ?? change.old.id) === id) mine.push(change)
    }
    assert.deepEqual(
      mine.map(({ eventType, new: now, old, schema, table, errors }) => ({ eventType, now, old, schema, table, errors })),
      [
        { eventType: 'INSERT', now: { id, room: 1, title: 'a' }, old: {}, schema: 'public', table: 'notes', errors: null },
        { eventType: 'UPDATE', now: { id, room: 1, title: 'b' }, old: { id }, schema: 'public', table: 'notes', errors: null },
        { eventType: 'DELETE', now: {}, old: { id }, schema: 'public', table: 'notes', errors: null },
      ],
    )
  })
}

test('filters and events choose among changes, and each listener gets its own', async () => {
  const channel = await watch(
    newest(server),
    'filtered',
    { event: 'INSERT', schema: 'public', table: 'notes', filter: 'room=eq.7' },
    { event: 'UPDATE', schema: 'public', table: 'notes', filter: 'title=in.(x,y)' },
  )
  await server.sql(
    "INSERT INTO notes VALUES (101, 7, 'in room 7'), (102, 8, 'in room 8')",
    "UPDATE notes SET title = 'z' WHERE id = 101",
    "UPDATE notes SET title = 'y' WHERE id = 102",
    "INSERT INTO notes VALUES (103, 7, 'last')",
  )
  const [inserts, updates] = channel.changes
  assert.deepEqual([(await inserts.next()).new.id, (await inserts.next()).new.id], [101, 103])
  assert.equal((await updates.next()).new.id, 102)
  assert.equal(updates.all.length, 1)
})

test('row-level security shows everybody their own rows', async () => {
  const filter = { event: '*', schema: 'public', table: 'todos' }
  const channels = {
    ann: await watch(as(ann), 'todos', filter),
    bob: await watch(as(bob), 'todos', filter),
    anon: await watch(newest(server), 'todos', filter),
    service: await watch(newest(server, { key: server.service }), 'todos', filter),
  }
  await server.sql(
    `INSERT INTO todos (user_id, title) VALUES ('${ann}', 'of ann'), ('${bob}', 'of bob')`,
    `INSERT INTO todos (user_id, title) VALUES ('${ann}', 'last of ann'), ('${bob}', 'last of bob')`,
  )
  const titles = async (channel, n) => {
    const all = []
    for (let i = 0; i < n; i++) all.push((await channel.changes[0].next()).new.title)
    return all
  }
  assert.deepEqual(await titles(channels.ann, 2), ['of ann', 'last of ann'])
  assert.deepEqual(await titles(channels.bob, 2), ['of bob', 'last of bob'])
  assert.deepEqual(await titles(channels.service, 4), ['of ann', 'of bob', 'last of ann', 'last of bob'])
  assert.deepEqual(channels.anon.changes[0].all, [])
})

test('a new token is another view of the same table', async () => {
  const client = newest(server, { key: server.anon })
  await client.realtime.setAuth(token(secret, 3600, { sub: ann }))
  const channel = await watch(client, 'renewed', { event: '*', schema: 'public', table: 'todos' })
  await client.realtime.setAuth(token(secret, 3600, { sub: bob }))
  await channel.notices.until((all) => all.filter(subscribed).length === 2)
  await server.sql(`INSERT INTO todos (user_id, title) VALUES ('${ann}', 'before'), ('${bob}', 'after')`)
  assert.equal((await channel.changes[0].next()).new.title, 'after')
})

test('what is wrong with a subscription is said', async () => {
  const channel = listen(newest(server), 'wrong')
  channel.on('postgres_changes', { event: '*', schema: 'public', table: 'notes', filter: 'nothing=eq.1' }, () => {})
  channel.start()
  await joined(channel)
  const { status, message } = await channel.notices.next()
  assert.equal(status, 'error')
  assert.match(message, /^Unable to subscribe to changes with given parameters\. .* invalid column for filter nothing$/)
})

test('a table that is published later reaches those who want all', async () => {
  const channel = await watch(newest(server), 'later', { event: 'INSERT', schema: '*' })
  await server.sql(
    'CREATE TABLE later (id int PRIMARY KEY)',
    'GRANT ALL ON later TO anon',
    'ALTER PUBLICATION supabase_realtime ADD TABLE later',
    'INSERT INTO later VALUES (1)',
  )
  assert.equal((await channel.changes[0].find(({ table }) => table === 'later')).new.id, 1)
})

test('what is committed right after the subscription is delivered', async () => {
  for (let i = 0; i < 10; i++) {
    const channel = await watch(newest(server), `at once ${i}`, { event: 'INSERT', schema: 'public', table: 'notes', filter: `id=eq.${500 + i}` })
    await server.sql(`INSERT INTO notes VALUES (${500 + i}, 1, 'at once')`)
    assert.equal((await channel.changes[0].next()).new.id, 500 + i)
  }
})

test('a server that is killed between commit and delivery loses nothing for a client that comes back', async (t) => {
  const db = new URL(server.found.psql)
  const tenants = `tenants:
  - external_id: acme
    jwt_secret: ${secret}
    max_events_per_second: 100000
    extensions:
      - type: postgres_cdc_rls
        settings: {db_host: 127.0.0.1, db_port: ${db.port}, db_name: postgres, db_user: ${db.username}, db_password: ${db.password}, ssl_enforced: false}
`
  const options = { tenants, env: { SLOT_NAME_SUFFIX: 'killed', DEFAULT_TENANT: 'acme' } }
  await server.sql('CREATE TABLE survivors (id int PRIMARY KEY)', 'GRANT ALL ON survivors TO anon', 'ALTER PUBLICATION supabase_realtime ADD TABLE survivors')
  const first = await start(t, options)
  const client = newest(first, { key: token(secret, 3600, { role: 'anon' }) })
  const channel = await watch(client, 'survivors', { event: 'INSERT', schema: 'public', table: 'survivors' })
  const writing = server.sql(
    `DO $$ BEGIN FOR i IN 1..300 LOOP INSERT INTO survivors VALUES (i); COMMIT; PERFORM pg_sleep(0.005); END LOOP; END $$`,
  )
  await channel.changes[0].until((all) => all.length >= 50)
  await first.kill()
  const second = await start(t, { ...options, port: first.port })
  await writing
  await channel.changes[0].until((all) => new Set(all.map((change) => change.new.id)).size === 300, 60_000)
  const ids = channel.changes[0].all.map((change) => change.new.id)
  const doubled = ids.length - 300
  assert.ok(doubled < 200, `${doubled} came twice: only what was not confirmed may`)
  assert.deepEqual([...new Set(ids)], [...Array(300).keys()].map((i) => i + 1), 'in order')
  await second.stop()
  await server.sql(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE '%_killed'`)
})
