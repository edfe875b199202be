// The console of whoever runs the server, in Chromium, with real servers.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { desk, enter, has, into, launch, open, operator, reach, signIn, tenantRow } from './admin.kit.mjs'
import { broadcast, join, newest, token } from './clients.mjs'
import { devForAll } from './dev.mjs'
import { start } from './server.mjs'

let browser
let database // tutti dev, which keeps its tenants in a control database
before(async () => {
  ;[browser, database] = await Promise.all([launch(), devForAll(1, desk)])
})
after(async () => {
  await browser?.close()
  await database?.end()
})

const secrets = { acme: 'the secret of acme, with more than 32 characters', beta: 'the secret of beta, with more than 32 characters' }
const tenants = `tenants:
  - {external_id: acme, name: The ACME company, jwt_secret: '${secrets.acme}', max_concurrent_users: 20}
  - {external_id: beta, jwt_secret: '${secrets.beta}'}
`
const ann = '11111111-1111-1111-1111-111111111111'
const bob = '22222222-2222-2222-2222-222222222222'
const client = (server, tenant, sub) => newest(server, { url: server.host(tenant), key: token(secrets[tenant], 3600, { sub }) })

test('a wrong password is refused in words, the right one lets in, a reload remembers, and signing out forgets', async (t) => {
  const server = await start(t, { tenants, env: desk })
  const page = await open(t, browser, server.url)
  await signIn(page, { user: 'admin', password: 'wrong' })
  await has(page, 'door-error', 'The name or the password is not right.')
  assert.equal(await page.getByTestId('overview').isVisible(), false)
  await signIn(page)
  await reach(page, 'connected')
  await has(page, 'headline', 'A single node with 0 connections')
  assert.ok(!(await page.content()).includes(operator.password), 'the password stays in the page')

  await page.reload()
  await reach(page, 'connected')
  await page.getByTestId('sign-out').click()
  await page.getByTestId('door-form').waitFor()
  assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0, 'something is kept')
  await page.reload()
  await page.getByTestId('door-form').waitFor()
})

test('a token lets in as well, and a server without a password says what to set', async (t) => {
  const secret = 'a secret of the management, with many characters'
  const server = await start(t, { tenants, env: { API_JWT_SECRET: secret } })
  const page = await open(t, browser, server.url)
  await page.getByTestId('how-token').check()
  for (const [typed, said] of [['nothing', /three parts/], [token('another secret that is also long enough'), /token is not good/]]) {
    await page.getByTestId('token').fill(typed)
    await page.getByTestId('sign-in').click()
    await has(page, 'door-error', said)
  }
  await page.getByTestId('token').fill(token(secret, 3600, { role: 'service_role' }))
  await page.getByTestId('sign-in').click()
  await reach(page, 'connected')

  const closed = await start(t, { tenants })
  const other = await open(t, browser, closed.url)
  await signIn(other)
  await has(other, 'door-error', /DashboardDisabled.*DASHBOARD_PASSWORD/)
})

