// Changes of the database and system messages of the chosen topic.

import { latencyInWords, type Cell, type Change, type Notice, type Standing } from './change'
import { clock, copyable, find, make } from '../shared/dom'
import { explain } from './explain'
import { Feed } from '../shared/feed'
import { pretty } from './frames'
import { bindingInWords } from './options'
import type { Room } from './room'

const shown = 100 // rows are large, and thousands may come at once
const valueLength = 300

const words: Record<Standing, string> = {
  none: '',
  waiting: 'waiting for the database',
  subscribed: 'subscribed',
  refused: 'not subscribed',
}

export class Changes {
  #room: Room | null = null
  readonly #user: () => string | null
  readonly #feed = new Feed<Change>(find('changes'), shown, changeRow)
  readonly #notices = new Feed<Notice>(find('notices'), shown, noticeRow)

  /** user returns the subject of the token that topics are joined with. */
  constructor(user: () => string | null) {
    this.#user = user
    find('changes-clear').addEventListener('click', () => {
      this.#room?.changes.splice(0)
      this.show(this.#room)
    })
  }

  show(room: Room | null): void {
    this.#room = room
    this.#feed.replace(room?.changes ?? [])
    this.#notices.replace(room?.notices ?? [])
    const bindings = room?.options.bindings ?? []
    find('changes-card').hidden = bindings.length === 0
    find('changes-bindings').replaceChildren(...bindings.map((binding) => make('li', {}, bindingInWords(binding))))
    this.update()
  }

  change(room: Room, change: Change): void {
    if (room !== this.#room) return
    this.#feed.add(change)
    find('changes-empty').hidden = true
  }

  notice(room: Room, notice: Notice): void {
    if (room !== this.#room) return
    this.#notices.add(notice)
    this.update()
  }

  /** Brings what depends on the state of the room up to date. */
  update(): void {
    const room = this.#room
    if (!room) return
    const pill = find('changes-status')
    const standing = room.state === 'joined' || room.standing === 'none' ? room.standing : 'waiting'
    if (pill.dataset.state !== standing) {
      pill.dataset.state = standing
      pill.textContent = words[standing]
    }
    find('notices-card').hidden = room.notices.length === 0
    this.#explainSilence(room)
  }

  #explainSilence(room: Room): void {
    const place = find('changes-empty')
    place.hidden = room.changes.length > 0
    if (place.hidden) return
    if (room.standing === 'refused') {
      place.replaceChildren('Nothing can arrive here. The system message above says why.')
      return
    }
    const parts: (Node | string)[] = ['Nothing has changed yet.']
    if (room.options.bindings.some(({ schema, table }) => schema === 'public' && table === 'todos')) {
      const user = this.#user()
      parts.push(
        user
          ? ' A row of the example table for the user of your token:'
          : ' Policies let users see their own rows of the example table, and the key alone is nobody’s: set a user token. A row:',
        copyable(`INSERT INTO todos (user_id, title) VALUES ('${(user ?? exampleUser).replace(/'/g, "''")}', 'hello');`),
      )
    }
    place.replaceChildren(...parts)
  }
}

/** A user for examples. */
export const exampleUser = '11111111-1111-1111-1111-111111111111'

function changeRow(change: Change): HTMLElement {
  const { bindings } = change
  const head = make(
    'div',
    { class: 'change-head' },
    make('time', {}, clock(change.at)),
    make('span', { class: 'verb' }, change.event),
    make('span', { class: 'event' }, change.table),
  )
  if (change.latency !== null) {
    head.append(make('span', { class: 'badge', 'data-testid': 'latency', title: 'From the commit to its arrival here, by the clocks of both' }, latencyInWords(change.latency)))
  }
  if (bindings.length > 1) head.append(make('span', { class: 'badge', title: `Fits the bindings ${bindings.join(', ')}` }, `${bindings.length} bindings`))
  const item = make('li', { 'data-testid': 'change', 'data-event': change.event, 'data-table': change.table }, head)
  for (const error of change.errors) {
    const { title, cause, cure } = explain(error)
    item.append(make('p', { class: 'error' }, title), make('p', { class: 'hint' }, `${cause} ${cure}`))
  }
  if (change.cells.length > 0) item.append(make('dl', { class: 'cells' }, ...change.cells.map(cellRow)))
  return item
}

function cellRow(cell: Cell): HTMLElement {
  const value = make('dd', {})
  const told = Object.hasOwn(cell, 'before')
  if (told && cell.changed) {
    const by = cell.from === 'page' ? 'As this page last saw it; the server does not send it' : undefined
    value.append(make('del', { title: by }, valueText(cell.before)))
  }
  if (Object.hasOwn(cell, 'now')) {
    if (told && cell.changed) value.append(make('span', { class: 'to', 'aria-hidden': 'true' }, '→'))
    value.append(make(told && cell.changed ? 'ins' : 'span', {}, valueText(cell.now)))
  }
  return make('div', { 'data-changed': cell.changed ? 'true' : undefined }, make('dt', {}, cell.name), value)
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value || '“”' : pretty(value, 0)
  return text.length > valueLength ? `${text.slice(0, valueLength)}…` : text
}

function noticeRow(notice: Notice): HTMLElement {
  const { cause, cure, command } = explain(notice.text)
  const item = make(
    'li',
    { 'data-testid': 'notice', 'data-ok': String(notice.ok) },
    make('time', {}, clock(notice.at)),
    make('span', { class: 'text' }, notice.text),
    make('p', { class: 'hint' }, `${cause} ${cure}`),
  )
  if (command) item.append(copyable(command))
  return item
}
