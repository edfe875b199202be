// The page that the server prints, in Chromium. Each test fails at an error of a
// page or in its console, and leaves pictures of its pages when it fails.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as path } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import { broadcast, join, newest, token } from './clients.mjs'
import { devForAll, secret } from './dev.mjs'
import { binary, start } from './server.mjs'

const patience = 10_000
const ann = '11111111-1111-1111-1111-111111111111'

let browser
let database // the server of the tests that need one with a database

before(async () => {
  database = await devForAll()
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  })
})
after(async () => {
  await browser?.close()
  await database?.end()
})

/** A test with a server; open opens the printed link in a new window. */
function stage(name, act, serve = start) {
  test(name, async (t) => {
    const server = await serve(t)
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

/** A test with the server that has a database. */
const scene = (name, act) => stage(name, act, () => database)

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

scene('a user sees their own rows of a table as they change, and the others do not', async (open, server) => {
  const page = await open()
  await inLobby(page)
  await useToken(page, token(secret, 3600, { sub: ann }))
  assert.equal(await page.getByTestId('claim-role').innerText(), 'authenticated')
  assert.equal(await page.getByTestId('claim-sub').innerText(), ann)
  assert.match(await page.getByTestId('claim-exp').innerText(), /^expires in 59 minutes$/)
  await page.getByTestId('topic').fill('mine')
  await page.getByTestId('binding-add').click()
  await page.getByTestId('join').click()
  await subscribed(page)
  await notice(page, 'Subscribed to PostgreSQL')

  const id = await server.sql(
    `INSERT INTO todos (user_id, title) VALUES (gen_random_uuid(), 'of somebody')`,
    `INSERT INTO todos (user_id, title) VALUES ('${ann}', 'buy <b>milk</b>') RETURNING id`,
  )
  await change(page, 'INSERT', 'buy <b>milk</b>')
  await server.sql(`UPDATE todos SET title = 'buy bread' WHERE id = ${id}`, `DELETE FROM todos WHERE id = ${id}`)
  await change(page, 'DELETE', id)
  const changes = page.getByTestId('change')
  assert.deepEqual(await changes.evaluateAll((all) => all.map((one) => one.dataset.event)), ['INSERT', 'UPDATE', 'DELETE'])
  const different = changes.nth(1).locator('[data-changed]')
  assert.deepEqual(await different.locator('dt').allInnerTexts(), ['title'])
  assert.deepEqual([await different.locator('del').innerText(), await different.locator('ins').innerText()], ['buy <b>milk</b>', 'buy bread'])
  assert.match(await changes.first().getByTestId('latency').innerText(), /^\d+ ms$/)
  await page.getByTestId('latency-value').and(page.getByText(/^\d+ ms, \d+ ms$/)).waitFor()
})

scene('two bindings of one topic, and a change that fits both is shown once', async (open, server) => {
  await server.sql('CREATE TABLE fruit (id int PRIMARY KEY, name text)', 'GRANT SELECT ON fruit TO anon', 'ALTER PUBLICATION supabase_realtime ADD TABLE fruit')
  const page = await open()
  await inLobby(page)
  await page.getByTestId('topic').fill('fruit')
  for (const [i, filter] of ['name=eq.pear', 'id=gt.1'].entries()) {
    await page.getByTestId('binding-add').click()
    const row = page.getByTestId('binding').nth(i)
    await row.getByTestId('binding-table').fill('fruit')
    await row.getByTestId('binding-filter').fill(filter)
  }
  await page.getByTestId('join').click()
  await subscribed(page)
  await server.sql(`INSERT INTO fruit VALUES (1, 'apple'), (2, 'pear'), (3, 'fig')`)
  await change(page, 'INSERT', 'fig')
  assert.equal(await page.getByTestId('change').count(), 2)
  assert.equal(await page.getByTestId('change').filter({ hasText: 'pear' }).getByText('2 bindings').count(), 1)
})

scene('a wrong filter shows what the server says and what it means, and the topic stays joined', async (open) => {
  const page = await open()
  await inLobby(page)
  await page.getByTestId('topic').fill('wrong')
  await page.getByTestId('binding-add').click()
  await page.getByTestId('binding-filter').fill('nothing=eq.1')
  await page.getByTestId('join').click()
  await page.locator('[data-testid=changes-status][data-state=refused]').waitFor()
  const text = await page.locator('[data-testid=notice][data-ok=false]').innerText()
  assert.match(text, /Unable to subscribe to changes with given parameters\. .*invalid column for filter nothing/)
  assert.match(text, /no column of that name/)
  await inState(page, 'wrong', 'joined')
})

scene('a private topic without policies is refused in words, and let in once there are some; the past is replayed', async (open, server) => {
  const page = await open()
  await inLobby(page)
  await useToken(page, token(secret, 3600, { sub: ann }))
  await page.getByTestId('topic').fill('club')
  assert.equal(await page.getByTestId('replay').isVisible(), false, 'a public topic has nothing to replay')
  await page.getByTestId('private').check()
  await page.getByTestId('replay-minutes').fill('5')
  await page.getByTestId('join').click()
  await inState(page, 'club', 'error')
  const problem = page.getByTestId('channel-problem')
  const text = await problem.innerText()
  assert.match(text, /Unauthorized: You do not have permissions to read from this Channel topic: club/)
  assert.match(text, /policies on realtime\.messages do not let this token read/)

  // The cure that is shown is one.
  await server.sql(`SELECT realtime.send('{"text": "from before"}', 'note', 'club')`)
  await server.sql(await problem.locator('code').innerText())
  await inState(page, 'club', 'joined')
  const replayed = page.locator('[data-testid=message][data-replayed=true]').filter({ hasText: 'from before' })
  await replayed.waitFor()
  await server.sql(`SELECT realtime.send('{"text": "from now"}', 'note', 'club')`)
  const live = page.getByTestId('message').filter({ hasText: 'from now' })
  await live.waitFor()
  assert.equal(await live.getAttribute('data-replayed'), null)
  for (const one of [replayed, live]) assert.match(await one.getByTestId('message-id').innerText(), /^id [0-9a-f-]{36}$/)
})

scene('another token is sent to joined topics, which see other rows from then on', async (open, server) => {
  const page = await open()
  await inLobby(page)
  await page.getByTestId('topic').fill('renewed')
  await page.getByTestId('binding-add').click()
  await page.getByTestId('join').click()
  await subscribed(page)
  await page.getByText('set a user token').waitFor()

  // The command that the page shows is run as a developer would.
  await page.getByText('Get a token').click()
  await page.getByTestId('mint-place').selectOption('secret')
  const minted = await shell(await page.getByTestId('mint-command').innerText(), { API_JWT_SECRET: secret })
  await useToken(page, minted)
  await page.getByTestId('token-status').and(page.getByText('The token was sent to 2 joined topics with realtime.setAuth.')).waitFor()
  await page.getByTestId('notice').filter({ hasText: 'Subscribed to PostgreSQL' }).nth(1).waitFor()
  await server.sql(`INSERT INTO todos (user_id, title) VALUES ('${ann}', 'after renewal')`)
  await change(page, 'INSERT', 'after renewal')

  await page.reload()
  await inLobby(page)
  assert.equal(await page.getByTestId('claim-sub').innerText(), ann, 'a reload forgets the token')
  assert.ok(!(await page.locator('body').innerText()).includes(minted.split('.')[2]), 'the token can be read on the page')
  await useToken(page, 'not.a-token')
  await page.getByTestId('token-error').and(page.getByText(/^Not a JWT/)).waitFor()
})

scene('the snippet does in Node what the form does', async (open, server) => {
  const page = await open()
  await inLobby(page)
  await useToken(page, token(secret, 3600, { sub: ann }))
  await page.getByTestId('topic').fill('in code')
  await page.getByTestId('binding-add').click()
  await page.getByText('The same with supabase-js').click()
  const shown = await page.getByTestId('snippet').innerText()
  assert.ok(!shown.includes(server.anon), 'the snippet holds the key')

  const client = newest(server)
  let heard
  const arrived = new Promise((resolve) => (heard = resolve))
  const log = (...words) => {
    if (words[1]?.message === 'Subscribed to PostgreSQL') server.sql(`INSERT INTO todos (user_id, title) VALUES ('${ann}', 'for code')`).catch(assert.ifError)
    if (words[0] === 'change') heard(words[1])
  }
  const body = shown.replace(/^import .*\n/, '').replace('USER_TOKEN', token(secret, 3600, { sub: ann }))
  await new Function('createClient', 'console', `return (async () => {${body}})()`)(() => client, { log })
  assert.equal((await arrived).new.title, 'for code')
})

test('the command for tutti dev finds the secret that it keeps', async (t) => {
  const page = await browser.newPage()
  t.after(() => page.close())
  await page.goto(database.url)
  await page.getByText('Get a token').click()
  const data = await mkdtemp(path(tmpdir(), 'tutti-keys-'))
  t.after(() => rm(data, { recursive: true }))
  await writeFile(path(data, 'keys.json'), JSON.stringify({ jwt_secret: secret, enc_key: '0123456789abcdef' }))
  const minted = await shell(await page.getByTestId('mint-command').innerText(), { TUTTI_DATA: data })
  const client = newest(database, { key: minted })
  assert.equal(await new Promise((resolve) => client.channel('minted').subscribe(resolve)), 'SUBSCRIBED')
})

scene('the keyboard alone listens to a table', async (open) => {
  const page = await open()
  await inLobby(page)
  await tabTo(page, 'topic')
  await page.keyboard.press('Control+A')
  await page.keyboard.type('keys')
  await tabTo(page, 'binding-add')
  await page.keyboard.press('Enter')
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('data-testid'))
  assert.equal(await focused(), 'binding-event')
  await tabTo(page, 'binding-remove')
  await page.keyboard.press('Enter')
  assert.equal(await focused(), 'binding-add', 'the focus is lost')
  await page.keyboard.press('Enter')
  await tabTo(page, 'binding-filter')
  await page.keyboard.type('done=eq.true')
  await page.keyboard.press('Enter')
  await subscribed(page)
})

scene('nothing is wider than a phone', async (open, server) => {
  const page = await open()
  await page.setViewportSize({ width: 375, height: 800 })
  await inLobby(page)
  await page.getByTestId('binding-add').click()
  await page.getByTestId('topic').fill('narrow')
  for (const fold of ['Get a token', 'The same with supabase-js']) await page.getByText(fold).click()
  await page.getByTestId('join').click()
  await subscribed(page)
  await useToken(page, token(secret, 3600, { sub: ann }))
  await page.getByTestId('notice').nth(1).waitFor()
  await server.sql(`INSERT INTO todos (user_id, title) VALUES ('${ann}', repeat('wide', 60))`)
  await change(page, 'INSERT', 'widewide')
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 375)
})

const subscribed = (page) => page.locator('[data-testid=changes-status][data-state=subscribed]').waitFor()
const notice = (page, text) => page.getByTestId('notice').filter({ hasText: text }).first().waitFor()
const change = (page, event, text) => page.locator(`[data-testid=change][data-event=${event}]`).filter({ hasText: text }).waitFor()

async function useToken(page, text) {
  await page.getByTestId('user-token').fill(text)
  await page.getByTestId('token-use').click()
}

/** Runs a command line in which tutti is the binary under test. */
async function shell(line, env) {
  const run = `tutti() { "$TUTTI" "$@"; }; ${line}`
  const { stdout } = await promisify(execFile)('sh', ['-c', run], { env: { PATH: process.env.PATH, TUTTI: binary, ...env } })
  return stdout.trim()
}

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
