// The page with the nodes, in Chromium. It asks the real server, but for the
// cluster of which only the answer is made up.

import assert from 'node:assert/strict'
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

/** Opens the status of a server; a fault of the page fails the test. */
async function open(t, server, { answer, ...look } = {}) {
  const context = await browser.newContext(look)
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  const faults = []
  page.on('pageerror', (err) => faults.push(String(err)))
  // That a server does not answer is no fault of the page's.
  page.on('console', (line) => line.type() === 'error' && !/Failed to load resource/.test(line.text()) && faults.push(line.text()))
  t.after(async () => {
    await context.close()
    assert.deepEqual(faults, [], 'the page has errors')
  })
  if (answer) {
    await page.route('**/status', (route) => (route.request().resourceType() === 'fetch' ? route.fulfill({ json: answer() }) : route.continue()))
  }
  await page.goto(`${server.url}/status`)
  return page
}

const has = (page, testid, text) => page.getByTestId(testid).filter({ hasText: text }).waitFor()
const node = (page, id) => page.locator(`[data-testid=node][data-node="${id}"]`)

test('the page shows a single node, counts its connections, and goes on when the node was away', async (t) => {
  const server = await start(t)
  const page = await open(t, server)
  await has(page, 'headline', 'A single node with 0 connections')
  await has(page, 'more-commands', 'CLUSTER_PEERS=')
  assert.equal(await page.getByTestId('trips').isVisible(), false)
  await join(newest(server), 'room')
  await has(page, 'headline', 'A single node with 1 connection')
  await has(page, 'node-connections', /^1$/)
  await node(page, await page.getByTestId('node').getAttribute('data-node')).locator('.spark canvas').waitFor()

  await server.stop()
  await has(page, 'problem', 'does not answer')
  assert.equal(await page.getByTestId('reach').getAttribute('data-state'), 'reconnecting')
  await has(page, 'headline', 'A single node') // what was known stays

  await start(t, { port: server.port })
  await has(page, 'back', 'The node was started anew.')
  await has(page, 'reach', 'Live')
  assert.equal(await page.getByTestId('problem').isVisible(), false)
})

test('the console leads to the page and back, and machines are answered in JSON', async (t) => {
  const server = await start(t)
  const page = await open(t, server)
  await page.getByRole('link', { name: 'Console' }).click()
  await page.getByTestId('connect').waitFor()
  await page.getByTestId('status-link').click()
  await has(page, 'headline', 'A single node')

  const status = await fetch(`${server.url}/status`, { headers: { Accept: 'application/json' } })
  const { ready, connections } = await status.json()
  assert.deepEqual({ ready, connections }, { ready: true, connections: 0 })
  for (const [path, body] of [['/health/live', { live: true }], ['/health/ready', { ready: true }]]) {
    const answer = await fetch(server.url + path)
    assert.deepEqual([answer.status, await answer.json()], [200, body])
  }
})

test('the page shows who is silent, who leaves, who is gone, and how far apart they are', async (t) => {
  const server = await start(t)
  let lost = 0
  let away = false
  const page = await open(t, server, { answer: () => cluster(lost, away), viewport: { width: 375, height: 800 } })
  await has(page, 'headline', '3 nodes in 2 regions with 42 connections')
  assert.deepEqual(await page.getByTestId('alert').allInnerTexts(), [
    'far is silent: not heard for 3.0 s; after 5 s it counts as lost.',
    'near is leaving: it takes no new clients and sends its own to other nodes.',
  ])
  assert.match(await node(page, 'far').innerText(), /^far\nSilent\n/)
  assert.match(await node(page, 'near').innerText(), /Leaving[^]*Round trip\n0\.50 ms/)
  const rows = await page.getByTestId('matrix').locator('tr').allInnerTexts()
  assert.deepEqual(rows.map((row) => row.split(/\s*\t\s*/)), [
    ['From', 'far', 'near', 'own'],
    ['far', '–', 'not known', '80 ms'],
    ['near', 'not known', '–', '0.60 ms'],
    ['own', '81 ms', '0.50 ms', '–'],
  ])
  assert.deepEqual(await page.getByTestId('graph').locator('.edge-label').allTextContents(), ['0.60 ms', '81 ms'])
  await page.getByTestId('no-loss').waitFor()

  lost = 7
  away = true
  await page.locator('[data-testid=losses] [data-counter=missed]').filter({ hasText: /7\s*\+7/ }).waitFor()
  await page.getByTestId('alert').filter({ hasText: 'Missed: 7 in the last minute' }).waitFor()
  await page.locator('[data-node=near][data-standing=left]').waitFor()
  await page.locator('[data-node=far][data-standing=gone]').waitFor()

  // The keyboard alone opens what is folded.
  const all = page.getByText('Everything that is counted')
  for (let n = 0; n < 12 && !(await all.evaluate((element) => element === document.activeElement)); n++) await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.locator('[data-testid=traffic] [data-counter=sent]').filter({ hasText: '1,234' }).waitFor()
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 375, 'the page is wider than the phone')
})

const began = new Date(Date.now() - 3_600_000).toISOString()

/** The answer of a node that hears two others, or none. */
function cluster(lost, away) {
  const one = { version: '1', started: began, missed: 0 }
  const others = [
    { ...one, id: 'far', self: false, region: 'us', round_trip_ms: 81, silent_ms: 3000, load: { connections: 30 }, round_trips: { own: 80 } },
    { ...one, id: 'near', self: false, region: 'eu', round_trip_ms: 0.5, silent_ms: 10, leaving: true, load: { connections: 2 }, round_trips: { own: 0.6 } },
  ]
  return {
    version: '1', started: began, connections: 10, topics: 3, tenants: 1, node: 'own', region: 'eu', ready: true,
    cluster: {
      name: 'tutti', lost_after_ms: 5000, bus: { sent: 1234, received: 5, missed: lost },
      nodes: [{ ...one, id: 'own', self: true, region: 'eu', silent_ms: 0, load: { connections: 10 } }, ...(away ? [] : others)],
    },
  }
}
