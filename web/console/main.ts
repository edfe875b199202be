// The console for developers: connect, join, send, watch.
//
// A link such as http://localhost:4000/#key=KEY connects at once and joins the
// public topic "lobby"; &token=TOKEN adds a user's token. Both are taken out of
// the address bar and remembered in sessionStorage only, so a reload connects
// again and a closed tab forgets.
//
// Names for browser tests (data-testid), kept stable:
//   connection  connection-fold (open, except on a phone that came by a link)
//               url key show-key vsn connect disconnect second-window
//               connection-status (data-state: disconnected, connecting,
//               connected, reconnecting)  connection-problem
//   identity    identity-fold (as connection-fold) claims-brief user-token
//               token-use token-error token-status claims claims-by claim-role
//               claim-sub claim-exp (data-state: good, soon, over, none) mint
//               mint-place (dev, secret, file) mint-sub mint-command mint-copy
//               mint-dev-hint
//   topics      topic private self ack presence presence-key join channel-list
//               channel-NAME (data-state: offline, joining, joined, error,
//               closed)  select-NAME leave-NAME rejoin-NAME
//   replay      replay replay-minutes replay-limit
//   bindings    binding-add bindings, with one binding each of binding-event
//               binding-schema binding-table binding-filter binding-remove
//   code        snippet-fold snippet snippet-copy
//   room        room room-title channel-problem
//   notices     notices-card notices, with one notice (data-ok) each
//   changes     changes-card changes-status (data-state: waiting, subscribed,
//               refused) changes-bindings changes-clear changes, with one change
//               (data-event, data-table; latency in it) each
//   sending     event payload payload-format (json, text, hex) payload-error
//               payload-size send-via (socket, http) send send-status
//   arriving    messages, with one message (data-event, data-replayed;
//               message-id in it) each; messages-clear
//   presence    presence-list presence-count present-KEY presence-payload
//               presence-error track untrack presence-status
//   charts      rtt-chart rtt-value rate-chart rate-value changes-charts
//               changes-chart changes-value latency-chart latency-value
//   frames      frame-log, with one frame (data-direction: in, out; data-kind;
//               data-event) each; frame-copy log-filter log-direction (both, in,
//               out) log-heartbeats log-pause log-clear log-copy log-count
//               log-status
// Empty lists are hidden; a note such as messages-empty stands in their place.
//   forms and notes  connect-form token-form join-form send-form presence-form
//               channels-empty messages-empty changes-empty presence-empty
//               log-empty

import '../shared/base.css'
import '../shared/forms.css'
import '../shared/charts.css'
import './styles.css'
import { baseURL, keyInFragment, tokenInFragment } from './address'
import { Changes } from './changes'
import { Channels } from './channels'
import { Charts } from './charts'
import { Connection, type ConnectionState, type Version } from './connection'
import { find, randomWord, showProblem } from '../shared/dom'
import type { Explanation } from './explain'
import { Identity } from './identity'
import { JoinForm } from './joinform'
import { Log } from './log'
import { Messages } from './messages'
import { Presence } from './presence'
import type { Room } from './room'

const rememberedKey = 'tutti-key'
const rememberedToken = 'tutti-user-token'

const stateWords: Record<ConnectionState, string> = {
  disconnected: 'Disconnected',
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Not connected, trying again',
}

const url = find<HTMLInputElement>('url')
const key = find<HTMLInputElement>('key')
const vsn = find<HTMLSelectElement>('vsn')

const log = new Log()
const charts = new Charts()
const presence = new Presence()
const messages = new Messages(() => vsn.value)
const identity = new Identity(() => key.value.trim(), useToken)
const changes = new Changes(() => identity.user)

const connection = new Connection({
  state: showState,
  roundTrip: (milliseconds) => charts.roundTrip(milliseconds),
  frame: (frame) => {
    log.add(frame)
    if (frame.topic !== 'phoenix') charts.count(frame.direction === 'in')
  },
})

const channels = new Channels(
  () => connection.client,
  {
    state: (room) => room === channels.selected && showRoomState(room),
    message: (room, message) => messages.add(room, message),
    presence: (room) => room === channels.selected && presence.update(),
    change: (room, change) => {
      changes.change(room, change)
      charts.change(change.latency)
    },
    notice: (room, notice) => changes.notice(room, notice),
  },
  showRoom,
)

const joinForm = new JoinForm(
  () => ({ url: baseURL(url.value) ?? url.value, vsn: vsn.value, userToken: identity.token !== '' }),
  (options) => void channels.join(options),
)

