import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { newest } from './clients.mjs'
import { devForAll } from './dev.mjs'
import { member, offset } from './music.mjs'

// A classroom on three nodes: the node that runs it is killed, and the music goes on.
let server
before(async () => {
  server = await devForAll(3, { CLUSTER_LOST_MS: '1000' })
})
after(() => server?.end())

test('when the node of a room is killed, beats go on where they would have been', async () => {
  const topic = 'music_room:cluster'
  const [one, two, three] = server.nodes
  const teacher = member(one, topic, newest, { key: 'tea', role: 'teacher' }).enter()
  await teacher.in() // the first one's node runs the room
  const ann = member(two, topic, newest, { key: 'ann' }).enter()
  const bob = member(three, topic, newest, { key: 'bob' }).enter()
  await Promise.all([ann.in(), bob.in()])
  await teacher.say('set_role', { student_id: 'guest:ann', role: 'assistant' })
  await teacher.say('set_tempo', { bpm: 240, at: 'now', key: 'tempo' })
  await teacher.say('start', { at: 'beat', key: 'start' })
  await ann.say('play_note', { midi: 64 })
  assert.equal((await bob.hear('student_note')).student_id, 'guest:ann')

  const apart = async () => {
    const [a, b] = await Promise.all([offset(ann), offset(bob)])
    return { between: Math.abs(a.offset - b.offset), error: a.error + b.error, a }
  }
  const first = await ann.hear('beat', ({ bpm }) => bpm === 240)
  const clocks = await apart()
  assert.ok(clocks.between < 5, `the clocks of two nodes on one machine are ${clocks.between} ms apart`)

  process.kill(one.pid, 'SIGKILL')
  const killed = performance.now()
  const over = await bob.hear('take_over')
  const took = performance.now() - killed
  const { state } = await ann.hear('room_state', ({ state }) => state.rev >= over.state.rev)
  assert.equal(state.epoch, over.state.epoch)
  assert.deepEqual([over.offset_ms, over.discontinuity], [0, false])
  assert.ok(over.phase_error_ms <= 1)

  const last = await ann.hear('beat', ({ rev, beat }) => rev >= over.state.rev && beat > first.beat + 16)
  const wrong = Math.abs(last.at - first.at - (last.beat - first.beat) * 250)
  assert.ok(wrong < 0.001, `beat ${last.beat} is ${wrong} ms from where it belongs`)
  const after = await offset(ann)
  const moved = Math.abs(after.offset - clocks.a.offset)
  assert.ok(moved < 5, `what ann takes for the time has moved by ${moved} ms`)
  console.log(`take-over after ${took.toFixed(0)} ms; beat ${last.beat} off by ${wrong.toFixed(6)} ms; ` +
    `clocks of two nodes ${clocks.between.toFixed(3)} ms apart (±${clocks.error.toFixed(3)}); ann's clock moved by ${moved.toFixed(3)} ms`)

  await ann.say('set_tempo', { bpm: 120, key: 'after' })
  assert.equal((await bob.hear('tempo_changed', ({ key }) => key === 'after')).by, 'guest:ann')
  await bob.say('play_note', { midi: 65 })
  await ann.hear('student_note', ({ midi }) => midi === 65)
  await ann.hear('roster', ({ members }) => !members.some(({ student_id }) => student_id === 'guest:tea'))
})
