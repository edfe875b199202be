// The topics of a tenant that somebody listens to.

import { find, make } from '../shared/dom'
import { count } from '../shared/words'
import type { TopicRow } from './answers'
import type { Desk } from './desk'
import { said } from './dialogs'
import { fragmentOf, pathOf } from './route'
import { repeat, Rows, setText, type Row } from './rows'
import { rate } from './words'

const every = 3000 // milliseconds between an answer and the next question
const most = 100
const typing = 200

type Answer = { total: number; topics: TopicRow[] }

export class Topics {
  readonly #desk: Desk
  readonly #search = find<HTMLInputElement>('topics-search')
  #rows: Rows<TopicRow> | null = null
  #polling: ReturnType<typeof repeat> | null = null

  constructor(desk: Desk) {
    this.#desk = desk
    let timer = 0
    this.#search.addEventListener('input', () => {
      clearTimeout(timer)
      timer = window.setTimeout(() => this.#polling?.now(), typing)
    })
  }

  enter(tenant: string): void {
    this.#search.value = ''
    this.#rows?.show([])
    this.#rows = new Rows<TopicRow>(find('topics').querySelector('tbody')!, key, (topic) => topicRow(tenant, topic))
    setText(find('topics-count'), '')
    this.#say('Loading…')
    const path = () => `${pathOf(tenant, 'topics')}?${new URLSearchParams({ search: this.#search.value.trim(), limit: String(most) })}`
    this.#polling = repeat(
      every,
      (signal) => this.#desk.server.get<Answer>(path(), signal),
      (answer) => this.#show(answer),
      (err) => this.#say(said(err)),
    )
  }

  leave(): void {
    this.#polling?.stop()
    this.#polling = null
  }

  #show({ total, topics }: Answer): void {
    this.#rows?.show(topics)
    setText(find('topics-count'), count(total))
    const search = this.#search.value.trim()
    const none = search ? `Nobody listens to a topic with “${search}” in its name.` : 'Nobody listens to any topic.'
    this.#say(topics.length === 0 ? none : total > topics.length ? `The first ${topics.length} of ${count(total)}. Search for others.` : '')
    find('topics').hidden = topics.length === 0
    find('topics').toggleAttribute('data-plain', topics.every(({ events_per_second: events }) => events === undefined))
  }

  #say(text: string): void {
    find('topics-empty').hidden = text === ''
    setText(find('topics-empty'), text)
  }
}

function key({ topic, private: isPrivate, bare }: TopicRow): string {
  return `${isPrivate ? 'private' : 'public'} ${bare ? 'bare' : ''} ${topic}`
}

function topicRow(tenant: string, { topic, private: isPrivate, bare = false }: TopicRow): Row<TopicRow> {
  const link = make('a', { href: fragmentOf({ at: 'topic', tenant, topic, private: isPrivate, bare }), 'data-testid': 'topic-link' }, topic)
  const numbers = [make('td', { class: 'number' }), make('td', { class: 'number' }), make('td', { class: 'number' })]
  const badges = [isPrivate && 'private', bare && 'extension'].flatMap((text) => (text ? [' ', make('span', { class: 'badge' }, text)] : []))
  const element = make('tr', { 'data-testid': 'topic-row', 'data-topic': topic }, make('th', { scope: 'row' }, link, ...badges), ...numbers)
  const show = (t: TopicRow) => [count(t.listeners), count(t.presences), rate(t.events_per_second)].forEach((text, i) => setText(numbers[i]!, text))
  return { element, show }
}
