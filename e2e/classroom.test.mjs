// The music classroom in Chromium: a teacher's page and two students' hear one
// clock, see each other's notes, and follow the teacher.

import assert from 'node:assert/strict'
import { clicks, gather, has, mode, person, plays, quiet, school, sound, tempo } from './classroom.mjs'

const { lesson } = await school()

const quantile = (values, share) => values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1]

lesson('a teacher and two students compute the same moment for the same beat, within 5 ms', async ({ open, t }) => {
  const pages = await gather(open)
  await tempo(pages[0], 300)
  await pages[0].getByTestId('start').click()
  const enough = 60
  for (const page of pages) await page.waitForFunction((n) => window.tuttiClassroom.clicks().length >= n, enough)
  const heard = await Promise.all(pages.map(clicks))
  const beats = heard[0].map(({ beat }) => beat).filter((beat) => heard.every((list) => list.some((click) => click.beat === beat)))
  assert.ok(beats.length >= enough / 2, `only ${beats.length} beats are common to all`)
  const walls = beats.map((beat) => heard.map((list) => list.find((click) => click.beat === beat).wall))
  const spread = walls.map((times) => Math.max(...times) - Math.min(...times))
  const [middle, p95, worst] = [quantile(spread, 0.5), quantile(spread, 0.95), Math.max(...spread)]
  t.diagnostic(`click times of ${beats.length} beats on 3 pages differ by p50 ${middle.toFixed(2)} ms, p95 ${p95.toFixed(2)} ms, at most ${worst.toFixed(2)} ms`)
  assert.ok(p95 <= 5, `p95 is ${p95} ms`)
  // And they are where the tempo says.
  const [first, last] = [heard[1].at(-30), heard[1].at(-1)]
  const step = (last.at - first.at) / (last.beat - first.beat)
  assert.ok(Math.abs(step - 200) < 0.01, `a beat of 300 bpm took ${step} ms`)
  for (const page of pages) t.diagnostic(JSON.stringify(await page.evaluate(() => window.tuttiClassroom.tally())))
})

lesson('there is no sound before a gesture, and the page says so', async ({ open, blank }) => {
  const page = await blank()
  await page.addInitScript(() => {
    window.made = 0
    const Real = window.AudioContext
    window.AudioContext = class extends Real {
      constructor(...all) {
        super(...all)
        window.made++
      }
    }
  })
  await open('Ann', 'teacher', { page })
  await has(page, 'sound-words', 'The sound is off')
  await page.getByTestId('start').click()
  await mode(page, 'playing')
  await page.getByTestId('lamps').locator('[data-on]').waitFor()
  assert.equal((await clicks(page)).length, 0)
  assert.equal(await page.evaluate(() => window.made), 0)
  await sound(page)
  await page.waitForFunction(() => window.tuttiClassroom.clicks().length > 2)
  assert.equal(await page.evaluate(() => window.made), 1)
})

lesson('a note on one page is seen on the others, until the key goes up or the player does', async ({ open }) => {
  const [ann, ben, cem] = await gather(open)
  await ben.keyboard.down('d')
  for (const page of [ann, cem, ben]) await plays(page, 'Ben', '♪ E4')
  await ann.locator('[data-testid=key-64][data-heard]').waitFor()
  await ben.keyboard.up('d')
  for (const page of [ann, cem]) await quiet(page, 'Ben')

  // By mouse, sliding from key to key.
  await cem.getByTestId('key-60').hover()
  await cem.mouse.down()
  await plays(ann, 'Cem', '♪ C4')
  await cem.getByTestId('key-67').hover()
  await plays(ann, 'Cem', /^♪ G4$/)
  await cem.mouse.up()
  await quiet(ann, 'Cem')

  await person(ann, 'Ben').getByTestId('person-mute').click()
  await person(ben, 'Ben').getByTestId('person-heard').filter({ hasText: 'muted' }).waitFor()
  await ben.keyboard.press('d')
  await has(ben, 'notice', 'muted')
  await person(ann, 'Ben').getByTestId('person-mute').click()
  await person(ben, 'Ben').getByTestId('person-heard').waitFor({ state: 'hidden' })
  await person(ann, 'Cem').getByTestId('person-solo').click()
  await person(ben, 'Cem').getByTestId('person-heard').filter({ hasText: 'solo' }).waitFor()
  await ben.keyboard.press('d')
  await has(ben, 'notice', 'plays alone')

  await cem.keyboard.down('a')
  await plays(ann, 'Cem', '♪ C4')
  await cem.close()
  await person(ann, 'Cem').waitFor({ state: 'detached' })
  assert.equal(await ann.locator('[data-testid=key-60][data-heard]').count(), 0, 'a note hangs')
})

lesson('the teacher leads: tempo, ramp, taps, meter, count-in, stop, seek', async ({ open }) => {
  const [ann, ben] = await gather(open)
  assert.equal(await ben.getByTestId('transport').isVisible(), false)
  await tempo(ann, 132)
  await has(ben, 'bpm-now', /^132$/)
  await ann.getByTestId('faster').click()
  await has(ben, 'bpm-now', /^136$/)

  await ann.getByTestId('meter').selectOption({ label: '7/8 as 2+2+3' })
  await ann.getByTestId('meter-set').click()
  await has(ben, 'meter-now', '7/8 2+2+3')
  assert.deepEqual(await ben.locator('.lamp').evaluateAll((all) => all.map((lamp) => lamp.dataset.accent)), ['2', '0', '1', '0', '1', '0', '0'])

  await ann.getByTestId('count-in').click()
  await mode(ben, 'counting')
  await mode(ben, 'playing')
  await has(ben, 'bar', /^1$/)
  await ann.getByTestId('seek-bar').fill('40')
  await ann.getByTestId('seek').click()
  await has(ben, 'bar', /^4\d$/)
  await ann.getByTestId('ramp').fill('4')
  await ann.getByTestId('bpm').fill('240')
  await ann.getByTestId('tempo-set').click()
  await has(ben, 'bpm-now', /^240$/)
  await ann.getByTestId('ramp').fill('0')

  // Taps are timed by their events: 600 ms are 100 bpm.
  await ann.getByTestId('tap').evaluate((button) => {
    const tap = (at) => {
      const event = new PointerEvent('pointerdown', { bubbles: true })
      Object.defineProperty(event, 'timeStamp', { value: at })
      button.dispatchEvent(event)
    }
    for (const at of [1000, 1600, 2200]) tap(at)
  })
  await has(ben, 'bpm-now', /^100$/)
  await ann.getByTestId('stop').click()
  await mode(ben, 'stopped')
  await ann.getByTestId('start').click()
  await mode(ben, 'playing')
  await ann.getByTestId('start').click()
  await has(ann, 'notice', /play/i)
})
