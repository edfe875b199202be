// The cluster at a glance: what stands out, totals, charts, nodes.

import { find, make } from '../shared/dom'
import { count, counted, duration, listed, trip } from '../shared/words'
import type { Node, Overview as Answer, Point } from './answers'
import { Lines } from './lines'
import { Rows, setText, type Row } from './rows'
import { bytes, rate } from './words'

const totals: readonly { words: string; show: (a: Answer) => string | null }[] = [
  { words: 'Tenants connected', show: (a) => count(a.totals.tenants_connected) },
  { words: 'Connections', show: (a) => count(a.totals.connections) },
  { words: 'Channels', show: (a) => count(a.totals.channels) },
  { words: 'Events/s', show: (a) => rate(a.totals.events_per_second) },
  { words: 'Joins/s', show: (a) => rate(a.totals.joins_per_second) },
  { words: 'In', show: (a) => (a.totals.bytes_in_per_second === undefined ? null : `${bytes(a.totals.bytes_in_per_second)}/s`) },
  { words: 'Out', show: (a) => (a.totals.bytes_out_per_second === undefined ? null : `${bytes(a.totals.bytes_out_per_second)}/s`) },
]

export class Overview {
  readonly #connections = new Lines(find('all-connections'), [{ label: 'connections', color: '--in' }])
  readonly #events = new Lines(find('all-events'), [{ label: 'events', color: '--in' }])
  readonly #joins = new Lines(find('all-joins'), [{ label: 'joins', color: '--in' }])
  readonly #nodes = new Rows<Node & { now: number }>(find('nodes').querySelector('tbody')!, ({ id }) => id, nodeRow)
  #begun = false

  show(answer: Answer): void {
    if (answer.series && !this.#begun) this.#begin(answer.series.points)
    this.#begun = true
    const { connections, events_per_second: events, joins_per_second: joins } = answer.totals
    this.#connections.add(answer.now, connections)
    this.#events.add(answer.now, events)
    this.#joins.add(answer.now, joins)
    setText(find('all-connections-value'), count(connections))
    setText(find('all-events-value'), rate(events))
    setText(find('all-joins-value'), rate(joins))
    setText(find('headline'), headline(answer))
    showTotals(answer)
    showAlerts(alerts(answer))
    this.#nodes.show([...answer.nodes].sort((a, b) => (a.id < b.id ? -1 : 1)).map((node) => ({ ...node, now: answer.now })))
  }

  #begin(points: readonly Point[]): void {
    this.#connections.begin(points.map(({ at, connections }) => ({ at, values: [connections] })))
    this.#events.begin(points.map(({ at, events }) => ({ at, values: [events] })))
    this.#joins.begin(points.map(({ at, joins }) => ({ at, values: [joins] })))
  }
}

export function headline({ nodes, totals }: Answer): string {
  const who = nodes.length === 1 ? 'A single node' : counted(nodes.length, 'node')
  return `${who} with ${counted(totals.connections, 'connection')}`
}

type Alert = { level: 'bad' | 'wait'; text: string }

/** What stands out: nodes that are silent, and different versions. */
export function alerts(answer: Answer): Alert[] {
  const silent = new Set([...answer.unreachable, ...answer.nodes.filter(({ alive }) => !alive).map(({ id }) => id)])
  const list: Alert[] = []
  if (silent.size > 0) {
    const one = silent.size === 1
    list.push({ level: 'bad', text: `${listed([...silent].sort())} ${one ? 'does' : 'do'} not answer. What ${one ? 'it counts' : 'they count'} is missing from the numbers here.` })
  }
  const versions = [...new Set(answer.nodes.map(({ version }) => version))]
  if (versions.length > 1) list.push({ level: 'wait', text: `Nodes run different versions: ${listed(versions.sort())}. That is fine while you exchange them one by one.` })
  return list
}

function showAlerts(list: Alert[]): void {
  const place = find('alerts')
  list.forEach(({ level, text }, i) => {
    const item = (place.children[i] as HTMLElement | undefined) ?? place.appendChild(make('li', { 'data-testid': 'alert' }))
    item.dataset.level = level
    setText(item, text)
  })
  while (place.children.length > list.length) place.lastChild?.remove()
}

function showTotals(answer: Answer): void {
  const shown = totals.flatMap(({ words, show }) => {
    const text = show(answer)
    return text === null ? [] : [{ words, text }]
  })
  const place = find('totals')
  shown.forEach(({ words, text }, i) => {
    const item = (place.children[i] as HTMLElement | undefined) ?? place.appendChild(make('div', { class: 'card' }, make('dt'), make('dd')))
    setText(item.querySelector('dt')!, words)
    setText(item.querySelector('dd')!, text)
  })
  while (place.children.length > shown.length) place.lastChild?.remove()
}

function nodeRow(): Row<Node & { now: number }> {
  const cells = Array.from({ length: 9 }, (_, i) => make('td', { class: i >= 3 && i <= 7 ? 'number' : undefined }))
  const name = make('th', { scope: 'row' })
  const element = make('tr', { 'data-testid': 'node' }, name, ...cells)
  const show = (node: Node & { now: number }) => {
    element.dataset.node = node.id
    element.dataset.state = node.alive ? 'good' : 'bad'
    setText(name, node.self ? `${node.id} (asked)` : node.id)
    const texts = [
      node.alive ? 'answers' : 'does not answer', node.region, node.version, count(node.connections), count(node.tenants),
      node.cpu_percent === undefined ? '–' : `${Math.round(node.cpu_percent)} %`, bytes(node.memory_bytes),
      node.round_trip_ms === undefined ? '–' : trip(node.round_trip_ms), node.started_at > 0 ? duration(node.now - node.started_at) : '–',
    ]
    cells.forEach((cell, i) => setText(cell, texts[i] || '–'))
  }
  return { element, show }
}
