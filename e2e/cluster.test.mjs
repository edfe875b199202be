// Three nodes of one cluster, with the official clients: it must not matter to
// which node a client comes, and a node that dies must harm its own clients only,
// and them not for long.

import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { chromium } from 'playwright-core'
import { broadcast, generations, join, joined, listen, newest, of2023, sees, subscribed, token, watch } from './clients.mjs'
import { balancer, eventually, lives, manage, owner, status, tenant } from './cluster.mjs'
import { devForAll, secret } from './dev.mjs'

const ann = '11111111-1111-1111-1111-111111111111'
const bob = '22222222-2222-2222-2222-222222222222'
const loud = { broadcast: { ack: true, self: true } }
const as = (key) => ({ presence: { key, enabled: true } })
const user = (sub) => token(secret, 3600, { sub })

let server
let nodes
before(async () => {
  server = await devForAll(3, { CLUSTER_LOST_MS: '2000' })
  nodes = server.nodes
  // The first client makes a node prepare the database.
  const first = await join(newest(nodes[0]), 'first', { broadcast: { replication_ready: true } })
  await first.notices.find(({ message }) => message === 'Replication connection established')
  await server.sql(
    'CREATE TABLE notes (id bigint PRIMARY KEY, title text)',
    'GRANT ALL ON notes TO anon, authenticated, service_role',
    'ALTER PUBLICATION supabase_realtime ADD TABLE notes',
    'CREATE TABLE members (topic text, id uuid)',
    'GRANT SELECT ON members TO authenticated',
    `INSERT INTO members VALUES ('hall', '${ann}'), ('hall', '${bob}'), ('study', '${ann}')`,
    `CREATE POLICY "members hear" ON realtime.messages FOR SELECT TO authenticated
       USING (EXISTS (SELECT FROM members WHERE topic = realtime.topic() AND id = (SELECT auth.uid())))`,
    `CREATE POLICY "members speak" ON realtime.messages FOR INSERT TO authenticated
       WITH CHECK (EXISTS (SELECT FROM members WHERE topic = realtime.topic() AND id = (SELECT auth.uid())))`,
  )
})

after(() => server?.end())

/** A test whose clients leave when it ends. */
function scene(name, act) {
  test(name, async (t) => {
    const leaves = []
    for (const node of nodes) node.guest = (leave) => leaves.push(leave)
    t.after(() => Promise.all(leaves.map((leave) => leave())))
    await act(t)
  })
}

/** Makes one channel of a topic on each node; the second is of a client of 2023. */
const onEach = (topic, config) => Promise.all(nodes.map((node, i) => join((i === 1 ? of2023 : newest)(node), topic, config)))

scene('every node knows the others, and is ready', async () => {
  for (const node of nodes) {
    const { node: name, ready, cluster } = await status(node)
    assert.deepEqual({ name, ready }, { name: node.name, ready: true })
    assert.deepEqual(cluster.nodes.map(({ id }) => id).sort(), ['node-1', 'node-2', 'node-3'])
  }
})

scene('a broadcast of any node is heard once on every node, and acknowledged', async () => {
  const channels = await onEach('everywhere', loud)
  for (const [i, from] of channels.entries()) assert.equal(await broadcast(from, `of ${i}`, { i }), 'ok')
  for (const channel of channels) {
    await channel.heard.until((all) => all.length >= 3)
    assert.deepEqual(channel.heard.all.map(({ event, payload }) => [event, payload.i]).sort(), [['of 0', 0], ['of 1', 1], ['of 2', 2]])
  }
})

scene('who has joined hears all that is sent from then on, also on another node', async () => {
  const [one, two] = [newest(nodes[0]), newest(nodes[2])]
  for (let i = 0; i < 20; i++) {
    const from = await join(one, `new ${i}`, { broadcast: { ack: true } })
    const to = await join(two, `new ${i}`)
    for (const event of ['first', 'second']) assert.equal(await broadcast(from, event, {}), 'ok')
    assert.equal((await to.heard.next()).event, 'first')
  }
})

