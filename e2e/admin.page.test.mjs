// The page of the operators' console, in Chromium, where a test cannot have a real
// server answer as it wants: the answers are made up.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fake, right } from './admin.mjs'
import { desk, enter, has, into, launch, reach, signIn, tenantRow } from './admin.kit.mjs'
import { start } from './server.mjs'

let browser
before(async () => (browser = await launch()))
after(() => browser?.close())

test('silent nodes, tenants that are not well, order, search and pages', async (t) => {
  const server = await fake(t, { unreachable: ['sin-1'], iad: { alive: false } })
  const page = await enter(t, browser, server.url, right)
  await has(page, 'alert', 'iad-1 and sin-1 do not answer. What they count is missing from the numbers here.')
  await page.locator('[data-node=iad-1][data-state=bad]').filter({ hasText: 'does not answer' }).waitFor()
  await has(page, 'tenants-count', '120')
  await tenantRow(page, 'acme').filter({ hasText: 'connections: near the limit' }).filter({ hasText: 'events each second: limit reached' }).waitFor()
  await has(page, 'page-text', '1 to 50 of 120')
  const first = async (id) => page.locator(`[data-testid=tenants] tbody tr:first-child[data-tenant="${id}"]`).waitFor()
  await first('acme')
  await page.getByTestId('page-next').click()
  await has(page, 'page-text', '51 to 100 of 120')
  await page.getByTestId('sort-lag').click()
  await has(page, 'page-text', '1 to 50 of 120')
  await first('down-town')
  assert.equal(await page.locator('[data-testid=tenants-head] [data-sort=lag]').getAttribute('aria-sort'), 'descending')
  await page.getByTestId('sort-id').click()
  await first('acme')
  await page.getByTestId('tenants-search').fill('nobody')
  await has(page, 'tenants-empty', 'No tenant has “nobody” in its id or name.')
  await page.getByTestId('tenants-search').fill('down')
  await into(page, 'down-town')
  await has(page, 'feed', 'ReplicationSlotBeingUsed')
  // Where something is wrong the doctor looks by itself; what failed comes first.
  await page.locator('[data-testid=check][data-status=failed]').first().waitFor()
  assert.deepEqual(await page.getByTestId('check').evaluateAll((all) => all.map(({ dataset }) => dataset.status)), ['failed', 'warning', 'ok'])
  await page.getByTestId('check').locator('code', { hasText: 'ALTER SYSTEM' }).waitFor()
})

test('a lost server is said, what was known stays, and the page goes on by itself', async (t) => {
  const server = await fake(t)
  const page = await enter(t, browser, server.url, right)
  await tenantRow(page, 'acme').waitFor()
  server.end()
  await reach(page, 'reconnecting')
  await has(page, 'problem', 'The server is not reached')
  assert.equal(await tenantRow(page, 'acme').isVisible(), true)
  await fake(t, { port: server.port })
  await reach(page, 'connected')
  assert.equal(await page.getByTestId('problem').isVisible(), false)
})

test('a tenant that is not there is said in words, and nothing can be done to it', async (t) => {
  const server = await fake(t)
  const page = await enter(t, browser, server.url, right)
  await page.goto(`${server.url}/admin#/tenants/nobody`)
  await has(page, 'problem', /Nothing is known of nobody \(TenantNotFound\)\s*there is no tenant nobody\s*Look at the list of tenants\./)
  assert.equal(await page.getByTestId('tenant-actions').isVisible(), false)
  await page.getByTestId('home').click()
  await tenantRow(page, 'acme').waitFor()
  assert.equal(await page.getByTestId('problem').isVisible(), false)
})

test('credentials that are no longer good lead back to the door', async (t) => {
  const server = await fake(t)
  const page = await enter(t, browser, server.url, right)
  await into(page, 'acme')
  server.state.locked = true
  await has(page, 'door-error', /signed out/)
  assert.equal(await page.getByTestId('tenant').isVisible(), false)
  server.state.locked = false
  await signIn(page, right)
  await has(page, 'tenant-title', 'acme') // where he was
})

test('tenants from a file are shown, and what to paste there is written', async (t) => {
  const server = await fake(t, { control: false })
  const page = await enter(t, browser, server.url, right)
  await page.getByTestId('create').click()
  await page.getByTestId('create-read-only').waitFor()
  assert.equal(await page.getByTestId('create-save').isVisible(), false)
  await page.getByTestId('field-external_id').fill('choir')
  await page.getByTestId('field-name').fill('Choir: "us"')
  const text = await page.getByTestId('create-yaml-text').innerText()
  assert.match(text, /^ {2}- external_id: choir\n {4}name: "Choir: \\"us\\""\n {4}jwt_secret: "?[0-9a-f]{64}"?\s*$/)
  await page.keyboard.press('Escape')
  await into(page, 'acme')
  await has(page, 'read-only', 'come from a file')
  for (const name of ['suspend', 'delete', 'limits-edit']) assert.equal(await page.getByTestId(name).isVisible(), false, name)

  // What is written is what the server reads.
  const real = await start(t, { tenants: `tenants:\n${text}`, env: desk })
  await tenantRow(await enter(t, browser, real.url), 'choir').filter({ hasText: 'Choir: "us"' }).waitFor()
})

