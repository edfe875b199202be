// The form by which a topic is joined, and the same as code.

import { copyButton, find, make } from '../shared/dom'
import { distinct, readBinding, snippet, type Binding, type Replay, type RoomOptions, type SnippetSettings } from './options'

export class JoinForm {
  readonly #bindings = find('bindings')
  readonly #settings: () => Omit<SnippetSettings, 'options'>

  /** settings tells what the snippet needs of the connection. */
  constructor(settings: () => Omit<SnippetSettings, 'options'>, join: (options: RoomOptions) => void) {
    this.#settings = settings
    const form = find<HTMLFormElement>('join-form')
    form.addEventListener('submit', (submit) => {
      submit.preventDefault()
      join(this.options())
    })
    form.addEventListener('input', () => this.update())
    find('binding-add').addEventListener('click', () => this.#add())
    find('snippet').after(copyButton(() => find('snippet').textContent ?? '', 'snippet-copy'))
    this.update()
  }

  /** What is typed into the form. */
  options(): RoomOptions {
    const ticked = (testid: string) => find<HTMLInputElement>(testid).checked
    return {
      name: find<HTMLInputElement>('topic').value.trim(),
      isPrivate: ticked('private'),
      self: ticked('self'),
      ack: ticked('ack'),
      presence: ticked('presence'),
      presenceKey: find<HTMLInputElement>('presence-key').value.trim(),
      bindings: distinct([...this.#bindings.children].map(typedBinding)),
      replay: ticked('private') ? typedReplay() : null,
    }
  }

  /** Brings what depends on the form and the connection up to date. */
  update(): void {
    const isPrivate = find<HTMLInputElement>('private').checked
    find('replay').hidden = !isPrivate
    // A hidden field that is wrong would keep the form from being sent.
    for (const field of ['replay-minutes', 'replay-limit']) find<HTMLInputElement>(field).disabled = !isPrivate
    const text = snippet({ ...this.#settings(), options: this.options() })
    if (find('snippet').textContent !== text) find('snippet').textContent = text
  }

  #add(): void {
    const row = bindingRow(() => {
      row.remove()
      this.update()
      find('binding-add').focus() // the button that had the focus is gone
    })
    this.#bindings.append(row)
    this.update()
    row.querySelector('select')?.focus()
  }
}

function bindingRow(remove: () => void): HTMLElement {
  const field = (testid: string, name: string, attributes: Record<string, string>) =>
    make('label', {}, name, make('input', { 'data-testid': testid, autocomplete: 'off', spellcheck: 'false', ...attributes }))
  const events = ['*', 'INSERT', 'UPDATE', 'DELETE'].map((event) => make('option', { value: event }, event === '*' ? '* (any)' : event))
  const button = make('button', { type: 'button', class: 'quiet small', 'data-testid': 'binding-remove', 'aria-label': 'Remove these changes' }, 'Remove')
  button.addEventListener('click', remove)
  return make(
    'div',
    { class: 'binding', 'data-testid': 'binding', role: 'group', 'aria-label': 'Changes of a table' },
    make('label', {}, 'Event', make('select', { 'data-testid': 'binding-event', autocomplete: 'off' }, ...events)),
    field('binding-schema', 'Schema', { value: 'public', placeholder: 'public' }),
    field('binding-table', 'Table', { value: 'todos', placeholder: 'all tables' }),
    field('binding-filter', 'Filter, optional', { placeholder: 'id=eq.1', title: 'column=operator.value, several with commas between' }),
    button,
  )
}

function typedBinding(row: Element): Binding {
  const value = (testid: string) => row.querySelector<HTMLInputElement | HTMLSelectElement>(`[data-testid=${testid}]`)?.value ?? ''
  return readBinding(value('binding-event'), value('binding-schema'), value('binding-table'), value('binding-filter'))
}

function typedReplay(): Replay | null {
  const minutes = find<HTMLInputElement>('replay-minutes').valueAsNumber
  const limit = find<HTMLInputElement>('replay-limit').valueAsNumber
  if (!(minutes > 0)) return null
  return { minutes: Math.ceil(minutes), limit: limit > 0 ? Math.round(limit) : 25 }
}