test('connections are seen as they come, a topic can be looked into, and whoever is in it be thrown out', async (t) => {
  const server = await start(t, { tenants, env: desk })
  const page = await enter(t, browser, server.url)
  const one = await join(client(server, 'acme', ann), 'room/1', { presence: { key: 'ann' }, broadcast: { ack: true } })
  const two = await join(client(server, 'acme', bob), 'room/1')
  await has(page, 'headline', 'A single node with 2 connections')
  await tenantRow(page, 'acme').locator('td[data-label=Connections]').filter({ hasText: /^2$/ }).waitFor()
  await tenantRow(page, 'acme').filter({ hasText: 'The ACME company' }).filter({ hasText: 'no database' }).waitFor()

  await page.keyboard.press('/')
  await page.keyboard.type('company')
  await tenantRow(page, 'beta').waitFor({ state: 'detached' })
  await into(page, 'acme')
  await page.locator('[data-limit=max_concurrent_users]').filter({ hasText: '2 of 20, 10 %' }).waitFor()
  await has(page, 'connections-value', /^2$/)
  await page.locator('[data-testid=topic-row][data-topic="room/1"]').getByTestId('topic-link').click()
  await page.getByTestId('member').nth(1).waitFor()
  await page.locator('[data-testid=passing-state][data-state=connected]').waitFor()

  await one.track({ instrument: 'viola' })
  await has(page, 'present', /ann.*viola/s)
  assert.equal(await broadcast(one, 'note', { text: 'do <b>re</b> mi' }), 'ok')
  const passed = page.locator('[data-testid=passed][data-kind=broadcast][data-event=note]').filter({ hasText: 'do <b>re</b> mi' })
  await passed.waitFor()
  await passed.locator('summary').click()
  await passed.filter({ hasText: ann }).waitFor()
  assert.equal((await two.heard.next()).event, 'note')

  await page.getByTestId('passing-pause').click()
  await broadcast(one, 'note', { text: 'fa' })
  await has(page, 'passing-count', /paused: 1 new/)
  assert.equal(await passed.page().getByTestId('passed').filter({ hasText: '"fa"' }).count(), 0)
  await page.getByTestId('passing-pause').click()
  await page.getByTestId('passed').filter({ hasText: '"fa"' }).waitFor()
  await page.getByTestId('passing-filter').fill('RE</b>')
  await has(page, 'passing-count', /filtered out/)
  assert.equal(await page.getByTestId('passed').count(), 1)

  const his = page.getByTestId('member').filter({ hasText: bob })
  await his.getByTestId('kick').click()
  await has(page, 'confirm-title', `Disconnect ${bob}?`)
  await page.keyboard.press('Escape')
  assert.equal(await page.getByTestId('confirm').isVisible(), false)
  await his.getByTestId('kick').click()
  await page.getByTestId('confirm-yes').click()
  await has(page, 'done', '1 connection was closed.')
  await two.states.until((all) => all.some(({ status }) => status === 'CLOSED' || status === 'CHANNEL_ERROR' || status === 'TIMED_OUT'))
})

test('all clients of a tenant are thrown out, and come back by themselves', async (t) => {
  const server = await start(t, { tenants, env: desk })
  const page = await enter(t, browser, server.url)
  const one = await join(client(server, 'acme', ann), 'room')
  const other = await join(client(server, 'beta', bob), 'room')
  await into(page, 'acme')
  await page.getByTestId('kick-tenant').click()
  await page.getByTestId('confirm-yes').click()
  await has(page, 'done', '1 connection was closed.')
  await one.states.until((all) => all.filter(({ status }) => status === 'SUBSCRIBED').length === 2, 15_000)
  assert.equal(other.states.all.length, 1)
  await page.getByTestId('reload').click()
  await page.getByTestId('confirm-yes').click()
  await has(page, 'done', 'acme was reloaded.')
})

for (const [place, serve, known] of [['a file', (t) => start(t, { tenants, env: desk }), 'acme'], ['a control database', () => database, 'realtime-dev']]) {
  test(`with tenants in ${place} one is made, its code runs as copied, its limits are changed, it is suspended, and deleted`, (t) => manage(t, serve, known))
}

