import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { joined, newest, of2023, token } from './clients.mjs'
import { devForAll, secret } from './dev.mjs'
import { member as memberOf } from './music.mjs'
import { Heard } from './until.mjs'

// The classroom, as docs/music.md tells it: tutti dev believes the role of a join.
const server = await devForAll()
after(server.end)

let rooms = 0
const fresh = () => `music_room:e2e-${++rooms}`

const member = (topic, make, options) => memberOf(server, topic, make, options)

async function lesson(topic, make = newest) {
  const teacher = member(topic, newest, { key: 'tea', role: 'teacher', name: 'Ms T' }).enter()
  const ann = member(topic, make, { key: 'ann', role: 'student', name: 'Ann' }).enter()
  await Promise.all([teacher.in(), ann.in()])
  return { teacher, ann }
}

for (const [name, make] of [['the newest client', newest], ['the client of 2023', of2023]]) {
  test(`a student with ${name} plays a note, which all hear`, async () => {
    const { teacher, ann } = await lesson(fresh(), make)
    const before = Date.now()
    await ann.say('play_note', { midi: 60, velocity: 90 })
    for (const who of [teacher, ann]) {
      const note = await who.hear('student_note')
      assert.deepEqual([note.midi, note.velocity, note.student_id], [60, 90, 'guest:ann'])
      assert.ok(Math.abs(note.timestamp - before) < 2000, 'it has the server\'s time')
      assert.equal(typeof note.beat, 'number')
    }
    await ann.say('play_note', { midi: 128 })
    const refused = await ann.hear('refused')
    assert.equal(refused.command, 'play_note')
    assert.equal(refused.code, 'bad_payload')
  })

  test(`beats come ahead to ${name}, where arithmetic says`, async () => {
    const { teacher, ann } = await lesson(fresh(), make)
    await teacher.say('set_tempo', { bpm: 240, at: 'now', key: 'k1' })
    const change = await ann.hear('tempo_changed')
    assert.equal(change.by, 'guest:tea')
    await teacher.say('start', { at: 'beat', key: 'k2' })
    const first = await ann.hear('beat', ({ bpm }) => bpm === 240)
    const later = await ann.hear('beat', ({ beat }) => beat === first.beat + 8)
    assert.ok(Math.abs(later.at - first.at - 2000) < 0.001, `8 beats at 240 bpm take 2,000 ms, not ${later.at - first.at}`)
    assert.equal(later.bar, first.bar + 2)
    const answer = await teacher.hear('answer', ({ command }) => command === 'start')
    assert.equal(answer.key, 'k2')
  })
}

test('who comes late knows all, and who comes back is the same', async () => {
  const topic = fresh()
  const { teacher, ann } = await lesson(topic)
  await teacher.say('set_tempo', { bpm: 90 })
  await teacher.say('set_meter', { meter: '7/8', groups: [2, 2, 3] })
  await teacher.say('mute', { student_id: 'guest:ann' })
  await teacher.say('start')
  await ann.hear('beat')
  const bob = member(topic, newest, { key: 'bob' }).enter()
  const state = await bob.in()
  assert.equal(state.state.tempo.at(-1).bpm, 90)
  assert.deepEqual(state.state.bars.at(-1).groups, [2, 2, 3])
  assert.equal(state.state.transport.at(-1).state, 'playing')
  assert.deepEqual(state.muted, ['guest:ann'])
  assert.deepEqual(state.members.map(({ student_id, role }) => [student_id, role]), [
    ['guest:ann', 'student'], ['guest:bob', 'student'], ['guest:tea', 'teacher'],
  ])
  assert.deepEqual(state.you, { student_id: 'guest:bob', role: 'student' })

  await teacher.say('set_role', { student_id: 'guest:bob', role: 'assistant' })
  await bob.hear('roster', ({ members }) => members.some(({ student_id, role }) => student_id === 'guest:bob' && role === 'assistant'))
  bob.client.cut()
  await joined(bob.channel, 2)
  const again = await bob.hear('room_state', ({ you }) => you.role === 'assistant')
  assert.equal(again.state.epoch, state.state.epoch)
})

test('who may not is refused, and nobody speaks for the room', async () => {
  const { teacher, ann } = await lesson(fresh())
  await ann.say('set_tempo', { bpm: 300, key: 'mine' })
  const refused = await ann.hear('refused', ({ command }) => command === 'set_tempo')
  assert.deepEqual([refused.code, refused.key], ['not_allowed', 'mine'])
  for (const name of ['beat', 'Beat']) { // which a client that listens for beat hears as well
    await ann.say(name, { beat: 1, at: 0 })
    const denied = await ann.hear('extension_error', ({ event }) => event === name)
    assert.equal(denied.code, 'ExtensionEventReserved')
  }
  await ann.say('hello', { all: true })
  await teacher.hear('hello')
  assert.deepEqual(teacher.heard('beat'), [])
  assert.deepEqual(teacher.heard('tempo_changed'), [])
})

test('the clock is within its round trip', async () => {
  const { ann } = await lesson(fresh())
  for (let id = 0; id < 5; id++) {
    const c0 = performance.timeOrigin + performance.now()
    await ann.say('clock_ping', { id, c0 })
    const pong = await ann.hear('clock_pong', (p) => p.id === id)
    const c1 = performance.timeOrigin + performance.now()
    assert.equal(pong.c0, c0)
    assert.ok(pong.s2 >= pong.s1 && pong.s2 - pong.s1 < 5)
    // One machine has one clock, but performance.now may have drifted since it was started.
    assert.ok(pong.s1 > c0 - 20 && pong.s2 < c1 + 20, `${c0} ${pong.s1} ${pong.s2} ${c1}`)
  }
})

