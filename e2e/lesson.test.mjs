// The music classroom in Chromium: takes, reconnection, roles, reflections, and a
// phone without a mouse.

import assert from 'node:assert/strict'
import { clicks, gather, has, linked, manage, mode, person, plays, quiet, ready, school, sound, tempo } from './classroom.mjs'
import { token } from './clients.mjs'
import { secret } from './dev.mjs'

const { lesson, server } = await school()

const teacherId = 'aaaaaaaa-0000-4000-8000-000000000001'
const studentId = 'bbbbbbbb-0000-4000-8000-000000000002'

lesson('a take gives each student a picture of his timing, and the teacher a table', async ({ open }) => {
  const [ann, ben, cem] = await gather(open)
  await tempo(ann, 150)
  await ann.getByTestId('start').click()
  await mode(ben, 'playing')
  await ann.getByTestId('take-start').click()
  for (const page of [ann, ben, cem]) await page.locator('[data-testid=takes][data-state=running]').waitFor()
  await has(ben, 'take-state', 'play along')

  // Ben plays with the lights, Cem not at all.
  await ben.evaluate(() => new Promise((resolve) => {
    let beat = ''
    let played = 0
    const look = () => {
      const now = document.querySelector('[data-testid=beat]').textContent
      if (now !== beat) {
        beat = now
        for (const type of ['keydown', 'keyup']) window.dispatchEvent(new KeyboardEvent(type, { code: 'KeyA', bubbles: true }))
        played++
      }
      if (played < 13) requestAnimationFrame(look)
      else resolve()
    }
    look()
  }))
  await ann.getByTestId('take-stop').click()

  await ben.getByTestId('picture').waitFor()
  await has(ben, 'take-words', /^\d+ of \d+ hit/)
  const [, hit, expected] = /^(\d+) of (\d+) hit/.exec(await ben.getByTestId('take-words').innerText()).map(Number)
  assert.ok(hit >= 6 && expected >= hit, `Ben hit ${hit} of ${expected}`)
  assert.equal(await ben.locator('.picture .dot:not(.missed, .extra)').count(), hit)
  await has(cem, 'take-words', /^0 of \d+ hit/)
  await ann.getByTestId('take-row').nth(1).waitFor()
  const rows = await ann.getByTestId('take-row').allInnerTexts()
  assert.match(rows.find((row) => row.startsWith('Ben')), new RegExp(`${hit} of ${expected}`))
  assert.match(rows.find((row) => row.startsWith('Cem')), /0 of/)
  await has(ann, 'take-state', 'scores are here')
})

lesson('who comes late or comes back has the same time, and is told when the connection is lost', async ({ open, blank }) => {
  const ann = await open('Ann', 'teacher')
  await sound(ann)
  await tempo(ann, 90)
  await ann.getByTestId('start').click()
  await mode(ann, 'playing')

  const page = await blank()
  const wires = []
  let away = false
  await page.routeWebSocket(/websocket/, (wire) => {
    if (away) return wire.close()
    wires.push({ wire, server: wire.connectToServer() })
  })
  const ben = await open('Ben', 'student', { page })
  await mode(ben, 'playing')
  await has(ben, 'bpm-now', /^90$/)
  await sound(ben)

  away = true
  for (const { wire, server: far } of wires.splice(0)) await Promise.all([wire.close(), far.close()])
  await linked(ben, 'lost')
  await has(ben, 'problem', 'The connection is lost')
  await person(ann, 'Ben').waitFor({ state: 'detached' })
  await tempo(ann, 222)
  const known = (await clicks(ben)).length
  await ben.waitForFunction((n) => window.tuttiClassroom.clicks().length > n + 1, known) // the metronome goes on
  away = false
  await linked(ben, 'joined')
  await has(ben, 'bpm-now', /^222$/)
  assert.equal(await ben.getByTestId('problem').isVisible(), false)
  await person(ann, 'Ben').waitFor()
  await ben.keyboard.down('g')
  await plays(ann, 'Ben', '♪ G4')
})

lesson('on a slow network the page says by how much clicks may be wrong, and what to do', async ({ open, blank }) => {
  const page = await blank()
  const oneWay = 60 // ms
  await page.routeWebSocket(/websocket/, (wire) => {
    const far = wire.connectToServer()
    wire.onMessage((message) => setTimeout(() => far.send(message), oneWay))
    far.onMessage((message) => setTimeout(() => wire.send(message), oneWay))
  })
  await open('Ben', 'student', { page })
  await sound(page)
  await page.locator('[data-testid=own-clock][data-grade=poor]').waitFor()
  await has(page, 'advice-what', /Your clicks may be up to \d+ ms early or late/)
  await has(page, 'advice-do', /router/)
})

