// The status of a node and of those that it hears, as it changes. The page asks
// /status every two seconds, and goes on when the node was away.
//
// Names for browser tests (data-testid), kept stable:
//   reach (data-state: connecting, connected, reconnecting)  problem  back
//   headline  alerts, with one alert (data-level: bad, wait) each  all-well
//   nodes, with one node (data-node, data-standing: well, silent, leaving,
//   unready, gone, left; node-connections in it) each
//   more (how to start a second node)  more-dev  more-commands
//   trips  graph  matrix
//   bus  bus-node  no-loss  losses, traffic, with one row (data-counter) each
//   json (a command for scripts)  content

import '../shared/base.css'
import './styles.css'
import { copyable, find, make, showProblem } from '../shared/dom'
import { Cards } from './cards'
import { showCounters } from './counters'
import { Memory } from './memory'
import { askServer, poll, type Outcome } from './poll'
import type { Status } from './status'
import { alerts, headline, type Alert } from './summary'
import { showTrips } from './trips'
import { counted, duration, timeOfDay } from '../shared/words'

const noteFor = 60_000 // how long it is said that the server was away

const memory = new Memory()
const cards = new Cards()
let last: { status: Status; at: number } | null = null
let away = false
let back = 0 // when it came back

function tell(outcome: Outcome): void {
  if ('failure' in outcome) showAway(outcome.failure)
  else show(outcome.status, Date.now())
}

function showAway(failure: string): void {
  away = true
  setReach('reconnecting', 'Not reachable, trying again')
  document.title = 'Not reachable – Tutti status'
  find('content').dataset.stale = ''
  const id = last?.status.nodes[0]?.id
  const who = id && !last?.status.alone ? id : 'The server'
  showProblem(find('problem'), {
    title: `${who} does not answer`,
    cause: last ? `The last answer came at ${timeOfDay(last.at)}; what is shown is from then. (${failure})` : `There was no answer yet. (${failure})`,
    cure: 'The page asks every two seconds and goes on by itself. If this lasts, look whether the node runs, or open this page on another.',
  })
}

function show(status: Status, now: number): void {
  if (away && last) {
    back = now
    const restarted = last.status.nodes[0]?.id === status.nodes[0]?.id && last.status.nodes[0]?.started !== status.nodes[0]?.started
    find('back').textContent = `There was no answer for ${duration(now - last.at)}, until ${timeOfDay(now)}.${restarted ? ' The node was started anew.' : ''}`
  }
  away = false
  last = { status, at: now }
  find('back').hidden = back === 0 || now - back > noteFor
  showProblem(find('problem'), null)
  setReach('connected', 'Live')
  find('content').hidden = false
  delete find('content').dataset.stale
  document.title = status.alone ? 'Tutti status' : `${counted(status.nodes.length, 'node')} – Tutti status`
  memory.take(status, now)
  setText('headline', headline(status))
  showAlerts(alerts(status, memory), status.alone)
  cards.show(memory.nodes, now)
  find('more').hidden = !status.alone
  showTrips(memory.nodes)
  showCounters(status, memory.lastMinute)
}

// A silence has another number at each answer, which is not worth saying again:
// only what is new is announced, because the others' elements stay.
function showAlerts(list: Alert[], alone: boolean): void {
  const place = find('alerts')
  list.forEach(({ level, text }, i) => {
    const item = (place.children[i] as HTMLElement | undefined) ?? place.appendChild(make('li', { 'data-testid': 'alert' }))
    item.dataset.level = level
    if (item.textContent !== text) item.textContent = text
  })
  while (place.children.length > list.length) place.lastChild?.remove()
  find('all-well').hidden = alone || list.length > 0
}

function setReach(state: string, words: string): void {
  find('reach').dataset.state = state
  setText('reach', words)
}

function setText(testid: string, text: string): void {
  if (find(testid).textContent !== text) find(testid).textContent = text
}

find('more-dev').append(copyable('tutti dev --nodes 3'))
find('more-commands').append(
  copyable('NODE_NAME=one PORT=4000 CLUSTER_LISTEN=127.0.0.1:6001 tutti serve'),
  copyable('NODE_NAME=two PORT=4001 CLUSTER_LISTEN=127.0.0.1:6002 CLUSTER_PEERS=127.0.0.1:6001 tutti serve'),
)
find('json').append(copyable(`curl -H 'Accept: application/json' ${location.origin}/status`))
poll(askServer, tell)
