// What the doctor finds wrong with a tenant's database, and the cures.

import { copyable, find, make } from '../shared/dom'
import { counted } from '../shared/words'
import type { Check, Tenant } from './answers'
import type { Desk } from './desk'
import { said } from './dialogs'
import { setText } from './rows'

const what = 'The doctor looks at the tenant’s database: who may connect, what is published, which slots there are. It changes nothing.'

export class Doctor {
  readonly #desk: Desk
  #id = ''
  #ran = false

  constructor(desk: Desk) {
    this.#desk = desk
    find('doctor-run').addEventListener('click', () => void this.#run())
  }

  enter(id: string): void {
    this.#id = id
    this.#ran = false
    find('checks').replaceChildren()
    setText(find('doctor-status'), '')
    find('doctor-empty').hidden = false
    find<HTMLButtonElement>('doctor-run').disabled = false
  }

  /** Looks by itself where something is wrong, for then it is wanted. */
  show(t: Tenant): void {
    find('doctor-run').hidden = !t.has_database
    setText(find('doctor-empty'), t.has_database ? what : 'There is no database to look at.')
    if (!this.#ran && t.has_database && (t.feed?.state === 'down' || t.health?.healthy === false)) void this.#run()
  }

  async #run(): Promise<void> {
    const id = this.#id
    this.#ran = true
    const button = find<HTMLButtonElement>('doctor-run')
    button.disabled = true
    setText(find('doctor-status'), 'Looking…')
    try {
      const { checks } = await this.#desk.server.get<{ checks: Check[] }>(`doctor?tenant=${encodeURIComponent(id)}`)
      if (id !== this.#id) return
      find('checks').replaceChildren(...list(checks))
      find('doctor-empty').hidden = true
      setText(find('doctor-status'), verdict(checks))
    } catch (err) {
      if (id === this.#id) setText(find('doctor-status'), said(err))
    } finally {
      if (id === this.#id) button.disabled = false
    }
  }
}

const order = ['failed', 'warning', 'ok']

/** What failed comes first, else the order stays. */
export function ordered(checks: readonly Check[]): Check[] {
  return [...checks].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status))
}

export function verdict(checks: readonly Check[]): string {
  const of = (status: string) => checks.filter((check) => check.status === status).length
  if (of('failed') > 0) return `${counted(of('failed'), 'check')} failed.`
  if (of('warning') > 0) return `Nothing failed, ${counted(of('warning'), 'warning')}.`
  return 'All is well.'
}

// What is well is folded away: it is long, and nobody has to do anything.
function list(checks: readonly Check[]): HTMLElement[] {
  const well = checks.filter(({ status }) => status === 'ok')
  const rest = ordered(checks).filter(({ status }) => status !== 'ok').map(line)
  if (well.length === 0) return rest
  return [...rest, make('li', { class: 'folded' }, make('details', {}, make('summary', {}, `${counted(well.length, 'check')} passed`), make('ul', { class: 'checks' }, ...well.map(line))))]
}

function line({ name, status, text, cure, code }: Check): HTMLElement {
  const item = make('li', { 'data-testid': 'check', 'data-status': status },
    make('span', { class: 'check-state' }, status), make('strong', {}, name), make('span', { class: 'words' }, text), ...(code ? [make('code', {}, code)] : []))
  if (cure && status !== 'ok') item.append(...cureParts(cure).map(({ text: part, code: isCode }) => (isCode ? copyable(part) : make('p', { class: 'cure' }, part))))
  return item
}

/** Parts a cure into words and the SQL at its end; SQL that has to be filled in is words. */
export function cureParts(cure: string): { text: string; code: boolean }[] {
  const sql = /^([\s\S]*?)((?:ALTER|CREATE|GRANT|SELECT|DROP|INSERT)\b[\s\S]*)$/.exec(cure)
  if (!sql || cure.includes('…')) return [{ text: cure, code: false }]
  return [{ text: sql[1]!.trim(), code: false }, { text: sql[2]!.trim(), code: true }].filter(({ text }) => text !== '')
}
