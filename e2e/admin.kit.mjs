// What the tests of the operators' console have in common.

import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'

/** Whom the servers of these tests let in, and how they are told. */
export const operator = { user: 'admin', password: 'a password of an operator' }
export const desk = { DASHBOARD_USER: operator.user, DASHBOARD_PASSWORD: operator.password }

/** Starts the browser of a file of tests. */
export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })

/** Opens the console of a server; a fault of the page fails the test. */
export async function open(t, browser, url, look = {}) {
  const context = await browser.newContext(look)
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  const faults = []
  page.on('pageerror', (err) => faults.push(String(err)))
  // That a server refuses or does not answer is no fault of the page's.
  page.on('console', (line) => line.type() === 'error' && !/Failed to load resource/.test(line.text()) && faults.push(line.text()))
  t.after(async () => {
    await context.close()
    assert.deepEqual(faults, [], 'the page has errors')
  })
  await page.goto(`${url}/admin`)
  return page
}

/** Fills in the form at the door. */
export async function signIn(page, { user, password } = operator) {
  await page.getByTestId('user').fill(user)
  await page.getByTestId('password').fill(password)
  await page.keyboard.press('Enter')
}

/** Opens the console and signs in. */
export async function enter(t, browser, url, who = operator, look = {}) {
  const page = await open(t, browser, url, look)
  await signIn(page, who)
  await reach(page, 'connected')
  return page
}

export const reach = (page, state) => page.locator(`[data-testid=reach][data-state=${state}]`).waitFor()
export const has = (page, testid, text) => page.getByTestId(testid).filter({ hasText: text }).first().waitFor()
export const tenantRow = (page, id) => page.locator(`[data-testid=tenant-row][data-tenant="${id}"]`)

/** Goes from the overview to a tenant. */
export async function into(page, id) {
  await tenantRow(page, id).getByTestId('tenant-link').click()
  await has(page, 'tenant-title', id)
}
