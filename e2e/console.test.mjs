// The page that the server prints, in Chromium. Each test fails at an error of a
// page or in its console, and leaves pictures of its pages when it fails.

import assert from 'node:assert/strict'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as path } from 'node:path'
import { after, before, test } from 'node:test'
import { chromium } from 'playwright-core'
import { broadcast, join, newest } from './clients.mjs'
import { start } from './server.mjs'

const patience = 10_000

let browser

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  })
})
after(() => browser?.close())

/** A test with a server; open opens the printed link in a new window. */
function stage(name, act) {
  test(name, async (t) => {
    const server = await start(t)
    const context = await browser.newContext()
    context.setDefaultTimeout(patience)
    t.after(() => context.close())
    const faults = []
    const open = async () => {
      const page = await context.newPage()
      page.on('pageerror', (err) => faults.push(String(err)))
      page.on('console', (line) => line.type() === 'error' && faults.push(line.text()))
      await page.goto(server.page)
      return page
    }
    try {
      await act(open, server)
      assert.deepEqual(faults, [], 'a page has errors')
    } catch (err) {
      await photograph(t, context.pages())
      throw err
    }
  })
}

async function photograph(t, pages) {
  const folder = await mkdtemp(path(tmpdir(), 'tutti-e2e-'))
  for (const [i, page] of pages.entries()) {
    const file = path(folder, `page-${i + 1}.png`)
    await page.screenshot({ path: file, fullPage: true })
    t.diagnostic(`picture of page ${i + 1}: ${file}`)
  }
}

const connected = (page) => page.locator('[data-testid=connection-status][data-state=connected]').waitFor()
const inState = (page, topic, state) => page.locator(`[data-testid=channel-${topic}][data-state=${state}]`).waitFor()
const message = (page, text) => page.getByTestId('messages').getByTestId('message').filter({ hasText: text }).waitFor()
const present = (page, count) => page.getByTestId('presence-count').and(page.getByText(String(count), { exact: true })).waitFor()

async function inLobby(page) {
  await connected(page)
  await inState(page, 'lobby', 'joined')
}

stage('two windows meet in the lobby: they see each other and hear each other', async (open) => {
  const [one, two] = [await open(), await open()]
  for (const page of [one, two]) {
    await inLobby(page)
    await present(page, 2)
  }
  await one.getByTestId('event').fill('greeting')
  await one.getByTestId('payload').fill('{"text": "from one to two"}')
  await one.getByTestId('send').click()
  await message(two, 'from one to two')
  await message(one, 'from one to two')
  await one.getByTestId('send-status').and(one.getByText(/^Acknowledged in/)).waitFor()
  assert.equal(await two.getByTestId('message').getAttribute('data-event'), 'greeting')

  await two.close()
  await present(one, 1)
})

stage('a window and a client in Node hear each other', async (open, server) => {
  const page = await open()
  await inLobby(page)
  const node = await join(newest(server), 'lobby', { broadcast: { ack: true } })

  assert.equal(await broadcast(node, 'note', { text: 'from node' }), 'ok')
  await message(page, 'from node')
  await page.getByTestId('payload-format').selectOption('hex')
  await page.getByTestId('payload').fill('00 ff 10')
  await page.getByTestId('send').click()
  assert.deepEqual(new Uint8Array((await node.heard.next()).payload), Uint8Array.of(0x00, 0xff, 0x10))
  await page.getByTestId('payload-format').selectOption('json')
  await page.getByTestId('payload').fill('{"over": "http"}')
  await page.getByTestId('send-via').selectOption('http')
  await page.getByTestId('send').click()
  assert.deepEqual((await node.heard.next()).payload, { over: 'http' })
})

stage('a window that chooses serializer 1.0.0 hears and is heard', async (open, server) => {
  const page = await open()
  await inLobby(page)
  await page.getByText('More settings').click()
  await page.getByTestId('vsn').selectOption('1.0.0')
  await page.getByTestId('connect').click()
  const node = await join(newest(server), 'lobby', { broadcast: { ack: true } })
  await inLobby(page)
  await page.getByTestId('payload').fill('{"text": "in words of 1.0.0"}')
  await page.getByTestId('send').click()
  assert.deepEqual((await node.heard.next()).payload, { text: 'in words of 1.0.0' })
  assert.equal(await broadcast(node, 'note', { text: 'answer' }), 'ok')
  await message(page, 'answer')
})

stage('a refused private topic shows the reason, its cause and a cure', async (open) => {
  const page = await open()
  await inLobby(page)
  await page.getByTestId('topic').fill('secret')
  await page.getByTestId('private').check()
  await page.getByTestId('join').click()
  await inState(page, 'secret', 'error')
  const problem = page.getByTestId('channel-problem')
  await problem.waitFor()
  const text = await problem.innerText()
  assert.match(text, /Unauthorized: You do not have permissions to read from this Channel topic: secret/)
  assert.match(text, /policies on realtime\.messages do not let this token read/)
  assert.match(text, /add a policy for SELECT/)
  await inState(page, 'lobby', 'joined')
})

stage('the frame log shows the join and its answer, and hides the key', async (open, server) => {
  const page = await open()
  await inLobby(page)
  const frame = (direction, event) => page.locator(`[data-testid=frame][data-direction=${direction}][data-event=${event}]`)
  await frame('out', 'phx_join').filter({ hasText: 'realtime:lobby' }).waitFor()
  await frame('in', 'phx_reply').filter({ hasText: 'realtime:lobby' }).first().waitFor()
  await frame('in', 'presence_state').waitFor()
  const signature = server.anon.split('.')[2]
  assert.ok(!(await page.locator('body').innerText()).includes(signature), 'the key can be read on the page')
  assert.ok(!page.url().includes(signature), 'the key stays in the address')
})

stage('a window that is loaded again connects again', async (open) => {
  const page = await open()
  await inLobby(page)
  await page.reload()
  await inLobby(page)
})

stage('the keyboard alone joins a topic and sends', async (open) => {
  const page = await open()
  await inLobby(page)
  await tabTo(page, 'topic')
  await page.keyboard.press('Control+A')
  await page.keyboard.type('quintet')
  await page.keyboard.press('Enter')
  await inState(page, 'quintet', 'joined')
  await tabTo(page, 'payload')
  await page.keyboard.press('Control+A')
  await page.keyboard.type('{"text": "typed"}')
  await tabTo(page, 'send')
  await page.keyboard.press('Enter')
  await message(page, 'typed')
})

/** Presses Tab until the focus is there. */
async function tabTo(page, testid) {
  const seen = []
  while (seen.length < 60) {
    await page.keyboard.press('Tab')
    const at = await page.evaluate(() => document.activeElement?.getAttribute('data-testid') ?? document.activeElement?.tagName)
    if (at === testid) return
    seen.push(at)
  }
  assert.fail(`Tab does not reach ${testid}, but ${seen.join(', ')}`)
}
