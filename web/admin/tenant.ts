// The page of a tenant: how it is, and what may be done to it.

import { find, showProblem } from '../shared/dom'
import { count } from '../shared/words'
import { chips, type Point, type Tenant as Answer } from './answers'
import { Connect } from './connect'
import { showDatabase } from './database'
import type { Desk } from './desk'
import { Doctor } from './doctor'
import { explained } from './explain'
import { LimitsCard } from './limits'
import { Lines } from './lines'
import { pathOf } from './route'
import { repeat, setText } from './rows'
import { showChips } from './tenants'
import { Topics } from './topics'
import { rate } from './words'

const every = 3000 // milliseconds between an answer and the next question

export class Tenant {
  readonly #desk: Desk
  readonly #connections = new Lines(find('connections'), [{ label: 'connections', color: '--in' }])
  readonly #events = new Lines(find('events'), [{ label: 'events', color: '--in' }, { label: 'changes', color: '--out' }])
  readonly #joins = new Lines(find('joins'), [{ label: 'joins', color: '--in' }, { label: 'errors', color: '--out' }])
  readonly #limits: LimitsCard
  readonly #doctor: Doctor
  readonly #topics: Topics
  readonly #connect: Connect
  #id = ''
  #last: Answer | null = null
  #polling: ReturnType<typeof repeat> | null = null

  constructor(desk: Desk) {
    this.#desk = desk
    this.#limits = new LimitsCard(desk, () => this.#polling?.now())
    this.#doctor = new Doctor(desk)
    this.#topics = new Topics(desk)
    this.#connect = new Connect(desk)
    find('reload').addEventListener('click', () => this.#reload())
    find('kick-tenant').addEventListener('click', () => this.#kick())
    find('suspend').addEventListener('click', () => this.#suspend())
    find('delete').addEventListener('click', () => this.#delete())
  }

  enter(id: string): void {
    this.#id = id
    this.#last = null
    find('tenant').dataset.tenant = id
    find('tenant-actions').hidden = true // until it is known to be there
    setText(find('tenant-title'), id)
    showChips(find('tenant-chips'), [])
    for (const lines of [this.#connections, this.#events, this.#joins]) lines.begin([])
    this.#limits.show(id, null)
    this.#doctor.enter(id)
    this.#topics.enter(id)
    this.#connect.enter(id)
    this.#allow()
    this.#polling = repeat(
      every,
      (signal) => this.#desk.server.get<Answer>(pathOf(id), signal),
      (answer) => this.#show(answer),
      (err) => showProblem(find('problem'), explained(this.#last ? `What is new of ${id} is not known` : `Nothing is known of ${id}`, err)),
    )
  }

  leave(): void {
    this.#polling?.stop()
    this.#polling = null
    this.#topics.leave()
    this.#connect.leave()
  }

  /** Takes a point of the live stream. */
  point(point: Point): void {
    this.#connections.add(point.at, point.connections)
    this.#events.add(point.at, point.events, point.db_events ?? 0)
    this.#joins.add(point.at, point.joins, point.errors ?? 0)
    setText(find('connections-value'), count(point.connections))
    setText(find('events-value'), `${rate(point.events)}, ${rate(point.db_events ?? 0)}`)
    setText(find('joins-value'), `${rate(point.joins)}, ${rate(point.errors ?? 0)}`)
  }

  #show(answer: Answer): void {
    showProblem(find('problem'), null)
    find('tenant-actions').hidden = false
    if (!this.#last && answer.series) this.#begin(answer.series.points)
    this.#last = answer
    showChips(find('tenant-chips'), chips(answer))
    const named = answer.name && answer.name !== answer.external_id ? ` (${answer.name})` : ''
    setText(find('tenant-title'), answer.external_id + named)
    setText(find('suspend'), answer.suspended ? 'Let in again' : 'Suspend')
    this.#limits.show(this.#id, answer)
    this.#doctor.show(answer)
    showDatabase(answer)
    this.#allow()
  }

  #begin(points: readonly Point[]): void {
    this.#connections.begin(points.map((p) => ({ at: p.at, values: [p.connections] })))
    this.#events.begin(points.map((p) => ({ at: p.at, values: [p.events, p.db_events ?? 0] })))
    this.#joins.begin(points.map((p) => ({ at: p.at, values: [p.joins, p.errors ?? 0] })))
    const last = points.at(-1)
    if (last) this.point(last)
  }

  // Says what cannot be done instead of offering it.
  #allow(): void {
    const { control = false, dashboard_write: write = false } = this.#desk.features()
    for (const name of ['reload', 'kick-tenant']) find(name).hidden = !write
    for (const name of ['suspend', 'delete']) find(name).hidden = !write || !control
    this.#limits.allow(write && control)
    find('read-only').hidden = write && control
    setText(find('read-only'), write
      ? 'The tenants of this server come from a file, which it only reads: change limits and suspend or delete a tenant there. The server takes changes in by itself.'
      : 'This console may look, but change nothing.')
  }

  #reload(): void {
    const id = this.#id
    this.#desk.confirm.ask({
      title: `Reload ${id}?`,
      text: 'What the server remembers of it is forgotten, its database is connected to anew, and its clients are disconnected. They come back by themselves.',
      yes: 'Reload',
      act: async () => {
        await this.#desk.server.send('POST', `${pathOf(id)}/reload`)
        this.#desk.done(`${id} was reloaded.`)
        this.#polling?.now()
      },
    })
  }

  #kick(): void {
    const id = this.#id
    this.#desk.confirm.ask({
      title: `Disconnect all clients of ${id}?`,
      text: 'Clients that are built with supabase-js connect again by themselves. To keep them out, suspend the tenant.',
      yes: 'Disconnect all',
      act: async () => {
        const { disconnected } = await this.#desk.server.send<{ disconnected: number }>('POST', `${pathOf(id)}/kick`)
        this.#desk.done(`${disconnected} ${disconnected === 1 ? 'connection was' : 'connections were'} closed.`)
      },
    })
  }

  #suspend(): void {
    const id = this.#id
    const suspend = !this.#last?.suspended
    this.#desk.confirm.ask({
      title: suspend ? `Suspend ${id}?` : `Let clients of ${id} in again?`,
      text: suspend ? 'All its clients are disconnected and none is let in until you let them in again. Nothing is deleted.' : 'Clients that try again are let in.',
      yes: suspend ? 'Suspend' : 'Let in again',
      act: async () => {
        await this.#desk.server.send('PATCH', pathOf(id), { suspend })
        this.#desk.done(suspend ? `${id} is suspended.` : `${id} is let in again.`)
        this.#polling?.now()
      },
    })
  }

  #delete(): void {
    const id = this.#id
    this.#desk.confirm.ask({
      title: `Delete ${id}?`,
      text: 'Its settings and its secret are gone for good, and its clients are disconnected. Its own database stays as it is, but for the replication slot that was read, which is dropped.',
      yes: 'Delete',
      word: id,
      act: async () => {
        this.#polling?.stop()
        await this.#desk.server.send('DELETE', pathOf(id), { confirm: id })
        this.#desk.done(`${id} is deleted.`)
        location.hash = '#/'
      },
    })
  }
}