scene('broadcasts keep their order on the way to another node', async () => {
  const [from, , to] = await onEach('in order')
  const numbers = Array.from({ length: 500 }, (_, i) => i)
  for (const n of numbers) await broadcast(from, 'count', { n })
  await to.heard.until((all) => all.length >= numbers.length)
  assert.deepEqual(to.heard.all.map(({ payload }) => payload.n), numbers)
})

scene('bytes arrive on another node as the same bytes', async () => {
  const [from, , to] = await onEach('bytes', loud)
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
  assert.equal(await broadcast(from, 'samples', bytes.buffer), 'ok')
  assert.deepEqual(new Uint8Array((await to.heard.next()).payload), bytes)
})

scene('what is sent to one node over HTTP is heard on the others', async () => {
  const channels = await onEach('over HTTP')
  for (const [i, node] of nodes.entries()) {
    assert.deepEqual(await listen(newest(node), 'over HTTP').httpSend(`to ${i}`, {}), { success: true })
  }
  for (const channel of channels) {
    await channel.heard.until((all) => all.length >= 3)
    assert.deepEqual(channel.heard.all.map(({ event }) => event).sort(), ['to 0', 'to 1', 'to 2'])
  }
})

scene('every node sees who comes, changes and goes, wherever that is', async () => {
  // Clients of 2023 cannot ask for presence; the others can.
  const channels = await Promise.all(nodes.map((node, i) => join(newest(node), 'stage', as(`of ${i}`))))
  const all = {}
  for (const [i, channel] of channels.entries()) {
    assert.equal(await channel.track({ i }), 'ok')
    all[`of ${i}`] = [{ i }]
  }
  for (const channel of channels) await sees(channel, all)
  for (const node of nodes) await sees(await join(newest(node), 'stage', as('late')), all)

  assert.equal(await channels[0].track({ tuned: true }), 'ok')
  all['of 0'] = [{ tuned: true }]
  for (const channel of channels) await sees(channel, all)
  assert.equal(await channels[1].untrack(), 'ok')
  delete all['of 1']
  for (const channel of channels) await sees(channel, all)
  for (const channel of channels) {
    const { leftPresences } = await channel.presences.find(({ event, key }) => event === 'leave' && key === 'of 1')
    assert.deepEqual(leftPresences.map(({ i }) => i), [1])
  }
})

scene('on every node everybody gets the rows that they may see, once and in order', async () => {
  const filter = { event: '*', schema: 'public', table: 'todos' }
  const watchers = { [ann]: [], [bob]: [], service: [] }
  for (const [i, node] of nodes.entries()) {
    const make = i === 1 ? of2023 : newest
    watchers[ann].push(await watch(make(node, { key: user(ann) }), 'todos', filter))
    watchers[bob].push(await watch(make(node, { key: user(bob) }), 'todos', filter))
    watchers.service.push(await watch(make(node, { key: server.service }), 'todos', filter))
  }
  const stranger = await watch(newest(nodes[2]), 'todos', filter)
  await server.sql(
    `INSERT INTO todos (user_id, title) VALUES ('${ann}', 'a1'), ('${bob}', 'b1')`,
    `INSERT INTO todos (user_id, title) VALUES ('${bob}', 'b2'), ('${ann}', 'a2')`,
    `UPDATE todos SET title = 'a3' WHERE title = 'a1'`,
    `UPDATE todos SET title = 'b3' WHERE title = 'b2'`,
  )
  const wanted = { [ann]: ['a1', 'a2', 'a3'], [bob]: ['b1', 'b2', 'b3'], service: ['a1', 'b1', 'b2', 'a2', 'a3', 'b3'] }
  for (const [who, channels] of Object.entries(watchers)) {
    for (const { changes: [heard] } of channels) {
      await heard.until((all) => all.length >= wanted[who].length)
      assert.deepEqual(heard.all.map((change) => change.new.title), wanted[who])
    }
  }
  assert.deepEqual(stranger.changes[0].all, [])
  const slots = `SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'supabase_realtime%' AND active`
  assert.equal(await server.sql(slots), '1', 'one node reads for all')
})