test('wrong fields are named by the page and by the server, and the first gets the focus', async (t) => {
  const refusal = [422, { error: 'Some fields are not right', code: 'InvalidFields', cure: 'See each.', errors: { 'postgres.host': ['cannot be reached'], plan: ['is unknown'] } }]
  const server = await fake(t, { act: () => refusal })
  const page = await enter(t, browser, server.url, right)
  await page.getByTestId('create').click()
  await page.getByTestId('field-external_id').fill('A B')
  await page.keyboard.press('Enter')
  await has(page, 'error-field-external_id', 'Small letters')
  assert.deepEqual(server.asked, [])
  await page.getByTestId('field-external_id').fill('ab')
  await page.keyboard.press('Enter')
  await has(page, 'error-field-postgres.host', 'cannot be reached')
  await has(page, 'create-error', /InvalidFields.*plan is unknown/s)
  assert.equal(await page.evaluate(() => document.activeElement.name), 'postgres.host')
  assert.deepEqual(server.asked, [{ method: 'POST', path: 'tenants', body: { external_id: 'ab' } }])
})

test('what is dropped is counted, and names in messages are no markup', async (t) => {
  const passing = [['message', { at: 1, kind: 'broadcast', event: '<img src=x onerror=alert(1)>', size: 3, payload: '"<i>', truncated: true, from: null }], ['dropped', { count: 41 }]]
  const server = await fake(t, { passing: () => passing.splice(0) })
  const page = await enter(t, browser, server.url, right)
  await page.goto(`${server.url}/admin#/tenants/acme/topics/room%2F1%20%C3%BC%3F?private`)
  await has(page, 'topic-title', 'room/1 ü?')
  await has(page, 'topic-chips', 'private')
  await has(page, 'passing-count', /^1 message, 41 left out because they came too fast$/)
  await page.getByTestId('passed').filter({ hasText: '<img src=x' }).waitFor()
})

test('the keyboard alone reaches all, and a dialog keeps it inside', async (t) => {
  const server = await fake(t)
  const page = await enter(t, browser, server.url, right)
  await tenantRow(page, 'acme').waitFor()
  const focused = () => page.evaluate(() => document.activeElement?.dataset.testid ?? document.activeElement?.tagName)
  await page.keyboard.press('/')
  assert.equal(await focused(), 'tenants-search')
  await page.keyboard.press('Tab')
  assert.equal(await focused(), 'create')
  await page.keyboard.press('Enter')
  assert.equal(await focused(), 'field-external_id')
  const seen = new Set()
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab')
    assert.ok(await page.evaluate(() => document.activeElement.closest('dialog') !== null), `the focus leaves the dialog after ${[...seen]}`)
    seen.add(await focused())
  }
  assert.ok(seen.has('create-save') && seen.has('field-external_id'), [...seen].join(' '))
  await page.keyboard.press('Escape')
  assert.equal(await focused(), 'create', 'the focus is lost')
  for (let n = 0; n < 12 && (await focused()) !== 'tenant-link'; n++) await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByTestId('tenant-title').waitFor()
  assert.equal(await focused(), 'tenant-title')
  await page.keyboard.press('/')
  assert.equal(await focused(), 'topics-search')
})

test('nothing is wider than a phone', async (t) => {
  const server = await fake(t, { unreachable: ['sin-1'] })
  const page = await enter(t, browser, server.url, right, { viewport: { width: 375, height: 800 } })
  await tenantRow(page, 'acme').waitFor()
  const narrow = async (what) => assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 375, what)
  await narrow('overview')
  await page.getByTestId('create').click()
  assert.ok(await page.getByTestId('create-dialog').evaluate((dialog) => dialog.scrollWidth <= dialog.clientWidth), 'the dialog')
  await page.keyboard.press('Escape')
  await into(page, 'acme')
  await page.getByTestId('doctor-run').click()
  await page.getByTestId('check').first().waitFor()
  await narrow('tenant')
  await page.getByTestId('topic-link').first().click()
  await page.getByTestId('passed').nth(3).waitFor()
  await narrow('topic')
})
