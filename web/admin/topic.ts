// A look into a topic: who is here, what passes, and sending people out.

import { find, make, showProblem } from '../shared/dom'
import { count, duration, listed, timeOfDay } from '../shared/words'
import type { Member, Passed, Topic as Answer } from './answers'
import type { Desk } from './desk'
import { explained } from './explain'
import { follow } from './live'
import { Passing } from './passing'
import { fragmentOf, pathOf, queryOf, type TopicPlace } from './route'
import { repeat, Rows, setText, type Row } from './rows'
import { showChips } from './tenants'

const every = 3000 // milliseconds between an answer and the next question
const shortly = 200 // milliseconds after somebody came or went until it is looked who is here

export class Topic {
  readonly #desk: Desk
  readonly #passing = new Passing()
  readonly #members = new Rows<Member>(find('members'), ({ ref }) => ref, () => this.#memberRow())
  readonly #presence = new Rows<[string, unknown[]]>(find('presence'), ([key]) => key, presenceRow)
  #place: TopicPlace = { at: 'topic', tenant: '', topic: '', private: false, bare: false }
  #listeners = 0
  #polling: ReturnType<typeof repeat> | null = null
  #stop: () => void = () => {}
  #soon = 0

  constructor(desk: Desk) {
    this.#desk = desk
    find('kick-topic').addEventListener('click', () => this.#kickAll())
  }

  enter(place: TopicPlace): void {
    this.#place = place
    this.#listeners = 0
    setText(find('topic-title'), place.topic)
    const tenant = find<HTMLAnchorElement>('topic-tenant')
    tenant.href = fragmentOf({ at: 'tenant', tenant: place.tenant })
    setText(tenant, place.tenant)
    showChips(find('topic-chips'), [{ state: 'none', text: place.private ? 'private' : 'public' }, ...(place.bare ? [{ state: 'none' as const, text: 'of an extension' }] : [])])
    find('kick-topic').hidden = !this.#desk.features().dashboard_write
    this.#members.show([])
    this.#presence.show([])
    for (const name of ['members-count', 'presence-count']) setText(find(name), '')
    this.#passing.clear()
    const path = pathOf(place.tenant, 'topics', place.topic)
    this.#polling = repeat(
      every,
      (signal) => this.#desk.server.get<Answer>(`${path}?${queryOf(place)}`, signal),
      (answer) => this.#show(answer),
      (err) => showProblem(find('problem'), explained('It is not known who is here', err)),
    )
    this.#stop = follow(this.#desk.server, `${path}/live?${queryOf(place)}`, {
      state: (state) => this.#passing.state(state),
      event: (name, data) => this.#event(name, data),
    })
  }

  leave(): void {
    this.#polling?.stop()
    this.#polling = null
    this.#stop()
    this.#stop = () => {}
    clearTimeout(this.#soon)
  }

  #event(name: string, data: unknown): void {
    if (typeof data !== 'object' || data === null) return
    if (name === 'message') this.#passing.add(data as Passed)
    if (name === 'dropped') this.#passing.dropped(Number((data as { count?: unknown }).count) || 0)
    if (name !== 'presence') return
    clearTimeout(this.#soon)
    this.#soon = window.setTimeout(() => this.#polling?.now(), shortly)
  }

  #show(answer: Answer): void {
    showProblem(find('problem'), null)
    this.#listeners = answer.listeners
    const total = answer.total ?? answer.members.length
    setText(find('members-count'), total > answer.members.length ? `${count(answer.members.length)} of ${count(total)}` : count(total))
    this.#members.show(answer.members)
    find('members-empty').hidden = answer.members.length > 0
    const present = Object.entries(answer.presence ?? {})
    setText(find('presence-count'), count(answer.presences ?? present.length))
    this.#presence.show(present)
    find('presence-empty').hidden = present.length > 0
    setText(find('presence-empty'), answer.truncated ? 'They are too many to be shown.' : 'Nobody shows a state here.')
    const silent = answer.unreachable ?? []
    find('members-silent').hidden = silent.length === 0
    setText(find('members-silent'), `${listed(silent)} ${silent.length === 1 ? 'does' : 'do'} not answer: who is connected there is missing.`)
    find<HTMLButtonElement>('kick-topic').disabled = total === 0
  }

  #memberRow(): Row<Member> {
    const who = make('strong')
    const role = make('span', { class: 'badge' })
    const facts = make('span', { class: 'hint' })
    const kick = make('button', { type: 'button', class: 'small', 'data-testid': 'kick' }, 'Disconnect')
    const element = make('li', { 'data-testid': 'member' }, make('div', {}, who, ' ', role), facts, kick)
    let last: Member | null = null
    kick.addEventListener('click', () => last && this.#kick(last))
    const show = (member: Member) => {
      last = member
      element.dataset.ref = member.ref
      setText(who, member.sub || 'no user id')
      setText(role, member.role ?? '')
      role.hidden = !member.role
      setText(facts, [`since ${timeOfDay(member.since)}`, `on ${member.node}`, member.user_agent].filter(Boolean).join(', '))
      facts.title = `here for ${duration(Date.now() - member.since)}; connection ${member.ref}`
      kick.setAttribute('aria-label', `Disconnect ${member.sub || 'this client'}`)
      const { dashboard_write: write, kick_ref: byRef } = this.#desk.features()
      kick.hidden = !write || (!byRef && !member.sub)
    }
    return { element, show }
  }

  #kick(member: Member): void {
    const byRef = this.#desk.features().kick_ref
    const who = member.sub || 'this client'
    this.#desk.confirm.ask({
      title: `Disconnect ${who}?`,
      text: `${byRef ? 'This one connection is closed.' : 'All connections of this user that listen to this topic are closed.'} A client that is built with supabase-js connects again by itself.`,
      yes: 'Disconnect',
      act: () => this.#send(byRef ? { ref: member.ref } : { user: member.sub }),
    })
  }

  #kickAll(): void {
    this.#desk.confirm.ask({
      title: `Disconnect all who listen to ${this.#place.topic}?`,
      text: `That is ${count(this.#listeners)} ${this.#listeners === 1 ? 'client' : 'clients'} now. Those that are built with supabase-js connect again by themselves.`,
      yes: 'Disconnect all',
      act: () => this.#send({}),
    })
  }

  async #send(whom: Record<string, unknown>): Promise<void> {
    const { tenant, topic, private: isPrivate, bare } = this.#place
    const { disconnected } = await this.#desk.server.send<{ disconnected: number }>('POST', pathOf(tenant, 'kick'), { ...whom, topic, private: isPrivate, ...(bare && { bare }) })
    this.#desk.done(`${count(disconnected)} ${disconnected === 1 ? 'connection was' : 'connections were'} closed.`)
    this.#polling?.now()
  }
}

function presenceRow(): Row<[string, unknown[]]> {
  const name = make('span', { class: 'name' })
  const state = make('code')
  const element = make('li', { 'data-testid': 'present' }, name, state)
  const show = ([key, metas]: [string, unknown[]]) => {
    setText(name, metas.length > 1 ? `${key} (${metas.length} times)` : key)
    setText(state, metas.map((meta) => JSON.stringify(meta, shown)).join('\n'))
  }
  return { element, show }
}

// References of entries are for clients only.
function shown(name: string, value: unknown): unknown {
  return name === 'phx_ref' || name === 'phx_ref_prev' ? undefined : value
}