scene('members of a private topic hear each other on all nodes, and nobody else is let in on any', async () => {
  const mine = await join(newest(nodes[0], { key: user(ann) }), 'hall', { private: true, broadcast: { ack: true } })
  const others = await Promise.all(nodes.map((node) => join(newest(node, { key: user(bob) }), 'hall', { private: true })))
  const open = await join(newest(nodes[1], { key: user(bob) }), 'hall')
  assert.equal(await broadcast(mine, 'hello', { n: 1 }), 'ok')
  for (const channel of others) assert.deepEqual((await channel.heard.next()).payload, { n: 1 })
  assert.deepEqual(open.heard.all, [], 'the public topic of the same name is another')
  for (const node of nodes) {
    const channel = listen(newest(node, { key: user(bob) }), 'study', { private: true })
    channel.start()
    const { status, err } = await channel.states.next()
    assert.equal(status, 'CHANNEL_ERROR')
    assert.match(String(err), /Unauthorized: You do not have permissions to read from this Channel topic: study/)
  }
})

scene('what SQL sends is heard once on every node', async () => {
  const ready = { private: true, broadcast: { replication_ready: true } }
  const channels = await Promise.all(nodes.map((node) => join(newest(node, { key: user(ann) }), 'hall', ready)))
  for (const channel of channels) {
    await channel.notices.find(({ message }) => message === 'Replication connection established')
  }
  for (const n of [1, 2, 3]) await server.sql(`SELECT realtime.send('{"n": ${n}}', 'from sql', 'hall')`)
  for (const channel of channels) {
    await channel.heard.until((all) => all.length >= 3)
    assert.deepEqual(channel.heard.all.map(({ payload }) => payload.n), [1, 2, 3])
  }
})

scene('who is thrown out at one node is thrown out at all', async () => {
  const stays = await join(newest(nodes[1], { key: user(bob) }), 'party', loud)
  const guests = await Promise.all(nodes.map((node) => join(newest(node, { key: user(ann) }), 'party')))
  const { data } = await manage(nodes[0], 'POST', 'realtime-dev/disconnect', { sub: ann })
  assert.deepEqual(data, { disconnected: 3 })
  for (const channel of guests) await channel.states.find(({ status }) => status === 'CHANNEL_ERROR')
  assert.equal(await broadcast(stays, 'still here', {}), 'ok')
})

scene('policies are asked again on all nodes', async () => {
  await server.sql(`INSERT INTO members VALUES ('attic', '${bob}')`)
  const channels = await Promise.all(nodes.map((node) => join(newest(node, { key: user(bob) }), 'attic', { private: true })))
  await server.sql(`DELETE FROM members WHERE topic = 'attic'`)
  assert.deepEqual(await manage(nodes[2], 'POST', 'realtime-dev/reauthorize', { topic: 'attic' }), { data: { reauthorized: 3 } })
  for (const channel of channels) await channel.states.find(({ status }) => status === 'CLOSED')
})

scene('what is changed of a tenant at one node holds on all', async () => {
  const at = await tenant(nodes[0], 'changing', { max_payload_size_in_kb: 100 })
  const channels = await Promise.all(nodes.map((node) => join(newest(node, at(node)), 'room', loud)))
  const text = 'x'.repeat(5000)
  for (const channel of channels) assert.equal(await broadcast(channel, 'large', { text }), 'ok')
  await manage(nodes[1], 'PATCH', 'changing', { tenant: { max_payload_size_in_kb: 1 } })
  for (const channel of channels) {
    await eventually('the new limit', async () => (await broadcast(channel, 'large', { text })) === 'error')
  }
  // Nobody is disconnected for a limit, and everybody when the tenant is suspended.
  assert.deepEqual(channels.flatMap(({ states }) => states.all.map(({ status }) => status)), Array(3).fill('SUBSCRIBED'))
  await manage(nodes[2], 'PATCH', 'changing', { tenant: { suspend: true } })
  for (const channel of channels) await channel.states.find(({ status }) => status === 'CHANNEL_ERROR')
})

