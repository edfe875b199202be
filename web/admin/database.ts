// What a tenant's database does for it: the feed of changes, the slots, health.

import { find, make } from '../shared/dom'
import type { Feed, Slot, Tenant } from './answers'
import { Rows, setText, type Row } from './rows'
import { bytes, lag } from './words'

const stateWords: Readonly<Record<string, string>> = {
  live: 'The feed of changes is live.',
  down: 'The feed of changes is down. Clients that listen to tables hear nothing.',
  connecting: 'The feed of changes is connecting.',
  none: 'No client listens to tables, so there is no feed.',
}

let slots: Rows<Slot> | null = null

export function showDatabase(t: Tenant): void {
  const place = find('feed')
  const lines = feedLines(t)
  lines.forEach((text, i) => setText((place.children[i] as HTMLElement | undefined) ?? place.appendChild(make('p')), text))
  while (place.children.length > lines.length) place.lastChild?.remove()
  place.dataset.state = t.has_database ? (t.feed?.state ?? 'none') : 'none'
  slots ??= new Rows<Slot>(find('slots').querySelector('tbody')!, ({ name }) => name, slotRow)
  find('slots').hidden = (t.slots ?? []).length === 0
  slots.show(t.slots ?? [])
  showHealth(t)
}

/** What is to be said of the feed, a sentence each. */
export function feedLines(t: { has_database: boolean; feed: Feed | null; slots_error?: string }): string[] {
  if (!t.has_database) return ['This tenant has no database: no changes, no private topics, no replay.']
  const feed = t.feed ?? { state: 'none' }
  const lines = [stateWords[feed.state] ?? `The feed is ${feed.state}.`]
  if (feed.state === 'live') lines.push(`It is ${lag(feed.lag_seconds)} and ${bytes(feed.lag_bytes)} behind the database.`)
  if (feed.code || feed.error) lines.push([feed.code, feed.error].filter(Boolean).join(': '))
  if (t.slots_error) lines.push(`Its slots could not be read: ${t.slots_error}`)
  return lines
}

function showHealth({ health }: Tenant): void {
  const facts: [string, string, boolean][] = health
    ? [
        ['Healthy', health.healthy ? 'yes' : 'no', health.healthy],
        ['Database connected', health.db_connected ? 'yes' : 'no', true],
        ['Replication connected', health.replication_connected ? 'yes' : 'no', true],
        ['Connected clients', String(health.connected_cluster), true],
        ['Read by', health.node || '–', true],
      ]
    : []
  const place = find('health')
  facts.forEach(([words, text, well], i) => {
    const line = (place.children[i] as HTMLElement | undefined) ?? place.appendChild(make('div', {}, make('dt'), make('dd')))
    line.dataset.well = String(well)
    setText(line.querySelector('dt')!, words)
    setText(line.querySelector('dd')!, text)
  })
  while (place.children.length > facts.length) place.lastChild?.remove()
}

function slotRow(): Row<Slot> {
  const name = make('th', { scope: 'row' })
  const cells = [make('td'), make('td', { class: 'number' }), make('td', { class: 'number' })]
  const element = make('tr', { 'data-testid': 'slot' }, name, ...cells)
  const show = (slot: Slot) => {
    setText(name, slot.ours === false ? `${slot.name} (not of this server)` : slot.name)
    const texts = [[slot.active ? 'active' : 'not active', slot.wal_status].filter(Boolean).join(', '), bytes(slot.retained_bytes), bytes(slot.confirmed_lag_bytes)]
    cells.forEach((cell, i) => setText(cell, texts[i]!))
    element.dataset.state = slot.wal_status === 'lost' || slot.wal_status === 'unreserved' ? 'bad' : slot.active ? 'good' : 'wait'
  }
  return { element, show }
}
