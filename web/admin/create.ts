// Making a tenant: a form, then its keys, once, and the code that uses them.
// Where tenants come from a file, the same form writes what to paste there.

import { copyable, copyButton, find, make, showProblem } from '../shared/dom'
import { limitWords, type Created } from './answers'
import type { Desk } from './desk'
import { prepare } from './dialogs'
import { explained } from './explain'
import { limitFields, mark, markNamed } from './limits'
import { setText } from './rows'
import { Fault } from './server'
import { madeSecret, readDraft, yaml, type Draft } from './yaml'

const keyWords: readonly { of: keyof Created; words: string; hint: string }[] = [
  { of: 'url', words: 'URL', hint: 'where clients connect' },
  { of: 'anon_key', words: 'Anon key', hint: 'may be in browsers' },
  { of: 'service_key', words: 'Service key', hint: 'only for your own servers: it passes all policies' },
  { of: 'secret', words: 'JWT secret', hint: 'signs tokens of this tenant' },
]

export class Create {
  readonly #desk: Desk
  readonly #dialog = find<HTMLDialogElement>('create-dialog')
  readonly #form = find<HTMLFormElement>('create-form')
  #secret = '' // for the file, the same while the form is open
  #busy = false

  constructor(desk: Desk) {
    this.#desk = desk
    find('create-limits-fields').append(...limitFields('field'))
    for (const { name } of limitWords) find(`field-${name}`).dataset.testid = `field-limits.${name}`
    prepare(this.#dialog, () => void this.#save())
    find('create').addEventListener('click', () => this.#open())
    find('create-cancel').addEventListener('click', () => this.#dialog.close())
    find('made-close').addEventListener('click', () => this.#dialog.close())
    // What is shown once is not kept in the page.
    this.#dialog.addEventListener('close', () => this.#forget())
    // Escape would throw away keys that nobody can show again.
    this.#dialog.addEventListener('cancel', (event) => !find('made').hidden && event.preventDefault())
    find('made-snippet-place').append(copyButton(() => find('made-snippet').textContent ?? '', 'made-snippet-copy'))
    this.#form.addEventListener('input', () => this.#showYAML())
  }

  get #readOnly(): boolean {
    const { control, dashboard_write: write } = this.#desk.features()
    return !control || !write
  }

  #open(): void {
    this.#forget()
    this.#secret = madeSecret()
    find('create-read-only').hidden = !this.#readOnly
    find('create-save').hidden = this.#readOnly
    this.#showYAML()
    this.#dialog.showModal()
    find('field-external_id').focus()
  }

  #forget(): void {
    this.#form.reset()
    this.#secret = ''
    this.#form.hidden = false
    find('made').hidden = true
    for (const name of ['made-keys', 'create-yaml']) find(name).replaceChildren()
    setText(find('made-snippet'), '')
    showProblem(find('create-error'), null)
    for (const field of this.#form.querySelectorAll('input')) mark(field, '')
    for (const details of this.#form.querySelectorAll('details')) details.open = false
  }

  #read(): { draft: Draft; errors: Record<string, string> } {
    return readDraft((name) => find<HTMLInputElement>(`field-${name}`).value, find<HTMLInputElement>('field-postgres.ssl').checked, limitWords.map(({ name }) => name))
  }

  #showYAML(): void {
    const place = find('create-yaml')
    place.hidden = !this.#readOnly
    if (!this.#readOnly) return
    const { draft, errors } = this.#read()
    if (Object.keys(errors).length > 0) {
      place.replaceChildren(make('p', { class: 'hint' }, 'The entry for the file appears here when the form is filled in.'))
      return
    }
    const code = make('pre', { tabindex: '0', 'data-testid': 'create-yaml-text' }, yaml(draft, this.#secret))
    place.replaceChildren(make('p', { class: 'hint' }, 'Paste this below “tenants:”.'), make('div', { class: 'code' }, code, copyButton(() => code.textContent ?? '', 'create-yaml-copy')))
  }

  async #save(): Promise<void> {
    if (this.#busy) return
    const { draft, errors } = this.#read()
    this.#showErrors(Object.fromEntries(Object.entries(errors).map(([name, text]) => [name, [text]])))
    if (Object.keys(errors).length > 0 || this.#readOnly) return
    this.#setBusy(true)
    try {
      const made = await this.#desk.server.send<Created>('POST', 'tenants', draft)
      this.#showMade(draft.external_id, made)
    } catch (err) {
      const fields = err instanceof Fault ? err.fields : {}
      this.#showErrors(fields)
      const others = Object.entries(fields).filter(([name]) => !this.#form.querySelector(`[name="${CSS.escape(name)}"]`))
      if (Object.keys(fields).length === 0 || others.length > 0) {
        const { title, cause, cure } = explained('The tenant was not made', err)
        showProblem(find('create-error'), { title, cause: [cause, ...others.map(([name, texts]) => `${name} ${texts.join(', ')}`)].join(' '), cure })
      }
    } finally {
      this.#setBusy(false)
    }
  }

  #setBusy(busy: boolean): void {
    this.#busy = busy
    find<HTMLButtonElement>('create-save').disabled = busy
    setText(find('create-save'), busy ? 'Creating…' : 'Create')
  }

  // The first field that is wrong gets the focus, and is unfolded for that.
  #showErrors(fields: Readonly<Record<string, string[]>>): void {
    showProblem(find('create-error'), null)
    for (const field of this.#form.querySelectorAll('input')) mark(field, '')
    for (const [name, texts] of Object.entries(fields)) markNamed(`field-${name}`, texts.join(', '))
    const first = this.#form.querySelector<HTMLElement>('[aria-invalid]')
    const fold = first?.closest('details')
    if (fold) fold.open = true
    first?.focus()
  }

  #showMade(id: string, made: Created): void {
    this.#form.hidden = true
    find('made').hidden = false
    setText(find('made-title'), `${id} is made`)
    find('made-keys').replaceChildren(
      ...keyWords.flatMap(({ of, words, hint }) => {
        const value = made[of]
        if (typeof value !== 'string' || value === '') return []
        const line = copyable(value)
        line.dataset.testid = `made-${of}`
        return [make('dt', {}, words, ' ', make('span', { class: 'hint' }, hint)), make('dd', {}, line)]
      }),
    )
    setText(find('made-snippet'), (made.snippet ?? '').replaceAll('YOUR_ANON_KEY', made.anon_key ?? 'YOUR_ANON_KEY').trimEnd())
    find('made-title').focus()
    this.#desk.done(`${id} is made.`)
  }
}
