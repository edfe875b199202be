// Music lessons in Chromium, for the tests of the classroom: a server with rooms,
// and pages that come into them. Each test fails at an error of a page or in its
// console, and leaves pictures of its pages when it fails.

import assert from 'node:assert/strict'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as path } from 'node:path'
import { after, test } from 'node:test'
import { chromium } from 'playwright-core'
import { devForAll } from './dev.mjs'

const patience = 15_000

/** Starts a server of so many nodes, and a browser. Returns the server, and lesson, which makes a test. */
export async function school(nodes = 1, env = {}) {
  const server = await devForAll(nodes, env)
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  })
  after(async () => {
    await browser.close()
    await server.end()
  })
  return { server, lesson: (name, act, expected) => lesson({ server, browser }, name, act, expected) }
}

let rooms = 0

/**
 * A test with a room of its own; open brings somebody in through a link. Lines in the
 * console that expected fits are no faults.
 */
function lesson({ server, browser }, name, act, expected = /^$/) {
  test(name, async (t) => {
    const room = `room-${++rooms}`
    const contexts = []
    const faults = []
    const blank = async (look = {}) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...look })
      context.setDefaultTimeout(patience)
      contexts.push(context)
      const page = await context.newPage()
      page.on('pageerror', (err) => faults.push(String(err)))
      page.on('console', (line) => line.type() === 'error' && !expected.test(line.text()) && faults.push(line.text()))
      return page
    }
    const open = async (who, role, { look, user, page, at = server, more = {} } = {}) => {
      page ??= await blank(look)
      const link = new URLSearchParams({ key: server.anon, room, name: who, role, ...(user && { token: user }), ...more })
      await page.goto(`${at.url}/classroom#${link}`)
      await page.getByTestId('who').and(page.getByText(`${who}, ${role} in ${room}`)).waitFor()
      return page
    }
    try {
      await act({ open, blank, room, t })
      assert.deepEqual(faults, [], 'a page has errors')
    } catch (err) {
      const folder = await mkdtemp(path(tmpdir(), 'tutti-e2e-'))
      for (const [i, page] of contexts.flatMap((context) => context.pages()).entries()) {
        const file = path(folder, `page-${i + 1}.png`)
        await page.screenshot({ path: file, fullPage: true })
        t.diagnostic(`picture of page ${i + 1}: ${file}`)
      }
      throw err
    } finally {
      for (const context of contexts) await context.close()
    }
  })
}

export const ready = (page) => page.waitForFunction(() => window.tuttiClassroom.ready())
export const clicks = (page) => page.evaluate(() => window.tuttiClassroom.clicks())
export const mode = (page, state) => page.locator(`[data-testid=metronome][data-mode=${state}]`).waitFor()
export const has = (page, testid, text) => page.getByTestId(testid).filter({ hasText: text }).first().waitFor()
export const person = (page, name) => page.locator(`[data-testid=person][data-name=${name}]`)
export const plays = (page, name, text) => person(page, name).getByTestId('person-plays').filter({ hasText: text }).waitFor()
export const quiet = (page, name) => person(page, name).locator('[data-testid=person-plays]:empty').waitFor({ state: 'attached' })
export const linked = (page, state) => page.locator(`[data-testid=link][data-state=${state}]`).waitFor()

/** Opens what a teacher may give somebody. */
export async function manage(page, name) {
  const more = person(page, name).getByTestId('person-manage')
  if ((await more.getAttribute('open')) === null) await more.locator('summary').click()
  return more
}

export async function sound(page) {
  await page.getByTestId('sound-on').click()
  await page.locator('[data-testid=sound][data-state=running]').waitFor()
  await ready(page)
}

/** A whole class with sound. */
export async function gather(open) {
  const pages = await Promise.all([open('Ann', 'teacher'), open('Ben', 'student'), open('Cem', 'student')])
  await Promise.all(pages.map(sound))
  for (const page of pages) await page.getByTestId('people-count').and(page.getByText('3', { exact: true })).waitFor()
  return pages
}

/** Sets the tempo at once. */
export async function tempo(page, bpm) {
  await page.getByTestId('at').selectOption('now')
  await page.getByTestId('bpm').fill(String(bpm))
  await page.getByTestId('tempo-set').click()
}

/**
 * Notes from now on when the page stood still, as on a machine that has too much to
 * do: no page can sound what it did not get to hand over.
 */
export const watchStalls = (page) => page.evaluate(() => {
  window.stalls = []
  let last = Date.now()
  setInterval(() => {
    const now = Date.now()
    if (now - last > 500) window.stalls.push([last, now])
    last = now
  }, 25)
})

// How far ahead the page hands clicks over, and what timers take, in ms. The sound of
// a page that stands still does as well, on a machine without a device for it.
const ahead = 1_000
const slack = 150

/**
 * Fails when a beat is double, or missing while the page did not stand still, or not
 * where the tempo has it. Returns how far the worst is off in ms, and how many are
 * missing.
 */
export async function even(page, who, beatMs) {
  const list = await clicks(page)
  const stalls = await page.evaluate(() => window.stalls)
  const stood = (due) => stalls.some(([from, to]) => from < due + slack && to > due - ahead - slack)
  let [worst, missing] = [0, 0]
  for (const [i, { beat, wall }] of list.slice(1).entries()) {
    const before = list[i]
    assert.ok(beat > before.beat, `${who}: after beat ${before.beat} comes ${beat}`)
    for (let lost = before.beat + 1; lost < beat; lost++) {
      const due = before.wall + (lost - before.beat) * beatMs
      assert.ok(stood(due), `${who}: beat ${lost} is missing, and the page stood still only in ${JSON.stringify(stalls)}; it was due at ${due}`)
      missing++
    }
    worst = Math.max(worst, Math.abs(wall - before.wall - (beat - before.beat) * beatMs))
  }
  assert.ok(worst < 5, `${who}: a click is ${worst} ms off`)
  return { count: list.length, worst, missing }
}

export const inWords = ({ count, worst, missing }) => `${count} clicks, none double, at most ${worst.toFixed(2)} ms off, ` +
  (missing === 0 ? 'none missing' : `${missing} missing while the page stood still`)