/** Somebody with a token that names them. */
function user(topic, sub, role) {
  const claims = role ? { app_metadata: { music_role: role } } : {}
  const key = token(secret, 3600, { sub, ...claims })
  return Object.assign(member(topic, newest, { key: sub, name: sub, as: { key } }), { key })
}

test('a take is scored, and stands in the tables', async () => {
  const topic = fresh()
  const [teacher, ann] = [user(topic, 'tea-t', 'teacher').enter(), user(topic, 'ann-t').enter()]
  await Promise.all([teacher.in(), ann.in()])
  await teacher.say('set_tempo', { bpm: 300, at: 'now' })
  await teacher.say('start')
  await teacher.say('start_take', { at: 'beat', beats: 4, key: 'take' })
  const started = await ann.hear('take_started')
  const ev = [0, 1, 2, 3].map((i) => [started.at + i * 200 + 10, 60, 90])
  await ann.say('take_events', { take: started.take, seq: 0, ev })
  const score = await ann.hear('take_score')
  assert.deepEqual([score.hit, score.missed, score.extra, score.sd_ms], [4, 0, 0, 0])
  assert.ok(Math.abs(score.mean_ms - 10) < 0.01, `${score.mean_ms}`)
  assert.equal(score.dots.length, 4)
  const table = await teacher.hear('take_table')
  assert.deepEqual(table.scores.map(({ student_id, hit }) => [student_id, hit]), [['ann-t', 4]])
  await eventually(async () => {
    const found = await server.sql(`SELECT o.student_id, jsonb_array_length(o.onsets), s.score ->> 'hit' FROM music.takes t
      JOIN music.onsets o ON o.take = t.id JOIN music.scores s ON s.take = t.id WHERE t.id = '${started.take}' AND t.ended_at IS NOT NULL`)
    assert.equal(found, 'ann-t|4|4')
  })
  // The tempo map is what everything can be computed from again.
  const map = JSON.parse(await server.sql(`SELECT s.tempo_map FROM music.sessions s JOIN music.takes t ON t.session = s.id WHERE t.id = '${started.take}'`))
  assert.deepEqual(map.slice(1).map(({ event }) => event), ['tempo_changed', 'transport_changed'])
})

test('reflections are for who wrote them and for the teacher, who sees them live', async () => {
  const topic = fresh()
  const room = topic.slice('music_room:'.length)
  const [teacher, ann, bob] = [user(topic, 'tea-r', 'teacher').enter(), user(topic, 'ann-r').enter(), user(topic, 'bob-r').enter()]
  await Promise.all([teacher, ann, bob].map((one) => one.in()))
  await eventually(async () => assert.equal(await server.sql(`SELECT count(*) FROM music.attendance WHERE room = '${room}'`), '3'))

  const watching = await live(teacher, room)
  const spying = await live(bob, room)
  const at = `${server.url}/api/extensions/music/rooms/${room}/reflections`
  const post = (key, body) => fetch(at, { method: 'POST', headers: { apikey: key, 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const get = async (key) => (await (await fetch(at, { headers: { apikey: key } })).json()).reflections

  const written = await post(ann.key, { mood: 4, text: 'the swing was hard', name: 'Ann' })
  assert.equal(written.status, 201, await written.clone().text())
  assert.equal((await written.json()).student_id, 'ann-r')
  const { new: row } = await watching.next()
  assert.deepEqual([row.student_id, row.mood, row.text], ['ann-r', 4, 'the swing was hard'])

  assert.equal((await post(bob.key, { mood: 2 })).status, 201)
  assert.equal((await get(teacher.key)).length, 2)
  assert.deepEqual((await get(bob.key)).map(({ student_id }) => student_id), ['bob-r'])
  await spying.until((all) => all.length > 0)
  assert.deepEqual(spying.all.map((change) => change.new.student_id), ['bob-r'])

  for (const [key, body, status] of [
    [ann.key, { mood: 6 }, 422], [ann.key, { text: 'no mood' }, 422], [server.anon, { mood: 3 }, 403],
    [token(secret, 3600, { sub: 'eve-r' }), { mood: 3 }, 403], [token('not the secret of the server, as it were', 3600, { sub: 'ann-r' }), { mood: 3 }, 401],
  ]) {
    const answer = await post(key, body)
    assert.equal(answer.status, status, await answer.text())
  }
})

/** Waits until changes of a room's reflections cannot be missed; the changes. */
async function live(one, room) {
  const channel = one.client.channel(`reflections-of-${room}`)
  const heard = new Heard(`a reflection on ${room}`)
  const notices = new Heard('a notice')
  channel.on('postgres_changes', { event: 'INSERT', schema: 'music', table: 'reflections', filter: `room=eq.${room}` }, heard.add)
  channel.on('system', { event: '*' }, notices.add)
  channel.subscribe()
  await notices.find(({ message }) => message === 'Subscribed to PostgreSQL', 20_000)
  return heard
}

/** Tries until it does not fail. */
async function eventually(what, until = Date.now() + 10_000) {
  for (;;) {
    try {
      return await what()
    } catch (err) {
      if (Date.now() > until) throw err
      await new Promise((done) => setTimeout(done, 50))
    }
  }
}
