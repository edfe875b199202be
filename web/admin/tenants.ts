// The table of tenants: search, order, pages, what each of them does now.

import { find, make, showProblem } from '../shared/dom'
import { count } from '../shared/words'
import { chips, type TenantRow } from './answers'
import type { Desk } from './desk'
import { Spark } from './lines'
import { fragmentOf } from './route'
import { repeat, Rows, setText, type Row } from './rows'
import { explained } from './explain'
import { bytes, lag, rate } from './words'

const every = 2000 // milliseconds between an answer and the next question
const perPage = 50
const typing = 200 // milliseconds after a letter until it is searched for

type Sort = 'id' | 'connections' | 'events' | 'lag'
type Answer = { total: number; tenants: TenantRow[] }

const columns: readonly { words: string; sort?: Sort; number?: boolean }[] = [
  { words: 'Tenant', sort: 'id' },
  { words: 'State' },
  { words: 'Connections', sort: 'connections', number: true },
  { words: 'Channels', number: true },
  { words: 'Topics', number: true },
  { words: 'Events/s', sort: 'events', number: true },
  { words: 'Last two minutes' },
  { words: 'Feed lag', sort: 'lag', number: true },
]

export class Tenants {
  readonly #desk: Desk
  readonly #search = find<HTMLInputElement>('tenants-search')
  readonly #rows = new Rows<TenantRow>(find('tenants').querySelector('tbody')!, ({ external_id }) => external_id, tenantRow)
  #sort: Sort = 'connections'
  #page = 0
  #polling: ReturnType<typeof repeat> | null = null

  constructor(desk: Desk) {
    this.#desk = desk
    let timer = 0
    this.#search.addEventListener('input', () => {
      clearTimeout(timer)
      timer = window.setTimeout(() => this.#turnTo(0), typing)
    })
    find('page-before').addEventListener('click', () => this.#turnTo(this.#page - 1))
    find('page-next').addEventListener('click', () => this.#turnTo(this.#page + 1))
    find('tenants-head').append(...columns.map((column) => this.#heading(column)))
    this.#showSort()
  }

  enter(): void {
    if (find('tenants-count').textContent === '') {
      find('tenants-empty').hidden = false
      setText(find('tenants-empty'), 'Loading…')
    }
    this.#polling = repeat(
      every,
      (signal) => this.#desk.server.get<Answer>(`tenants?${this.#query()}`, signal),
      (answer) => this.#show(answer),
      (err) => showProblem(find('tenants-problem'), explained('The tenants are not known', err)),
    )
  }

  leave(): void {
    this.#polling?.stop()
    this.#polling = null
  }

  #heading({ words, sort, number }: (typeof columns)[number]): HTMLElement {
    const cell = make('th', { scope: 'col', class: number ? 'number' : undefined, 'data-sort': sort })
    if (!sort) {
      cell.append(words)
      return cell
    }
    const button = make('button', { type: 'button', class: 'sort', 'data-testid': `sort-${sort}` }, words)
    button.addEventListener('click', () => {
      this.#sort = sort
      this.#showSort()
      this.#turnTo(0)
    })
    cell.append(button)
    return cell
  }

  // Ids rise, numbers fall: whoever has most is looked for.
  #showSort(): void {
    for (const cell of find('tenants-head').children) {
      if (cell.getAttribute('data-sort') === this.#sort) cell.setAttribute('aria-sort', this.#sort === 'id' ? 'ascending' : 'descending')
      else cell.removeAttribute('aria-sort')
    }
  }

  #turnTo(page: number): void {
    this.#page = Math.max(0, page)
    this.#polling?.now()
  }

  #query(): string {
    return String(new URLSearchParams({ search: this.#search.value.trim(), sort: this.#sort, limit: String(perPage), offset: String(this.#page * perPage) }))
  }

  #show({ total, tenants }: Answer): void {
    if (tenants.length === 0 && total > 0 && this.#page > 0) return this.#turnTo(Math.ceil(total / perPage) - 1)
    showProblem(find('tenants-problem'), null)
    this.#rows.show(tenants)
    find('tenants').hidden = tenants.length === 0
    setText(find('tenants-count'), count(total))
    const empty = find('tenants-empty')
    empty.hidden = tenants.length > 0
    const search = this.#search.value.trim()
    setText(empty, search ? `No tenant has “${search}” in its id or name.` : 'There is no tenant yet. Make the first with “New tenant”.')
    find('pager').hidden = total <= perPage
    const first = this.#page * perPage
    setText(find('page-text'), `${count(first + 1)} to ${count(first + tenants.length)} of ${count(total)}`)
    find<HTMLButtonElement>('page-before').disabled = this.#page === 0
    find<HTMLButtonElement>('page-next').disabled = first + tenants.length >= total
  }
}

function tenantRow(first: TenantRow): Row<TenantRow> {
  const link = make('a', { href: fragmentOf({ at: 'tenant', tenant: first.external_id }), 'data-testid': 'tenant-link' }, first.external_id)
  const name = make('span', { class: 'soft' })
  const states = make('ul', { class: 'chips' })
  const numbers = columns.slice(2, 6).map(({ words }) => make('td', { class: 'number', 'data-label': words }))
  const spark = new Spark()
  const behind = make('td', { class: 'number', 'data-label': 'Feed lag' })
  const element = make('tr', { 'data-testid': 'tenant-row', 'data-tenant': first.external_id },
    make('th', { scope: 'row' }, link, ' ', name), make('td', {}, states), ...numbers, make('td', { class: 'sparks' }, spark.element as unknown as HTMLElement), behind)
  const show = (t: TenantRow) => {
    setText(name, t.name === t.external_id ? '' : t.name)
    showChips(states, chips(t))
    ;[count(t.connections), count(t.channels), count(t.topics), rate(t.events_per_second)].forEach((text, i) => setText(numbers[i]!, text))
    spark.add(t.events_per_second)
    setText(behind, behindWords(t))
  }
  return { element, show }
}

function behindWords({ feed }: TenantRow): string {
  if (!feed || feed.state === 'none') return '–'
  if (feed.state === 'down') return 'down'
  return [lag(feed.lag_seconds), bytes(feed.lag_bytes)].filter((text) => text !== '–').join(', ') || '–'
}

/** Shows how something is, in chips. */
export function showChips(place: HTMLElement, list: ReturnType<typeof chips>): void {
  list.forEach(({ state, text }, i) => {
    const chip = (place.children[i] as HTMLElement | undefined) ?? place.appendChild(make('li', { class: 'chip' }))
    chip.dataset.state = state
    setText(chip, text)
  })
  while (place.children.length > list.length) place.lastChild?.remove()
}