scene('the users of a tenant are counted over all nodes', async () => {
  const at = await tenant(nodes[0], 'small', { max_concurrent_users: 2 })
  const first = newest(nodes[0], at(nodes[0]))
  await join(first, 'room')
  await join(newest(nodes[1], at(nodes[1])), 'room')
  const count = async () => (await manage(nodes[2], 'GET', 'small/health')).data.connected_cluster
  await eventually('a count of two', async () => (await count()) === 2)
  const third = listen(newest(nodes[2], at(nodes[2])), 'room')
  third.start()
  await third.states.find(({ status }) => status === 'CHANNEL_ERROR')
  await first.realtime.disconnect()
  await joined(third)
})

scene('windows on two nodes meet: they see each other and hear each other', async (t) => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
  })
  t.after(() => browser.close())
  const windows = await Promise.all(
    nodes.slice(0, 2).map(async (node) => {
      const page = await browser.newPage()
      await page.goto(node.page)
      await page.locator('[data-testid=channel-lobby][data-state=joined]').waitFor()
      return page
    }),
  )
  for (const page of windows) {
    await page.getByTestId('presence-count').and(page.getByText('2', { exact: true })).waitFor()
  }
  await windows[0].getByTestId('payload').fill('{"text": "from one node to the other"}')
  await windows[0].getByTestId('send').click()
  await windows[1].getByTestId('messages').getByTestId('message').filter({ hasText: 'from one node to the other' }).waitFor()
})

scene('a node that stands still for a while takes nothing from anybody', async (t) => {
  const table = { event: 'INSERT', schema: 'public', table: 'notes' }
  const watchers = await Promise.all(nodes.map((node) => watch(newest(node), 'notes', table)))
  const stage = await Promise.all(nodes.map((node, i) => join(newest(node), 'stage', as(`of ${i}`))))
  const present = {}
  for (const [i, channel] of stage.entries()) {
    assert.equal(await channel.track({ i }), 'ok')
    present[`of ${i}`] = [{ i }]
  }
  for (const channel of stage) await sees(channel, present)
  const reader = await eventually('a node that reads for all', () => owner(nodes[0]))
  const victim = nodes.findIndex(({ name }) => name === reader)
  const numbers = [...Array(200).keys()].map((i) => i + 5001)
  const writing = server.sql(
    `DO $$ BEGIN FOR i IN 5001..5200 LOOP INSERT INTO notes VALUES (i); COMMIT; PERFORM pg_sleep(0.005); END LOOP; END $$`,
  )
  await watchers[victim].changes[0].until((all) => all.length >= 50)
  t.after(() => lives(nodes[victim].pid) && process.kill(nodes[victim].pid, 'SIGCONT'))
  process.kill(nodes[victim].pid, 'SIGSTOP')
  const { [`of ${victim}`]: _, ...others } = present
  await writing
  for (const [i, { changes: [heard] }] of watchers.entries()) {
    if (i === victim) continue
    await sees(stage[i], others, 15_000)
    await heard.until((all) => all.length >= numbers.length, 30_000)
    assert.deepEqual(heard.all.map((change) => change.new.id), numbers)
  }
  process.kill(nodes[victim].pid, 'SIGCONT')
  await server.sql(`INSERT INTO notes VALUES (6000, 'for all')`)
  for (const { changes: [heard], states } of watchers) {
    await heard.until((all) => all.length >= numbers.length + 1, 30_000)
    assert.deepEqual(heard.all.map((change) => change.new.id), [...numbers, 6000])
    assert.deepEqual(states.all.map(({ status }) => status), ['SUBSCRIBED'], 'nobody was disconnected')
  }
  for (const channel of stage) await sees(channel, present, 15_000)
})

// From here on nodes die.

