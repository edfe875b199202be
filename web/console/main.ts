// The console for developers: connect, join, send, watch.
//
// A link such as http://localhost:4000/#key=KEY connects at once and joins the
// public topic "lobby". The key is taken out of the address bar and remembered
// in sessionStorage only, so a reload connects again and a closed tab forgets.
//
// Names for browser tests (data-testid), kept stable:
//   connection  connection-fold (open, except on a phone that came by a link)
//               url key show-key vsn user-token connect disconnect second-window
//               connection-status (data-state: disconnected, connecting,
//               connected, reconnecting)  connection-problem
//   topics      topic private self ack presence presence-key join channel-list
//               channel-NAME (data-state: offline, joining, joined, error,
//               closed)  select-NAME leave-NAME rejoin-NAME
//   room        room room-title channel-problem
//   sending     event payload payload-format (json, text, hex) payload-error
//               payload-size send-via (socket, http) send send-status
//   arriving    messages, with one message (data-event) each; messages-clear
//   presence    presence-list presence-count present-KEY presence-payload
//               presence-error track untrack presence-status
//   charts      rtt-chart rtt-value rate-chart rate-value
//   frames      frame-log, with one frame (data-direction: in, out; data-kind;
//               data-event) each; frame-copy log-filter log-direction (both, in,
//               out) log-heartbeats log-pause log-clear log-copy log-count
//               log-status
// Empty lists are hidden; a note such as messages-empty stands in their place.
//   forms and notes  connect-form join-form send-form presence-form
//               channels-empty messages-empty presence-empty log-empty

import './styles.css'
import { keyInFragment } from './address'
import { Channels } from './channels'
import { Charts } from './charts'
import { Connection, type ConnectionState, type Version } from './connection'
import { find, randomWord, showProblem } from './dom'
import type { Explanation } from './explain'
import { Log } from './log'
import { Messages } from './messages'
import { Presence } from './presence'
import type { Room } from './room'

const remembered = 'tutti-key'

const stateWords: Record<ConnectionState, string> = {
  disconnected: 'Disconnected',
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Not connected, trying again',
}

const url = find<HTMLInputElement>('url')
const key = find<HTMLInputElement>('key')
const vsn = find<HTMLSelectElement>('vsn')
const userToken = find<HTMLInputElement>('user-token')

const log = new Log()
const charts = new Charts()
const presence = new Presence()
const messages = new Messages(() => vsn.value)

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
  },
  showRoom,
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
  showProblem(find('channel-problem'), room?.problem ?? null)
}

function showRoomState(room: Room): void {
  showProblem(find('channel-problem'), room.problem)
  messages.update()
  presence.update()
}

async function connect(): Promise<void> {
  const typed = key.value.trim()
  remember(typed)
  showSecondWindow(typed)
  channels.disconnected()
  await connection.connect({ url: url.value, key: typed, userToken: userToken.value.trim(), vsn: vsn.value as Version })
  messages.update() // what may be sent depends on the serializer
  if (connection.client) channels.connected(connection.client)
}

async function disconnect(): Promise<void> {
  await connection.disconnect()
  channels.disconnected()
}

/** Connects and shows some life: a lobby that this window is seen in. */
async function begin(withKey: string): Promise<void> {
  key.value = withKey
  await connect()
  // On a narrow screen the form would push the lobby out of sight.
  if (matchMedia('(max-width: 639px)').matches && connection.client) find<HTMLDetailsElement>('connection-fold').open = false
  if (!channels.empty) return
  const name = `guest-${randomWord()}`
  const state = { name, since: new Date().toISOString().slice(0, 19) + 'Z' }
  presence.prefill(state)
  const room = await channels.join({ name: 'lobby', isPrivate: false, self: true, ack: true, presence: true, presenceKey: name })
  room.trackWhenJoined(state)
}

// The link carries the key so that the other window connects by itself.
function showSecondWindow(withKey: string): void {
  const link = find<HTMLAnchorElement>('second-window')
  link.hidden = withKey === ''
  link.href = `${location.pathname}#key=${encodeURIComponent(withKey)}`
}

function remember(value: string): void {
  try {
    sessionStorage.setItem(remembered, value)
  } catch {
    // Without storage a reload asks for the key again.
  }
}

function recall(): string | null {
  try {
    return sessionStorage.getItem(remembered)
  } catch {
    return null
  }
}

function takeKeyFromAddress(): string | null {
  const found = keyInFragment(location.hash)
  if (found) history.replaceState(null, '', location.pathname + location.search)
  return found
}

find('connect-form').addEventListener('submit', (submit) => {
  submit.preventDefault()
  void connect()
})
find('disconnect').addEventListener('click', () => void disconnect())
find('show-key').addEventListener('change', (change) => {
  key.type = (change.target as HTMLInputElement).checked ? 'text' : 'password'
})
userToken.addEventListener('change', () => void connection.setUserToken(userToken.value.trim()))
window.addEventListener('hashchange', () => {
  const found = takeKeyFromAddress()
  if (found) void begin(found)
})

url.value = location.origin
showState('disconnected', null)
showRoom(null)
const first = takeKeyFromAddress() ?? recall()
if (first) void begin(first)
