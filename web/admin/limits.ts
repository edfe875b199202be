// The limits of a tenant, how near it is to each, and changing them.

import { find, make } from '../shared/dom'
import { count } from '../shared/words'
import { limitWords, nearness, type TenantRow } from './answers'
import type { Desk } from './desk'
import { prepare, said } from './dialogs'
import { pathOf } from './route'
import { setText } from './rows'
import { Fault } from './server'
import { percent, rate } from './words'
import { whole } from './yaml'

const most = 2_147_483_647 // what the store of the tenants can keep

export class LimitsCard {
  readonly #desk: Desk
  readonly #dialog = find<HTMLDialogElement>('limits-dialog')
  readonly #changed: () => void
  readonly #items = new Map<string, ReturnType<typeof item>>()
  #id = ''
  #last: TenantRow | null = null

  constructor(desk: Desk, changed: () => void) {
    this.#desk = desk
    this.#changed = changed
    for (const { name, words } of limitWords) {
      const one = item(name, words)
      this.#items.set(name, one)
      find('limits').append(one.element)
    }
    find('limits-fields').append(...limitFields('limit'))
    prepare(this.#dialog, () => void this.#save())
    find('limits-edit').addEventListener('click', () => this.#open())
    find('limits-cancel').addEventListener('click', () => this.#dialog.close())
  }

  allow(change: boolean): void {
    find('limits-edit').hidden = !change
  }

  show(id: string, tenant: TenantRow | null): void {
    this.#id = id
    this.#last = tenant
    find<HTMLButtonElement>('limits-edit').disabled = tenant === null // a click would do nothing
    for (const { name, used, unit, note } of limitWords) {
      const limit = tenant?.limits[name]
      const one = this.#items.get(name)!
      one.element.hidden = limit === undefined
      if (limit !== undefined) one.show(limit, used && tenant ? (tenant[used] as number) : null, unit ?? '', note ?? '')
    }
  }

  #open(): void {
    if (this.#last === null) return
    setText(find('limits-of'), this.#id)
    setText(find('limits-error'), '')
    for (const { name } of limitWords) {
      const field = find<HTMLInputElement>(`limit-${name}`)
      field.value = String(this.#last.limits[name] ?? '')
      mark(field, '')
    }
    this.#dialog.showModal()
  }

  async #save(): Promise<void> {
    const last = this.#last
    if (!last) return
    setText(find('limits-error'), '')
    const limits: Record<string, number> = {}
    let wrong: HTMLInputElement | null = null
    for (const { name } of limitWords) {
      const field = find<HTMLInputElement>(`limit-${name}`)
      const limit = whole(field.value.trim(), most)
      const given = field.value.trim() !== '' || last.limits[name] !== undefined
      mark(field, given && limit === null ? 'A whole number, 0 or more.' : '')
      if (given && limit === null) wrong ??= field
      else if (limit !== null && limit !== last.limits[name]) limits[name] = limit
    }
    if (wrong) return wrong.focus()
    const id = this.#id
    const button = find<HTMLButtonElement>('limits-save')
    button.disabled = true
    try {
      if (Object.keys(limits).length > 0) await this.#desk.server.send('PATCH', pathOf(id), { limits })
      this.#dialog.close()
      this.#desk.done(`The limits of ${id} are saved.`)
      this.#changed()
    } catch (err) {
      setText(find('limits-error'), said(err))
      if (err instanceof Fault) for (const [name, texts] of Object.entries(err.fields)) markNamed(`limit-${name.replace(/^limits\./, '')}`, texts.join(', '))
    } finally {
      button.disabled = false
    }
  }
}

/** Makes a field for each limit; its data-testid has the prefix. */
export function limitFields(prefix: string): HTMLElement[] {
  return limitWords.map(({ name, words, unit, note }) => {
    const label = [words, unit && `, ${unit}`, note && ` (${note})`].filter(Boolean).join('')
    const placeholder = prefix === 'limit' ? undefined : 'as the server has it'
    return make('label', {}, `${label} `, make('input', { name: `limits.${name}`, 'data-testid': `${prefix}-${name}`, inputmode: 'numeric', autocomplete: 'off', placeholder }))
  })
}

/** Says under a field what is wrong with it; "" takes that away. */
export function mark(field: HTMLInputElement, text: string): void {
  const place = field.parentElement!
  let error = place.querySelector<HTMLElement>('.error')
  if (text === '') {
    error?.remove()
    field.removeAttribute('aria-invalid')
    field.removeAttribute('aria-errormessage')
    return
  }
  const id = `error-${field.dataset.testid}`
  error ??= place.appendChild(make('span', { class: 'error', id, 'data-testid': id }))
  setText(error, text)
  field.setAttribute('aria-invalid', 'true')
  field.setAttribute('aria-errormessage', id)
}

/** As mark, for a field that there may be; says whether there is one. */
export function markNamed(testid: string, text: string): HTMLInputElement | null {
  const field = document.querySelector<HTMLInputElement>(`input[data-testid="${CSS.escape(testid)}"]`)
  if (field) mark(field, text)
  return field
}

function item(name: string, words: string) {
  const bar = make('span')
  const track = make('span', { class: 'track', 'aria-hidden': 'true' }, bar)
  const text = make('span', { class: 'amount' })
  const element = make('div', { 'data-testid': 'limit', 'data-limit': name }, make('dt', {}, words), make('dd', {}, text, track))
  const show = (limit: number, used: number | null, unit: string, note: string) => {
    track.hidden = used === null
    if (used === null) {
      setText(text, [count(limit), unit, note && `(${note})`].filter(Boolean).join(' '))
      return
    }
    const near = nearness(used, limit)
    element.dataset.near = near
    bar.style.width = `${limit > 0 ? Math.min(100, (100 * used) / limit) : 100}%`
    const share = percent(used, limit)
    setText(text, `${rate(used).replace(/\.0$/, '')} of ${count(limit)}${share ? `, ${share}` : ''}${near === 'far' ? '' : near === 'near' ? ', near' : ', reached'}`)
  }
  return { element, show }
}