scene('a node that is killed takes nothing from the clients of others, and its own go on elsewhere', async (t) => {
  const table = { event: 'INSERT', schema: 'public', table: 'notes' }
  const watchers = await Promise.all(nodes.map((node) => watch(newest(node), 'notes', table)))
  const reader = await eventually('a node that reads for all', () => owner(nodes[0]))
  const victim = nodes.find(({ name }) => name === reader)
  const others = nodes.filter((node) => node !== victim)
  const witnesses = await Promise.all(others.map((node) => join(newest(node), 'stage', as('witness'))))
  const lost = await join(newest(victim), 'stage', as('lost'))
  assert.equal(await lost.track({ here: true }), 'ok')
  for (const channel of witnesses) await sees(channel, { lost: [{ here: true }] })
  const front = await balancer(t, [victim, ...others])
  const movers = []
  for (const make of Object.values(generations)) movers.push(await watch(make(front), 'notes', table))

  const writing = server.sql(
    `DO $$ BEGIN FOR i IN 1..300 LOOP INSERT INTO notes VALUES (i); COMMIT; PERFORM pg_sleep(0.005); END LOOP; END $$`,
  )
  const survivors = watchers.filter((_, i) => nodes[i] !== victim)
  await survivors[0].changes[0].until((all) => all.length >= 50)
  process.kill(victim.pid, 'SIGKILL')
  const killed = performance.now()
  for (const channel of witnesses) await sees(channel, {}, 15_000)
  t.diagnostic(`presence of the dead left after ${Math.round(performance.now() - killed)} ms`)
  await writing
  for (const { changes: [heard] } of survivors) {
    await heard.until((all) => all.length >= 300, 30_000)
    t.diagnostic(`all changes were there after ${Math.round(performance.now() - killed)} ms`)
    assert.deepEqual(heard.all.map((change) => change.new.id), [...Array(300).keys()].map((i) => i + 1))
  }
  for (const channel of movers) {
    await joined(channel, 2)
    await channel.notices.until((all) => all.filter(subscribed).length >= 2, 20_000)
  }
  await server.sql(`INSERT INTO notes VALUES (1000, 'for those who moved')`)
  for (const channel of [...movers, ...survivors]) await channel.changes[0].find((change) => change.new.id === 1000)
  await eventually('a report', () => server.log().includes(`tutti: ${victim.name} has ended (signal: killed), nodes that go on: 2`))
  for (const node of others) {
    await eventually('a cluster of two', async () => (await status(node)).cluster.nodes.length === 2)
  }
})

scene('a node that is stopped sends its clients to another, and nothing is lost', async (t) => {
  const [one, two] = nodes.filter(({ pid }) => lives(pid))
  const reader = await eventually('a node that reads for all', () => owner(one))
  const [leaves, stays] = one.name === reader ? [one, two] : [two, one]
  const table = { event: 'INSERT', schema: 'public', table: 'notes' }
  const witness = await join(newest(stays), 'stage', as('witness'))
  const lost = await join(newest(leaves), 'stage', as('lost'))
  assert.equal(await lost.track({ here: true }), 'ok')
  await sees(witness, { lost: [{ here: true }] })
  const stayer = await watch(newest(stays), 'notes', table)
  const mover = await watch(newest(await balancer(t, [leaves, stays])), 'notes', table)

  const writing = server.sql(
    `DO $$ BEGIN FOR i IN 2001..2200 LOOP INSERT INTO notes VALUES (i); COMMIT; PERFORM pg_sleep(0.005); END LOOP; END $$`,
  )
  await stayer.changes[0].until((all) => all.length >= 30)
  process.kill(leaves.pid, 'SIGTERM')
  assert.match((await mover.states.find(({ status }) => status === 'CHANNEL_ERROR')).err.message, /1012/)
  await sees(witness, {})
  await writing
  await stayer.changes[0].until((all) => all.length >= 200, 30_000)
  assert.deepEqual(stayer.changes[0].all.map((change) => change.new.id), [...Array(200).keys()].map((i) => i + 2001))
  await joined(mover, 2)
  await mover.notices.until((all) => all.filter(subscribed).length >= 2, 20_000)
  await server.sql(`INSERT INTO notes VALUES (3000, 'for those who moved')`)
  for (const channel of [mover, stayer]) await channel.changes[0].find((change) => change.new.id === 3000)
  await eventually('a report', () => server.log().includes(`tutti: ${leaves.name} has ended (exit status 0), nodes that go on: 1`))
})

scene('when tutti dev itself is killed, no node stays behind', async () => {
  server.child.kill('SIGKILL')
  await eventually('the end of all nodes', () => !nodes.some(({ pid }) => lives(pid)), 20_000)
})
