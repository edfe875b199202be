// The console of whoever runs the server: tenants, what they do now, and what
// may be done to them. It asks /admin/api, with credentials that the tab keeps.
//
// Names for browser tests (data-testid), kept stable:
//   reach (data-state: out, connecting, connected, reconnecting)  home  sign-out
//   problem  done (what was done)  loading
//   door  door-form how-user how-token user password token sign-in door-error
//   overview  headline  alerts, with one alert each  totals  all-connections
//       all-events all-joins (each with -value)  create  nodes, with one node
//       (data-node, data-state: good, bad) each
//       tenants, with one tenant-row (data-tenant; tenant-link in it) each
//       tenants-search tenants-count tenants-empty tenants-problem sort-id
//       sort-connections sort-events sort-lag  pager page-before page-next page-text
//   tenant  tenant-title tenant-chips reload kick-tenant suspend delete read-only
//       connections events joins (each with -value)
//       topics, with one topic-row (data-topic; topic-link in it) each
//       topics-search topics-count topics-empty
//       limits, with one limit (data-limit, data-near: far, near, reached) each
//       limits-edit limits-dialog limit-NAME limits-save limits-error
//       feed (data-state)  slots, with one slot each  health
//       doctor-run doctor-status checks, with one check (data-status) each
//       snippet snippet-copy token-role token-sub token-expires token-make
//       token-made token-error
//   topic  topic-title topic-tenant topic-chips kick-topic
//       members, with one member (data-ref; kick in it) each  members-count
//       presence, with one present each  presence-count
//       passing, with one passed (data-kind, data-event) each  passing-state
//       passing-filter passing-kind passing-pause passing-clear passing-count
//   confirm  confirm-title confirm-text confirm-word confirm-yes confirm-no
//       confirm-error
//   create-dialog  field-NAME error-field-NAME create-read-only create-yaml
//       create-yaml-text create-yaml-copy create-error create-save create-cancel
//       made made-url made-anon_key made-service_key made-secret made-snippet
//       made-snippet-copy made-close

import '../shared/base.css'
import '../shared/forms.css'
import '../shared/charts.css'
import './styles.css'
import { find, showProblem } from '../shared/dom'
import { timeOfDay } from '../shared/words'
import type { Overview as Answer, Point } from './answers'
import { Create } from './create'
import type { Desk } from './desk'
import { Confirm } from './dialogs'
import { Door } from './door'
import { explained } from './explain'
import { follow, type LiveState } from './live'
import { Overview } from './overview'
import { placeOf, type Place } from './route'
import { setText } from './rows'
import { Fault, Server } from './server'
import { recall, remember } from './session'
import { Tenant } from './tenant'
import { Tenants } from './tenants'
import { Topic } from './topic'

const doneFor = 8000 // milliseconds that it is said what was done
const views: readonly Place['at'][] = ['overview', 'tenant', 'topic']

let features: Answer['features'] = {}
let place: Place | null = null
let lastAnswer = 0 // when the live stream last said something
let stopLive: () => void = () => {}
let forget = 0

const server = new Server()
const confirm = new Confirm()
const desk: Desk = { server, confirm, features: () => features, done }
const door = new Door(enter)
new Create(desk)
const overview = new Overview()
const tenants = new Tenants(desk)
const tenant = new Tenant(desk)
const topic = new Topic(desk)

server.refused = () => {
  if (place) signOut('You are signed out: the server does not take what you signed in with any more.')
}

/** Tries credentials; those that are let in are kept for this tab. */
async function enter(credentials: string): Promise<void> {
  server.credentials = credentials
  const answer = await server.get<Answer>('overview')
  remember(credentials)
  door.hide()
  find('loading').hidden = true
  showProblem(find('problem'), null)
  for (const name of ['sign-out', 'home']) find(name).hidden = false
  take(answer)
  go()
}

function signOut(why: string): void {
  leave()
  place = null
  server.credentials = ''
  remember('')
  for (const dialog of document.querySelectorAll('dialog')) dialog.close()
  for (const view of views) find(view).hidden = true
  for (const name of ['sign-out', 'home']) find(name).hidden = true
  showProblem(find('problem'), null)
  done('')
  setReach('out', 'Signed out')
  document.title = 'Tutti admin'
  door.show(why)
}

