// One card for each node. Cards stay where they are while their numbers change.

import { find, make } from '../shared/dom'
import { span, type Seen, type Standing } from './memory'
import { Spark } from './spark'
import { uptime } from './summary'
import { asSentence, count, duration, trip } from '../shared/words'

const standings: Record<Standing, string> = {
  well: 'Well', silent: 'Silent', leaving: 'Leaving', unready: 'Not ready', gone: 'Gone', left: 'Has left',
}

type Title = [title: string, hint: string]

const titles: Readonly<Record<string, Title>> = {
  topics: ['Topics', 'Topics with at least one listener here'],
  tenants: ['Tenants', 'Tenants that did something here lately'],
  feeds_owned: ['Feeds owned', 'Databases whose changes this node reads, for itself and for others'],
  feeds_followed: ['Feeds followed', 'Databases whose changes another node reads for this one'],
}

/** Every node that the page knows of, in the order that it is given. */
export class Cards {
  #cards = new Map<string, Card>()

  show(nodes: Seen[], now: number): void {
    find('nodes').classList.toggle('several', nodes.length > 1)
    const place = find('nodes')
    for (const id of this.#cards.keys()) {
      if (nodes.some(({ node }) => node.id === id)) continue
      this.#cards.get(id)?.element.remove()
      this.#cards.delete(id)
    }
    nodes.forEach((seen, i) => {
      const card = this.#cards.get(seen.node.id) ?? new Card(seen.node.id)
      this.#cards.set(seen.node.id, card)
      // Only where it is not there already: a chart that moves is drawn anew.
      if (place.children[i] !== card.element) place.insertBefore(card.element, place.children[i] ?? null)
      card.show(seen, now)
    })
  }
}

class Card {
  readonly element: HTMLElement
  #own = make('span', { class: 'badge accent' }, 'this node')
  #standing = make('span', { class: 'pill' })
  #words = make('p', { class: 'words' })
  #facts = make('p', { class: 'facts' })
  #addresses = make('p', { class: 'facts' })
  #connections = make('strong', { 'data-testid': 'node-connections' })
  #chart = make('div', { class: 'spark', role: 'img' })
  #most = make('span')
  #figure: HTMLElement
  #numbers = make('dl', { class: 'numbers' })
  #spark: Spark | null = null

  constructor(id: string) {
    this.#figure = make(
      'figure', {},
      make('figcaption', {}, 'Connections', this.#connections),
      this.#chart,
      make('p', { class: 'scale' }, make('span', {}, `${duration(span)} ago`), this.#most, make('span', {}, 'now')),
    )
    this.element = make(
      'li', { class: 'card node', 'data-testid': 'node', 'data-node': id },
      make('div', { class: 'node-head' }, make('h3', {}, id), this.#own, this.#standing),
      this.#words, this.#facts, this.#addresses, this.#figure, this.#numbers,
    )
  }

  show({ node, samples, standing, words, gone }: Seen, now: number): void {
    this.element.dataset.standing = standing
    this.#own.hidden = !node.self || gone > 0
    put(this.#standing, standings[standing])
    this.#standing.dataset.standing = standing
    put(this.#words, asSentence(words))
    put(this.#facts, [node.region, node.version, gone > 0 ? '' : uptime(node.started, now)].filter(Boolean).join(' · '))
    put(this.#addresses, node.addresses.join(', '))
    this.#figure.hidden = this.#numbers.hidden = gone > 0
    if (gone > 0) return
    const connections = node.load.connections ?? 0
    const most = Math.max(...samples.map((sample) => sample.connections))
    put(this.#connections, count(connections))
    put(this.#most, `most ${count(most)}`)
    this.#chart.setAttribute('aria-label', `Connections of ${node.id}: ${count(connections)} now, ${count(most)} at most`)
    this.#spark ??= this.element.isConnected ? new Spark(this.#chart) : null
    this.#spark?.show(samples)
    this.#numbers.replaceChildren(...numbers(node).map(tile))
  }
}

type Tile = { title: string; value: string; hint?: string; bad?: boolean }

function numbers(node: Seen['node']): Tile[] {
  const known = Object.keys(titles).filter((name) => name in node.load)
  const others = Object.keys(node.load).filter((name) => name !== 'connections' && !(name in titles)).sort()
  const tiles = [...known, ...others].map((name): Tile => {
    const [title, hint] = titles[name] ?? [spelled(name), '']
    return { title, value: count(node.load[name] ?? 0), hint }
  })
  if (node.roundTrip !== null) tiles.push({ title: 'Round trip', value: trip(node.roundTrip), hint: 'From the node that answers this page, and back' })
  if (node.missed > 0) tiles.push({ title: 'Messages missed', value: count(node.missed), hint: 'Lost on their way to it since it started', bad: true })
  return tiles
}

function tile({ title, value, hint, bad }: Tile): HTMLElement {
  return make('div', { title: hint || undefined, class: bad ? 'bad' : undefined }, make('dt', {}, title), make('dd', {}, value))
}

/** The name of a number that this page does not know: "open_files" is "Open files". */
export function spelled(name: string): string {
  const words = name.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

// Only what changes is written, so that a selection survives.
function put(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
  element.hidden = text === ''
}
