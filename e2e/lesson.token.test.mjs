// The music classroom in Chromium: private rooms, and tokens that end during a
// lesson.

import assert from 'node:assert/strict'
import { clicks, even, has, inWords, linked, mode, person, plays, school, sound, tempo, watchStalls } from './classroom.mjs'
import { join, newest, token } from './clients.mjs'
import { secret } from './dev.mjs'

const { lesson, server } = await school()

const benId = 'bbbbbbbb-0000-4000-8000-000000000002'
const eveId = 'eeeeeeee-0000-4000-8000-000000000005'
const claims = (sub, role = 'student') => ({ sub, app_metadata: { music_role: role } })

// The server makes realtime.messages for the first client.
const first = await join(newest(server), 'first', { broadcast: { replication_ready: true } })
await first.notices.find(({ message }) => message === 'Replication connection established')
await server.sql(
  'CREATE TABLE pupils (topic text, id uuid)',
  'GRANT SELECT ON pupils TO authenticated',
  `CREATE POLICY "pupils hear" ON realtime.messages FOR SELECT TO authenticated
     USING (EXISTS (SELECT FROM pupils WHERE topic = realtime.topic() AND id = (SELECT auth.uid())))`,
  `CREATE POLICY "pupils speak" ON realtime.messages FOR INSERT TO authenticated
     WITH CHECK (EXISTS (SELECT FROM pupils WHERE topic = realtime.topic() AND id = (SELECT auth.uid())))`,
)

/** Notes what the pill says of the connection from now on. */
const follow = (page) => page.evaluate(() => {
  const pill = document.querySelector('[data-testid=link]')
  window.links = [pill.dataset.state]
  new MutationObserver(() => window.links.push(pill.dataset.state)).observe(pill, { attributes: true, attributeFilter: ['data-state'] })
})

const until = (page, at) => page.waitForFunction((end) => Date.now() > end, at)

lesson('who is a member of a private room comes in, and who is none reads why', async ({ open, blank, room }) => {
  await server.sql(`INSERT INTO pupils VALUES ('music_room:${room}', '${benId}')`)
  const more = { private: 'yes' }
  const ben = await open('Ben', 'student', { user: token(secret, 3600, claims(benId)), more })
  await sound(ben)
  await has(ben, 'people-count', '1')

  const eve = await blank()
  const link = new URLSearchParams({ key: server.anon, room, name: 'Eve', token: token(secret, 3600, claims(eveId)), private: 'yes' })
  await eve.goto(`${server.url}/classroom#${link}`)
  await linked(eve, 'refused')
  await has(eve, 'problem', /You do not have permissions/)
  assert.equal(await eve.getByTestId('lesson').isVisible(), false)
  // The public room of that name is another.
  await eve.getByTestId('leave').click()
  await eve.getByText('Server and key').click()
  await eve.getByTestId('private').uncheck()
  await eve.getByTestId('enter').click()
  await has(eve, 'who', `Eve, student in ${room}`)
  await has(eve, 'people-count', /^1$/)
  // Let in while the page tries again by itself.
  await ben.keyboard.down('d')
  await plays(ben, 'Ben', '♪ E4')
  assert.equal(await person(eve, 'Ben').count(), 0)
})

lesson('a token that ends is renewed where the link says, and nobody notices', async ({ open, blank, t }) => {
  const ann = await open('Ann', 'teacher')
  await tempo(ann, 240)
  await ann.getByTestId('start').click()
  const page = await blank()
  let asked = 0
  let read
  const wordsRead = new Promise((resolve) => (read = resolve))
  await page.route('**/school/token', async (route) => {
    asked++
    // At first the school has none, until Ben has been told so.
    if (asked === 1) return route.fulfill({ status: 503, body: '' })
    await wordsRead
    return route.fulfill({ json: { access_token: token(secret, 3600, claims(benId)) } })
  })
  const end = Date.now() + 45_000
  const ben = await open('Ben', 'student', { page, user: token(secret, 45, claims(benId)), more: { renew: '/school/token' } })
  await sound(ben)
  await watchStalls(ben)
  await follow(ben)
  const words = /asks for it, but the address that gives tokens refused with status 503/
  await ben.getByTestId('pass-words').filter({ hasText: words }).first().waitFor({ timeout: 40_000 }) // after two thirds of its life
  read()
  await ben.getByTestId('pass').waitFor({ state: 'hidden' })
  await until(ben, end + 2_000)
  assert.deepEqual(await ben.evaluate(() => window.links), ['joined'])
  await ben.keyboard.down('d')
  await plays(ann, 'Ben', '♪ E4')
  t.diagnostic(`asked ${asked} times; ${inWords(await even(ben, 'Ben', 250))}`)
}, /503/)

lesson('a token that nobody renews: the page says what to do, and the metronome goes on', async ({ open, t }) => {
  const ann = await open('Ann', 'teacher')
  await tempo(ann, 240)
  await ann.getByTestId('start').click()
  const ben = await open('Ben', 'student', { user: token(secret, 15, claims(benId)) })
  await sound(ben)
  await watchStalls(ben)
  await mode(ben, 'playing')
  await has(ben, 'pass-title', /^Your token ends at/)
  await has(ben, 'pass-words', /Ask whoever gave you the link/)
  await linked(ben, 'lost')
  await has(ben, 'pass-title', 'Your token has ended')
  assert.equal(await ben.getByTestId('problem').isVisible(), false, 'two boxes say one thing')
  await has(ben, 'advice-what', 'The metronome goes on by itself')
  const known = (await clicks(ben)).length
  await ben.waitForFunction((n) => window.tuttiClassroom.clicks().length > n + 8, known)

  for (const [put, answer] of [['hello', /Not a JWT/], [token(secret, -5, claims(benId)), /ended, too/], [token(secret, 60, claims(eveId)), /somebody else’s/]]) {
    await ben.getByTestId('pass-token').fill(put)
    await ben.getByTestId('pass-use').click()
    await has(ben, 'pass-outcome', answer)
  }
  await ben.getByTestId('pass-token').fill(token(secret, 12, claims(benId)))
  await ben.getByTestId('pass-use').click()
  await linked(ben, 'joined')
  await ben.getByTestId('pass').waitFor({ state: 'hidden' })
  await person(ann, 'Ben').waitFor()
  await ben.keyboard.down('d')
  await plays(ann, 'Ben', '♪ E4')
  await ben.keyboard.up('d')

  // A new link in the same tab, while the second one is still good.
  await has(ben, 'pass-title', /^Your token ends at/)
  await follow(ben)
  await ben.evaluate((again) => (location.hash = again), `token=${token(secret, 3600, claims(benId))}`)
  await ben.getByTestId('pass').waitFor({ state: 'hidden' })
  assert.equal(new URL(ben.url()).hash, '', 'the token stays in the address bar')
  await until(ben, Date.now() + 12_000)
  assert.deepEqual(await ben.evaluate(() => window.links), ['joined'])
  t.diagnostic(`over the end of a token: ${inWords(await even(ben, 'Ben', 250))}`)
})