lesson('the teacher sees how good each clock is, and may hand over', async ({ open }) => {
  const [ann, ben] = await gather(open)
  await person(ann, 'Ben').getByTestId('person-quality').filter({ hasText: /in time: within .* round trip .*sound/ }).waitFor()
  await has(ben, 'own-clock', /Your clock is (nearly )?in time/)
  await (await manage(ann, 'Ben')).getByTestId('person-give').selectOption('teacher')
  await ben.getByTestId('transport').waitFor()
  await has(ben, 'who', 'Ben, teacher')
  await (await manage(ben, 'Ann')).getByTestId('person-give').selectOption('listener')
  await ann.getByTestId('instrument').waitFor({ state: 'hidden' })
  assert.equal(await ann.getByTestId('transport').isVisible(), false)
})

lesson('a phone and the keyboard alone are enough', async ({ blank, open, room }) => {
  const ben = await open('Ben', 'student')
  const page = await blank({ viewport: { width: 375, height: 812 }, reducedMotion: 'reduce' })
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-testid') ?? '')
  const tabTo = async (testid) => {
    for (let n = 0; n < 60; n++) {
      if ((await focused()) === testid) return
      await page.keyboard.press('Tab')
    }
    assert.fail(`Tab does not reach ${testid}`)
  }
  await page.goto(`${server.url}/classroom`)
  for (const [testid, text] of [['name', 'Ann'], ['room-name', room], ['key', server.anon]]) {
    await tabTo(testid)
    await page.keyboard.type(text)
    if (testid !== 'room-name') continue
    await tabTo('role-student')
    await page.keyboard.press('ArrowDown')
  }
  await page.keyboard.press('Enter')
  await has(page, 'who', `Ann, teacher in ${room}`)
  assert.equal(await focused(), 'sound-on')
  await page.keyboard.press('Enter')
  await page.locator('[data-testid=sound][data-state=running]').waitFor()
  await ready(page)
  await tabTo('start')
  await page.keyboard.press('Enter')
  await mode(ben, 'playing')
  await tabTo('bpm')
  await page.keyboard.press('Control+A')
  await page.keyboard.type('77')
  await page.keyboard.press('Enter')
  await has(ben, 'bpm-now', /^77$/)
  await tabTo('key-60')
  await page.keyboard.press('ArrowRight')
  await page.keyboard.down('Enter')
  await plays(ben, 'Ann', '♪ C♯4')
  await page.keyboard.up('Enter')
  await quiet(ben, 'Ann')
  await tabTo('take-start')
  await page.keyboard.press('Enter')
  await page.locator('[data-testid=takes][data-state=running]').waitFor()
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 375, 'the page is wider than the phone')
})

lesson('a reflection reaches the teacher live, and nobody else', async ({ open, room }) => {
  const claims = (sub, role) => token(secret, 3600, { sub, app_metadata: { music_role: role } })
  const ben = await open('Ben', 'student', { user: claims(studentId, 'student') })
  // The row of the room, which the first join made, says who teaches in it.
  await server.sql(`INSERT INTO music.rooms (name, teachers) VALUES ('${room}', '{${teacherId}}')
    ON CONFLICT (name) DO UPDATE SET teachers = excluded.teachers`)
  const ann = await open('Ann', 'teacher', { user: claims(teacherId, 'teacher') })
  const cem = await open('Cem', 'student')
  await has(ann, 'reflection-list', 'Nobody has written yet.')
  await has(cem, 'reflection-guest', 'You are here as a guest')
  assert.equal(await ann.getByTestId('reflection-form').isVisible(), false)
  await ben.getByTestId('mood-5').check()
  await ben.getByTestId('reflection-text').fill('The waltz was fun')
  await ben.getByTestId('reflect').click()
  await has(ben, 'reflection-words', 'Your teacher has it')
  const seen = ann.getByTestId('reflection').filter({ hasText: 'The waltz was fun' })
  await seen.waitFor()
  assert.match(await seen.innerText(), /Ben.*5, great/)
  await ann.reload() // which comes in again
  await has(ann, 'reflection', 'The waltz was fun')
})

lesson('who is not let in reads why, and may try again', async ({ blank, room }) => {
  const page = await blank()
  await page.goto(`${server.url}/classroom#key=wrong&room=${room}&name=Eve`)
  await linked(page, 'refused')
  await has(page, 'problem', /does not let you in: \w/)
  assert.equal(await page.getByTestId('lesson').isVisible(), false)
  await page.getByTestId('leave').click()
  await linked(page, 'out')
  await page.getByText('Server and key').click()
  await page.getByTestId('key').fill(server.anon)
  await page.getByTestId('enter').click()
  await has(page, 'who', `Eve, student in ${room}`)
  assert.equal(await page.getByTestId('problem').isVisible(), false)
}, /WebSocket connection to|Failed to load resource/)