/** Goes where the address says. */
function go(): void {
  const came = place
  leave()
  place = placeOf(location.hash)
  showProblem(find('problem'), null)
  for (const view of views) find(view).hidden = view !== place.at
  if (place.at === 'overview') tenants.enter()
  if (place.at === 'tenant') tenant.enter(place.tenant)
  if (place.at === 'topic') topic.enter(place)
  document.title = title(place)
  stopLive = follow(server, place.at === 'overview' ? 'live' : `live?tenant=${encodeURIComponent(place.tenant)}`, { state: showLive, event: hear })
  // Whoever moves by keyboard or listens goes along.
  if (came) find(place.at).querySelector<HTMLElement>('.headline')?.focus()
  scrollTo(0, 0)
}

function leave(): void {
  stopLive()
  tenants.leave()
  tenant.leave()
  topic.leave()
}

function hear(name: string, data: unknown): void {
  if (typeof data !== 'object' || data === null) return
  lastAnswer = Date.now()
  if (name === 'overview') take(data as Answer)
  if (name === 'tenant' && place?.at === 'tenant') tenant.point(data as Point)
}

function take(answer: Answer): void {
  features = answer.features ?? {}
  overview.show(answer)
}

function showLive(state: LiveState): void {
  if (state.state === 'live') {
    setReach('connected', 'Live')
    showAway(null)
  }
  if (state.state === 'connecting') setReach('connecting', 'Connecting…')
  if (state.state !== 'lost') return
  setReach('reconnecting', reached(state.fault) ? 'Not live, trying again' : 'Not reachable, trying again')
  showAway(state.fault)
}

/** Whether a fault is the server's own word, and not silence or a proxy's. */
function reached({ status }: Fault): boolean {
  return status >= 400 && status < 500
}

function showAway(fault: Fault | null): void {
  for (const view of views) find(view).toggleAttribute('data-stale', fault !== null)
  if (!fault) return showProblem(find('problem'), null)
  if (fault.status === 404) return // the view says who is not there
  const since = lastAnswer > 0 ? ` What is shown is from ${timeOfDay(lastAnswer)}.` : ''
  const { title, cause, cure } = explained(reached(fault) ? 'There are no live numbers' : 'The server is not reached', fault)
  showProblem(find('problem'), { title, cause: cause + since, cure: `${cure} The page goes on by itself.` })
}

function title(at: Place): string {
  const of = at.at === 'overview' ? '' : at.at === 'tenant' ? `${at.tenant} – ` : `${at.topic} – `
  return `${of}Tutti admin`
}

function setReach(state: string, words: string): void {
  find('reach').dataset.state = state
  setText(find('reach'), words)
}

function done(text: string): void {
  clearTimeout(forget)
  find('done').hidden = text === ''
  setText(find('done'), text)
  if (text) forget = window.setTimeout(() => done(''), doneFor)
}

/** Begins with what the tab remembers; tries again while nobody answers. */
async function begin(credentials: string): Promise<void> {
  find('loading').hidden = false
  setReach('connecting', 'Connecting…')
  for (let wait = 1000; ; wait = Math.min(2 * wait, 10_000)) {
    try {
      return await enter(credentials)
    } catch (err) {
      if (err instanceof Fault && err.status > 0 && err.status < 500) {
        find('loading').hidden = true
        return signOut(err.status === 401 ? 'Sign in again: what this tab remembers is not good any more.' : [err.message, err.cure].join(' '))
      }
      setReach('reconnecting', 'Not reachable, trying again')
      showProblem(find('problem'), explained('The server is not reached', err))
    }
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}

find('sign-out').addEventListener('click', () => signOut(''))
addEventListener('hashchange', () => place && go())
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return
  if (event.target instanceof Element && event.target.closest('input, select, textarea')) return
  const search = [...document.querySelectorAll<HTMLInputElement>('[data-search]')].find((field) => field.checkVisibility())
  if (!search) return
  event.preventDefault()
  search.focus()
  search.select()
})

const remembered = recall()
if (remembered) void begin(remembered)
else {
  setReach('out', 'Signed out')
  door.show('')
}
