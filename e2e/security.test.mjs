// What browsers make of the headers that pages are sent with: nothing that a page
// does itself is against its policy, and what others would do with it is.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { chromium } from 'playwright-core'
import { join, newest } from './clients.mjs'
import { start } from './server.mjs'

let browser
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
})
after(() => browser?.close())

/** Opens a page that notes what was against its policy, and what browsers say about headers. */
async function open(t, address) {
  const page = await browser.newPage()
  t.after(() => page.close())
  page.setDefaultTimeout(15_000)
  const faults = []
  await page.exposeFunction('noteFault', (fault) => faults.push(fault))
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => window.noteFault(`${e.effectiveDirective}: ${e.blockedURI} ${e.sample} ${e.sourceFile}:${e.lineNumber}`))
  })
  page.on('console', (line) => /policy|header|unsafe|refused/i.test(line.text()) && faults.push(line.text()))
  page.on('pageerror', (err) => faults.push(String(err)))
  const answer = await page.goto(address)
  return { page, faults, headers: answer.headers(), status: answer.status() }
}

/** A page of another site. */
async function elsewhere(t, html) {
  const server = http.createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end(html))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://localhost:${server.address().port}/`
}

/** Uses a page as its users would, so that what it does late is seen too. */
const uses = {
  '/': async (page, server) => {
    await page.getByTestId('key').fill(server.anon)
    await page.getByTestId('connect').click()
    await page.locator('[data-testid=connection-status][data-state=connected]').waitFor()
    await page.getByTestId('join').click()
    await page.getByTestId('send').click()
    await page.getByTestId('message').first().waitFor()
  },
  '/status': async (page, server) => {
    await join(newest(server), 'room')
    await page.getByTestId('headline').filter({ hasText: '1 connection' }).waitFor()
    await page.getByTestId('node').locator('.spark canvas').first().waitFor()
  },
  '/classroom': async (page) => {
    await page.locator('input').first().waitFor()
    assert.equal(await page.evaluate(() => document.featurePolicy.allowsFeature('midi')), true, 'no piano can be plugged in')
    for (const feature of ['microphone', 'camera', 'geolocation', 'usb']) {
      assert.equal(await page.evaluate((name) => document.featurePolicy.allowsFeature(name), feature), false, feature)
    }
  },
  '/swaggerui': async (page) => page.getByRole('heading', { name: 'Tutti HTTP interface' }).waitFor(),
  '/admin': async (page) => page.locator('input').first().waitFor(),
}

for (const [path, use] of Object.entries(uses)) {
  test(`the page ${path} does nothing against its own policy, and nobody can write into it`, async (t) => {
    const server = await start(t)
    const { page, faults, headers, status } = await open(t, server.url + path)
    if (status === 404 && path === '/admin') return t.skip('this server has no such page')
    assert.match(headers['content-security-policy'], /script-src 'self';.*frame-ancestors 'none'/)
    assert.equal(headers['content-security-policy'].includes('unsafe'), false)
    await use(page, server)
    assert.deepEqual(faults, [], 'the page is against its own policy')

    // What somebody would write into a page does not run. (addInitScript and
    // evaluate stand above the policy; elements that they make do not.)
    await page.evaluate(() => {
      const inline = document.createElement('script')
      inline.textContent = 'window.broken = "inline"'
      const remote = document.createElement('script')
      remote.src = 'https://evil.invalid/x.js'
      const picture = document.createElement('img')
      picture.setAttribute('onerror', 'window.broken = "handler"')
      picture.src = '/nothing'
      document.body.append(inline, remote, picture)
    })
    while (faults.filter((fault) => /^script-src/.test(fault)).length < 2) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(await page.evaluate(() => window.broken), undefined)
  })
}

test('a page of another site cannot show a page in a frame, nor hold its window', async (t) => {
  const server = await start(t)
  for (const path of Object.keys(uses)) {
    const other = await elsewhere(t, `<iframe src="${server.url}${path}"></iframe>`)
    const { page } = await open(t, other)
    const frame = await (await page.waitForSelector('iframe')).contentFrame()
    await page.waitForFunction(() => performance.getEntriesByType('resource').some((one) => one.initiatorType === 'iframe'))
    assert.ok(frame.url().startsWith('chrome-error:') || (await frame.locator('input, table, h1').count()) === 0, `${path} is in a frame`)
  }
  const { page } = await open(t, await elsewhere(t, '<h1>other</h1>'))
  const [window] = await Promise.all([page.waitForEvent('popup'), page.evaluate((url) => void (globalThis.held = globalThis.open(url)), server.url)])
  await window.getByTestId('connect').waitFor()
  assert.equal(await page.evaluate(() => globalThis.held.closed), true, 'the other site holds the window of the console')
})

test('pages of origins that are not allowed get neither a WebSocket nor an answer; the server’s own do', async (t) => {
  const allowed = await elsewhere(t, '<h1>allowed</h1>')
  const server = await start(t, { env: { ALLOWED_ORIGINS: new URL(allowed).origin } })
  const attempt = async (address) => {
    const { page } = await open(t, address)
    return page.evaluate(
      async ([url, key]) => {
        const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/socket/websocket?vsn=2.0.0&apikey=${key}`)
        const opened = await new Promise((resolve) => {
          socket.onopen = () => resolve(true)
          socket.onclose = () => resolve(false)
        })
        socket.close()
        const answer = await fetch(`${url}/api/broadcast`, {
          method: 'POST',
          headers: { apikey: key, 'Content-Type': 'application/json' },
          body: '{"messages":[{"topic":"t","event":"e","payload":{}}]}',
        }).catch(() => undefined)
        return { opened, status: answer?.status }
      },
      [server.url, server.anon],
    )
  }
  assert.deepEqual(await attempt(allowed), { opened: true, status: 202 })
  assert.deepEqual(await attempt(server.url), { opened: true, status: 202 })
  assert.deepEqual(await attempt(await elsewhere(t, '<h1>another</h1>')), { opened: false, status: undefined })
})
