// The music classroom in Chromium on three nodes: the node that runs the room is
// killed while three pages listen, one of them connected to it.

import assert from 'node:assert/strict'
import { clicks, even, inWords, linked, mode, school, sound, watchStalls } from './classroom.mjs'
import { newest } from './clients.mjs'
import { balancer } from './cluster.mjs'
import { member } from './music.mjs'

const { lesson, server } = await school(3, { CLUSTER_LOST_MS: '1000' })

const beatMs = 250

lesson('when the node of a room is killed the metronome goes on, no click missing or double', async ({ open, room, t }) => {
  const [one, two, three] = server.nodes
  const front = await balancer(t, [one, two])
  const teacher = member(one, `music_room:${room}`, newest, { key: 'tea', role: 'teacher' }).enter()
  await teacher.in() // the first one's node runs the room
  const pages = { Ann: await open('Ann', 'teacher', { at: two }), Ben: await open('Ben', 'student', { at: three }), Cem: await open('Cem', 'student', { at: front }) }
  for (const page of Object.values(pages)) {
    await sound(page)
    await watchStalls(page)
  }
  await teacher.say('set_tempo', { bpm: 60_000 / beatMs, at: 'now', key: 'tempo' })
  await teacher.say('start', { at: 'beat', key: 'start' })
  for (const page of Object.values(pages)) await mode(page, 'playing')
  const heard = (page, more) => page.waitForFunction((n) => window.tuttiClassroom.clicks().length >= n, more)
  for (const page of Object.values(pages)) await heard(page, 8)
  process.kill(one.pid, 'SIGKILL')
  const killed = Date.now()
  await linked(pages.Cem, 'lost')
  await linked(pages.Cem, 'joined')
  t.diagnostic(`Cem's page was back after ${Date.now() - killed} ms`)
  const before = (await clicks(pages.Cem)).length
  await heard(pages.Cem, before + 24)
  for (const [who, page] of Object.entries(pages)) {
    const list = await clicks(page)
    assert.ok(list.some(({ wall }) => wall < killed) && list.some(({ wall }) => wall > killed + 4_000), `${who} heard nothing before, or after`)
    const found = await even(page, who, beatMs)
    const events = await page.evaluate(() => window.tuttiClassroom.events())
    t.diagnostic(`${who}: ${inWords(found)}; clock: ${events.map(({ type, why }) => why ?? type).join(', ')}`)
    assert.deepEqual(events.filter(({ type }) => type === 'jump'), [], `${who}: the clock jumped`)
  }

  // The room goes on elsewhere: the teacher's page leads it.
  await pages.Ann.getByTestId('at').selectOption('now')
  await pages.Ann.getByTestId('bpm').fill('120')
  await pages.Ann.getByTestId('tempo-set').click()
  for (const page of Object.values(pages)) await page.getByTestId('bpm-now').filter({ hasText: /^120$/ }).waitFor()
}, /WebSocket connection to|Failed to load resource|ERR_/)
