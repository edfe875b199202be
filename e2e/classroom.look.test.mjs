// The music classroom in Chromium: what anybody must be able to see, touch and
// wait for.

import assert from 'node:assert/strict'
import { has, manage, mode, school, sound } from './classroom.mjs'

const { lesson, server } = await school()
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }

/** Returns texts that are too faint on what is behind them (WCAG 2.2, 1.4.3 AA), with their ratios. */
const faint = (page) => page.evaluate(() => {
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const read = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number)
    return { rgb: [r, g, b], a }
  }
  const over = (top, under) => top.rgb.map((v, i) => v * top.a + under[i] * (1 - top.a))
  const behind = (element) => {
    const own = read(getComputedStyle(element).backgroundColor)
    if (own.a === 1) return own.rgb
    return over(own, element.parentElement ? behind(element.parentElement) : [255, 255, 255])
  }
  const found = []
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement
    const style = getComputedStyle(element)
    if (!walk.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true }) || element.closest(':disabled, option, script')) continue
    const back = behind(element)
    const ink = read(element instanceof SVGElement ? style.fill : style.color)
    const [a, b] = [light(over({ ...ink, a: ink.a * Number(style.opacity) }, back)), light(back)]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    const size = parseFloat(style.fontSize)
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
    if (ratio < (large ? 3 : 4.5)) found.push(`${walk.currentNode.data.trim().slice(0, 30)}: ${ratio.toFixed(2)}`)
  }
  return found
})

/** Returns what can be touched and is smaller than 44 px; black keys have their width from the white ones. */
const small = (page) => page.evaluate(() => {
  const all = document.querySelectorAll('button, select, summary, label:has(input[type=checkbox], input[type=radio]), textarea, input:not([type=checkbox], [type=radio])')
  return [...all].filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.matches('.black')).flatMap((element) => {
    const { width, height } = element.getBoundingClientRect()
    return Math.min(width, height) < 43.5 ? [`${element.dataset.testid ?? element.textContent.trim()}: ${width.toFixed(0)} x ${height.toFixed(0)}`] : []
  })
})

for (const colorScheme of ['light', 'dark']) {
  lesson(`texts stand out from what is behind them, ${colorScheme}`, async ({ open, blank }) => {
    const door = await blank({ colorScheme })
    await door.goto(`${server.url}/classroom`)
    await door.getByTestId('enter').waitFor()
    assert.deepEqual(await faint(door), [])
    // Colours on their way to others are no colours.
    const ann = await open('Ann', 'teacher', { look: { colorScheme, reducedMotion: 'reduce' } })
    assert.deepEqual(await faint(ann), [])
    await sound(ann)
    const more = await manage(ann, 'Ann')
    await more.getByTestId('person-part-name').fill('Violin 1')
    await more.getByTestId('person-part-set').click()
    await ann.getByTestId('interval-bars').selectOption({ label: 'of 1 bar' })
    await ann.getByTestId('interval-set').click()
    await ann.getByTestId('count-in').click()
    await mode(ann, 'counting')
    await ann.keyboard.down('d')
    assert.deepEqual(await faint(ann), [])
    await mode(ann, 'playing')
    await ann.keyboard.down('f')
    await has(ann, 'loop-list', 'Ann')
    assert.deepEqual(await faint(ann), [])
  })
}

lesson('on a phone all that can be touched is large enough, and the beats stay in sight', async ({ open, blank }) => {
  const door = await blank(phone)
  await door.goto(`${server.url}/classroom`)
  await door.getByTestId('enter').waitFor()
  assert.deepEqual(await small(door), [])
  const ann = await open('Ann', 'teacher', { look: phone })
  assert.deepEqual(await small(ann), [])
  await ann.getByTestId('sound-on').tap()
  await ann.locator('[data-testid=sound][data-state=running]').waitFor()
  await manage(ann, 'Ann')
  await ann.getByTestId('interval-bars').selectOption({ label: 'of 2 bars' })
  await ann.getByTestId('interval-set').tap()
  await ann.getByTestId('intervals').waitFor()
  assert.deepEqual(await small(ann), [])
  assert.equal(await ann.evaluate(() => document.documentElement.scrollWidth), 390, 'the page is wider than the phone')
  await ann.getByTestId('piano').scrollIntoViewIfNeeded()
  const lamps = await ann.getByTestId('lamps').boundingBox()
  assert.ok(lamps.y >= 0 && lamps.y < 200, `the lamps are at ${lamps.y}`)
  // Who walks through the page by Tab must see where he is.
  for (let n = 0; n < 70; n++) {
    await ann.keyboard.press('Tab')
    const hidden = await ann.evaluate(() => {
      const on = document.activeElement
      if (!on || on === document.body) return ''
      const { left, top, width, height } = on.getBoundingClientRect()
      const there = document.elementFromPoint(left + width / 2, top + height / 2)
      const seen = there && (on.contains(there) || there.contains(on) || there.closest('label')?.contains(on))
      return seen ? '' : `${on.dataset.testid} at ${top.toFixed(0)} is under ${there?.closest('[data-testid]')?.dataset.testid}`
    })
    assert.equal(hidden, '')
  }
})

lesson('the door opens before the music and the sounds are loaded', async ({ blank, room, t }) => {
  const page = await blank()
  const loaded = new Map()
  page.on('response', async (answer) => {
    if (!answer.url().endsWith('.js')) return
    const name = answer.url().replace(/.*\/|-[^-]*$/g, '')
    loaded.set(name, 0)
    loaded.set(name, (await answer.request().sizes()).responseBodySize)
  })
  // Nothing is idle here, so that what is wanted later does not come by itself.
  await page.addInitScript(() => (window.requestIdleCallback = () => 0))
  await page.goto(`${server.url}/classroom`, { waitUntil: 'networkidle' })
  const first = [...loaded.values()].reduce((sum, size) => sum + size, 0)
  t.diagnostic(`scripts before the door: ${first} bytes on the wire, ${JSON.stringify(Object.fromEntries(loaded))}`)
  assert.ok(![...loaded.keys()].some((name) => name === 'sound' || name === 'lesson'), [...loaded.keys()].join())
  assert.ok(first < 90_000, `${first} bytes`)
  await page.getByTestId('key').fill(server.anon)
  await page.getByTestId('name').fill('Ann')
  await page.getByTestId('room-name').fill(room)
  await page.getByTestId('enter').click()
  await has(page, 'who', 'Ann')
  assert.ok(!loaded.has('sound'))
  // Even when the sounds are fetched by the gesture itself, it is enough.
  await sound(page)
  assert.ok(loaded.has('sound'))
})