async function manage(t, serve, known) {
  const server = await serve(t)
  const host = (tenant) => `http://${tenant}.localhost:${new URL(server.url).port}`
  const page = await enter(t, browser, server.url, operator, { permissions: ['clipboard-write'] })
  await page.getByTestId('create').click()
  await page.getByTestId('field-external_id').fill(known)
  await page.keyboard.press('Enter')
  await has(page, 'create-dialog', /already|taken/)
  await page.getByTestId('field-external_id').fill('new-one')
  await page.keyboard.press('Enter')
  await has(page, 'made-title', 'new-one is made')
  await page.keyboard.press('Escape') // does not throw the keys away
  await page.getByTestId('made-snippet-copy').click()
  await page.getByTestId('made-snippet-copy').filter({ hasText: 'Copied' }).waitFor()
  const code = await pasted(page)
  await page.getByTestId('made-close').click()
  assert.ok(!(await page.content()).includes('eyJ'), 'a key stays in the page')

  const heard = await run(code, server, host('new-one'))
  assert.ok(heard.length > 0, 'the code heard nothing')

  await into(page, 'new-one')
  await page.getByTestId('limits-edit').click()
  await page.getByTestId('limit-max_concurrent_users').fill('many')
  await page.keyboard.press('Enter')
  await has(page, 'error-limit-max_concurrent_users', 'A whole number')
  await page.getByTestId('limit-max_concurrent_users').fill('7')
  await page.keyboard.press('Enter')
  await page.locator('[data-limit=max_concurrent_users]').filter({ hasText: 'of 7' }).waitFor()

  await page.getByTestId('token-role').selectOption('authenticated')
  await page.getByTestId('token-sub').fill(ann)
  await page.getByTestId('token-make').click()
  const key = await page.getByTestId('token-made').locator('code').innerText()
  assert.deepEqual((({ role, sub }) => ({ role, sub }))(JSON.parse(Buffer.from(key.split('.')[1], 'base64url'))), { role: 'authenticated', sub: ann })
  await join(newest(server, { url: host('new-one'), key }), 'room')

  await page.getByTestId('suspend').click()
  await page.getByTestId('confirm-yes').click()
  await has(page, 'tenant-chips', 'suspended')
  await page.getByTestId('delete').click()
  await page.getByTestId('confirm-word').fill('new')
  assert.equal(await page.getByTestId('confirm-yes').isDisabled(), true)
  await page.getByTestId('confirm-word').fill('new-one')
  await page.keyboard.press('Enter')
  await has(page, 'done', 'new-one is deleted.')
  await tenantRow(page, known).waitFor()
  assert.equal(await tenantRow(page, 'new-one').count(), 0)
}

test('a tenant with a database shows its feed, its slots, and what the doctor says', async (t) => {
  const server = database
  const channel = newest(server).channel('rows').on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, () => {})
  channel.subscribe()
  const page = await enter(t, browser, server.url)
  const row = page.getByTestId('tenant-row').first()
  await row.filter({ hasText: 'feed live' }).waitFor()
  await row.getByTestId('tenant-link').click()
  await has(page, 'feed', 'The feed of changes is live.')
  await has(page, 'slot', 'supabase_realtime')
  await page.getByTestId('doctor-run').click()
  await page.getByTestId('check').first().waitFor()
  assert.match(await page.getByTestId('doctor-status').innerText(), /All is well|warning|failed/)
})

/** Pastes what was copied: the page itself may not read it. */
async function pasted(page) {
  const field = await page.evaluateHandle(() => document.querySelector('dialog[open]').appendChild(document.createElement('textarea')))
  await field.focus()
  await page.keyboard.press('Control+V')
  const text = await field.evaluate((one) => (one.remove(), one.value))
  assert.ok(text, 'nothing was copied')
  return text
}

/** Runs copied code as it is, but with a client that the test ends; returns what it logged. */
async function run(code, server, host) {
  assert.ok(code.includes(`createClient("${host}"`), `the code does not name ${host}:\n${code}`)
  const body = code.replace(/^import .*\n/m, '')
  const logged = []
  const done = new Promise((resolve, reject) => {
    const made = (url, key) => newest(server, { url, key })
    const log = (...words) => (logged.push(words.map((word) => JSON.stringify(word)).join(' ')), /hello|works/i.test(logged.at(-1)) && resolve())
    new Function('createClient', 'console', `return (async () => {${body}\n})()`)(made, { log, error: reject }).catch(reject)
  })
  await Promise.race([done, new Promise((_, reject) => AbortSignal.timeout(10_000).addEventListener('abort', () => reject(new Error(`so far: ${logged}`))))])
  return logged
}