function showState(state: ConnectionState, problem: Explanation | null): void {
  const pill = find('connection-status')
  pill.textContent = stateWords[state]
  pill.dataset.state = state
  const active = state !== 'disconnected'
  find<HTMLButtonElement>('disconnect').disabled = !active
  find('connect').textContent = active ? 'Reconnect' : 'Connect'
  find<HTMLButtonElement>('join').disabled = !active
  showProblem(find('connection-problem'), problem)
}

function showRoom(room: Room | null): void {
  find('room').hidden = room === null
  find('room-title').textContent = room?.options.name ?? ''
  find('send-status').textContent = find('presence-status').textContent = ''
  messages.show(room)
  presence.show(room)
  changes.show(room)
  charts.showChanges(channels.listening)
  showProblem(find('channel-problem'), room?.problem ?? null)
}

function showRoomState(room: Room): void {
  showProblem(find('channel-problem'), room.problem)
  messages.update()
  presence.update()
  changes.update()
}

async function connect(): Promise<void> {
  const typed = key.value.trim()
  remember(rememberedKey, typed)
  remember(rememberedToken, identity.token)
  showSecondWindow()
  identity.update()
  joinForm.update()
  channels.disconnected()
  await connection.connect({ url: url.value, key: typed, userToken: identity.token, vsn: vsn.value as Version })
  messages.update() // what may be sent depends on the serializer
  if (connection.client) channels.connected(connection.client)
}

async function disconnect(): Promise<void> {
  await connection.disconnect()
  channels.disconnected()
}

/** Uses another user's token from now on, "" for the key; says what that did. */
async function useToken(token: string): Promise<string> {
  remember(rememberedToken, token)
  showSecondWindow()
  joinForm.update()
  changes.update()
  await connection.setUserToken(token)
  const whose = token ? 'The token' : 'The key'
  if (!connection.client) return `${whose} is used when you connect.`
  const count = channels.joined
  return count === 0 ? `${whose} is used for the next topic.` : `${whose} was sent to ${count} joined ${count === 1 ? 'topic' : 'topics'} with realtime.setAuth.`
}

/** Connects and shows some life: a lobby that this window is seen in. */
async function begin(withKey: string): Promise<void> {
  key.value = withKey
  await connect()
  // On a narrow screen the forms would push the lobby out of sight.
  if (matchMedia('(max-width: 639px)').matches && connection.client) {
    for (const fold of ['connection-fold', 'identity-fold']) find<HTMLDetailsElement>(fold).open = false
  }
  if (!channels.empty) return
  const name = `guest-${randomWord()}`
  const state = { name, since: new Date().toISOString().slice(0, 19) + 'Z' }
  presence.prefill(state)
  const room = await channels.join({ name: 'lobby', isPrivate: false, self: true, ack: true, presence: true, presenceKey: name, bindings: [], replay: null })
  room.trackWhenJoined(state)
}

// The link carries the key so that the other window connects by itself.
function showSecondWindow(): void {
  const link = find<HTMLAnchorElement>('second-window')
  const withKey = key.value.trim()
  link.hidden = withKey === ''
  link.href = `${location.pathname}#${new URLSearchParams({ key: withKey, ...(identity.token && { token: identity.token }) })}`
}

function remember(name: string, value: string): void {
  try {
    sessionStorage.setItem(name, value)
  } catch {
    // Without storage a reload asks again.
  }
}

function recall(name: string): string | null {
  try {
    return sessionStorage.getItem(name)
  } catch {
    return null
  }
}

function takeKeyFromAddress(): string | null {
  const found = keyInFragment(location.hash)
  if (!found) return null
  identity.token = tokenInFragment(location.hash) ?? ''
  history.replaceState(null, '', location.pathname + location.search)
  return found
}

find('connect-form').addEventListener('submit', (submit) => {
  submit.preventDefault()
  void connect()
})
find('disconnect').addEventListener('click', () => void disconnect())
find('show-key').addEventListener('change', (change) => {
  key.type = find<HTMLInputElement>('user-token').type = (change.target as HTMLInputElement).checked ? 'text' : 'password'
})
for (const field of [url, vsn]) field.addEventListener('input', () => joinForm.update())
window.addEventListener('hashchange', () => {
  const found = takeKeyFromAddress()
  if (found) void begin(found)
})

url.value = location.origin
showState('disconnected', null)
showRoom(null)
identity.token = recall(rememberedToken) ?? ''
const first = takeKeyFromAddress() ?? recall(rememberedKey)
if (first) void begin(first)
