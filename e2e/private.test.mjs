// Private channels, messages from SQL and replay, with the official clients.

import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { broadcast, generations, join, joined, listen, newest, token } from './clients.mjs'
import { devForAll, secret } from './dev.mjs'

const ann = '11111111-1111-1111-1111-111111111111'
const bob = '22222222-2222-2222-2222-222222222222'

let server
before(async () => {
  server = await devForAll()
  // The server makes realtime.messages for the first client.
  const first = await join(newest(server), 'first', { broadcast: { replication_ready: true } })
  await first.notices.find(({ message }) => message === 'Replication connection established')
  await server.sql(
    'CREATE TABLE members (topic text, id uuid)',
    'GRANT SELECT ON members TO authenticated',
    `INSERT INTO members VALUES ('hall', '${ann}'), ('hall', '${bob}'), ('study', '${ann}')`,
    `CREATE POLICY "members hear" ON realtime.messages FOR SELECT TO authenticated
       USING (EXISTS (SELECT FROM members WHERE topic = realtime.topic() AND id = (SELECT auth.uid())))`,
    `CREATE POLICY "members speak" ON realtime.messages FOR INSERT TO authenticated
       WITH CHECK (EXISTS (SELECT FROM members WHERE topic = realtime.topic() AND id = (SELECT auth.uid())))`,
  )
})

after(() => server.end())

const as = (sub, make = newest) => make(server, { key: token(secret, 3600, { sub }) })

test('members of a private topic hear each other, and nobody else does', async () => {
  const mine = await join(as(ann), 'hall', { private: true, broadcast: { ack: true } })
  const other = await join(as(bob), 'hall', { private: true })
  const open = await join(as(bob), 'hall')
  assert.equal(await broadcast(mine, 'hello', { n: 1 }), 'ok')
  assert.deepEqual((await other.heard.next()).payload, { n: 1 })
  assert.deepEqual(open.heard.all, [], 'the public topic of the same name is another')
})

test('who is no member is refused, with a reason', async () => {
  const channel = listen(as(bob), 'study', { private: true })
  channel.start()
  const { status, err } = await channel.states.next()
  assert.equal(status, 'CHANNEL_ERROR')
  assert.match(String(err), /Unauthorized: You do not have permissions to read from this Channel topic: study/)
})

test('who is a member no more is let go when the policies are asked again', async () => {
  await server.sql(`INSERT INTO members VALUES ('attic', '${bob}')`)
  const channel = await join(as(bob), 'attic', { private: true })
  await server.sql(`DELETE FROM members WHERE topic = 'attic'`)
  const answer = await fetch(`${server.url}/api/tenants/realtime-dev/reauthorize`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token(secret, 60, { role: 'service_role' })}` },
    body: JSON.stringify({ topic: 'attic' }),
  })
  assert.deepEqual(await answer.json(), { data: { reauthorized: 1 } })
  await channel.notices.find(({ message }) => message === 'You do not have permissions to read from this Channel topic: attic')
  await channel.states.until((all) => all.some(({ status }) => status === 'CLOSED'))
})

for (const [generation, make] of Object.entries(generations)) {
  test(`${generation} hears what SQL sends`, async () => {
    const topic = 'hall'
    const isPrivate = make === newest // clients of 2023 know no private channels
    const channel = await join(as(ann, make), topic, { private: isPrivate })
    await server.sql(`SELECT realtime.send('{"n": 1.50}', 'from sql', '${topic}', ${isPrivate})`)
    const { event, payload, meta } = await channel.heard.find(({ event }) => event === 'from sql')
    assert.equal(event, 'from sql')
    assert.equal(payload.n, 1.5)
    assert.equal(meta.id, payload.id)
  })
}

test('changes that a trigger broadcasts arrive with their rows', async () => {
  await server.sql(
    'CREATE TABLE songs (id int PRIMARY KEY, title text)',
    `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       PERFORM realtime.broadcast_changes('hall', TG_OP, TG_OP, TG_TABLE_NAME, TG_TABLE_SCHEMA, NEW, OLD); RETURN NULL; END $$`,
    'CREATE TRIGGER tell AFTER INSERT OR UPDATE ON songs FOR EACH ROW EXECUTE FUNCTION tell()',
  )
  const channel = await join(as(ann), 'hall', { private: true })
  await server.sql("INSERT INTO songs VALUES (1, 'a')", "UPDATE songs SET title = 'b'")
  const { payload } = await channel.heard.find(({ event }) => event === 'UPDATE')
  assert.deepEqual(
    { table: payload.table, schema: payload.schema, operation: payload.operation, record: payload.record, old: payload.old_record },
    { table: 'songs', schema: 'public', operation: 'UPDATE', record: { id: 1, title: 'b' }, old: { id: 1, title: 'a' } },
  )
})

test('a joiner gets the messages of the past that it asks for, and none twice', async () => {
  const since = Date.now() - 1000
  await server.sql(`INSERT INTO members VALUES ('diary', '${ann}')`)
  for (const n of [1, 2, 3]) await server.sql(`SELECT realtime.send('{"n": ${n}}', 'entry', 'diary')`)
  const channel = await join(as(ann), 'diary', { private: true, broadcast: { replay: { since, limit: 2 } } })
  await server.sql(`SELECT realtime.send('{"n": 4}', 'entry', 'diary')`)
  await channel.heard.until((all) => all.length === 3)
  assert.deepEqual(
    channel.heard.all.map(({ payload, meta }) => [payload.n, meta.replayed ?? false]),
    [[2, true], [3, true], [4, false]],
  )
})

test('private messages over HTTP need a policy too', async () => {
  const channel = await join(as(ann), 'study', { private: true })
  const send = (sub, n) =>
    fetch(`${server.url}/api/broadcast`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', apikey: token(secret, 60, { sub }) },
      body: JSON.stringify({ messages: [{ topic: 'study', event: 'http', payload: { n }, private: true }] }),
    })
  assert.equal((await send(bob, 1)).status, 202, 'those that are not allowed are passed over in a batch')
  assert.equal((await send(ann, 2)).status, 202)
  assert.deepEqual((await channel.heard.next()).payload, { n: 2 })
  const single = await fetch(`${server.url}/api/broadcast/study/events/http?private=true`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', apikey: token(secret, 60, { sub: bob }) },
    body: '{}',
  })
  assert.equal(single.status, 403)
})

test('presence of a private channel is seen by members', async () => {
  const watcher = await join(as(bob), 'hall', { private: true, presence: { key: 'bob', enabled: true } })
  const mine = await join(as(ann), 'hall', { private: true, presence: { key: 'ann', enabled: true } })
  assert.equal(await mine.track({ plays: 'cello' }), 'ok')
  await watcher.presences.find(({ event, key }) => event === 'join' && key === 'ann')
  await joined(watcher)
})
