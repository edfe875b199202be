// The music classroom in Chromium: parts, and intervals in which everybody is
// heard one later.

import assert from 'node:assert/strict'
import { gather, has, manage, mode, person, school, tempo } from './classroom.mjs'

const { lesson } = await school()

const loops = (page) => page.evaluate(() => window.tuttiClassroom.loops())
const heardLoops = (page, count) => page.waitForFunction((n) => window.tuttiClassroom.loops().length >= n, count)

lesson('the teacher gives parts with a name and a colour, which all see', async ({ open }) => {
  const [ann, ben, cem] = await gather(open)
  const form = await manage(ann, 'Ben')
  await form.getByTestId('person-part-name').fill('Violin 1')
  await form.getByTestId('person-part-colour').selectOption({ label: 'purple' })
  await form.getByTestId('person-part-name').press('Enter')
  await has(ben, 'own-part', 'Violin 1')
  await person(cem, 'Ben').getByTestId('person-part').filter({ hasText: 'Violin 1' }).waitFor()
  for (const page of [ben, cem]) await page.locator('[data-testid=player][data-colour="3"]').filter({ hasText: 'Ben, Violin 1' }).waitFor()

  // Another player of the same part has its colour without choosing it.
  const next = await manage(ann, 'Cem')
  await next.getByTestId('person-part-name').fill('Violin 1')
  await next.getByTestId('person-part-set').click()
  await cem.locator('[data-testid=own-part][data-colour="3"]').waitFor()
  assert.equal(await cem.getByTestId('person-manage').first().isVisible(), false, 'a student may give parts')

  await form.getByTestId('person-part-name').fill('')
  await form.getByTestId('person-part-set').click()
  await ben.getByTestId('own-part').waitFor({ state: 'hidden' })
})

lesson('what is played in an interval is heard by all one later, and again', async ({ open, t }) => {
  const pages = await gather(open)
  const [ann, ben, cem] = pages
  await tempo(ann, 240)
  assert.equal(await cem.getByTestId('intervals').isVisible(), false)
  await ann.getByTestId('interval-bars').selectOption({ label: 'of 1 bar' })
  await ann.getByTestId('interval-set').click()
  for (const page of pages) await has(page, 'interval-words', 'begins with the music')
  await ann.getByTestId('start').click()
  await has(cem, 'interval-words', /^Interval \d+, one bar: play now/)

  await ben.keyboard.press('d')
  await has(cem, 'loop-list', /Ben is heard/)
  for (const page of pages) await heardLoops(page, 3)
  const lists = await Promise.all(pages.map(loops))
  for (const list of lists) {
    const notes = list.filter(({ midi }) => midi === 64)
    assert.deepEqual(notes.map(({ at }, i) => Math.round(at - notes[0].at - i * 1000)), notes.map(() => 0), 'a loop of a bar comes each second')
    assert.ok(Math.abs(notes[0].at - lists[0][0].at) % 1000 < 0.01, 'it is not at the same place on all pages')
  }
  const walls = lists.map((list) => list.find(({ at }) => Math.abs(at - Math.max(...lists.map(([first]) => first.at))) < 0.01).wall)
  const apart = Math.max(...walls) - Math.min(...walls)
  t.diagnostic(`three pages sound the same note of a loop ${apart.toFixed(2)} ms apart`)
  assert.ok(apart < 10, `they are ${apart} ms apart`)

  // Something else takes its place.
  await ben.keyboard.press('g')
  await cem.waitForFunction(() => window.tuttiClassroom.loops().some(({ midi }) => midi === 67))
  const latest = (await loops(cem)).at(-1)
  assert.equal(latest.midi, 67)

  // Who is muted is not heard; who has enough clears his loop.
  await person(ann, 'Ben').getByTestId('person-mute').click()
  await person(cem, 'Ben').getByTestId('person-heard').filter({ hasText: 'muted' }).waitFor()
  await person(ann, 'Ben').getByTestId('person-mute').click()
  await ben.getByTestId('loop-clear-mine').click()
  for (const page of pages) await page.locator('[data-testid=loop-list]:empty').waitFor({ state: 'attached' })
  assert.equal(await ben.getByTestId('loop-clear-all').isVisible(), false)

  await cem.keyboard.press('a')
  await has(ben, 'loop-list', /Cem is heard/)
  await ann.getByTestId('loop-clear-all').click()
  for (const page of pages) await page.locator('[data-testid=loop-list]:empty').waitFor({ state: 'attached' })

  await ann.getByTestId('interval-bars').selectOption({ label: 'none' })
  await ann.getByTestId('interval-set').click()
  await cem.getByTestId('intervals').waitFor({ state: 'hidden' })
  await mode(cem, 'playing')
})

lesson('who wants no motion sees the interval in steps, and hears the others once', async ({ open }) => {
  const ann = await open('Ann', 'teacher', { look: { reducedMotion: 'reduce' } })
  await ann.getByTestId('interval-bars').selectOption({ label: 'of 1 bar' })
  await ann.getByTestId('interval-set').click()
  await ann.getByTestId('start').click()
  await has(ann, 'interval-words', /^Interval/)
  const seen = await ann.evaluate(() => new Promise((resolve) => {
    const offsets = new Set()
    const fill = document.querySelector('[data-testid=interval-fill]')
    const look = () => {
      offsets.add(fill.style.strokeDashoffset)
      if (offsets.size > 3) resolve([...offsets])
      else requestAnimationFrame(look)
    }
    look()
  }))
  assert.deepEqual(seen.map(Number).filter((offset) => offset % 25 !== 0), [], 'it moves between the beats')
  await ann.getByTestId('loop-repeat').uncheck()
  await ann.keyboard.press('d')
  await has(ann, 'loop-list', /is heard/)
  await ann.locator('[data-testid=loop-list]:empty').waitFor({ state: 'attached' })
})
