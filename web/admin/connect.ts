// How to connect to a tenant: code, and keys that are made on demand.

import { copyable, copyButton, find, make } from '../shared/dom'
import type { Desk } from './desk'
import { said } from './dialogs'
import { pathOf } from './route'
import { setText } from './rows'

export class Connect {
  readonly #desk: Desk
  #id = ''

  constructor(desk: Desk) {
    this.#desk = desk
    find('snippet-place').append(copyButton(() => find('snippet').textContent ?? '', 'snippet-copy'))
    find('token-form').addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#make()
    })
  }

  enter(id: string): void {
    this.leave()
    this.#id = id
    setText(find('snippet'), 'Loading…')
    void this.#load(id)
  }

  /** Forgets the key that was shown. */
  leave(): void {
    this.#id = ''
    find('token-place').replaceChildren()
    setText(find('token-error'), '')
    find<HTMLFormElement>('token-form').reset()
  }

  async #load(id: string): Promise<void> {
    try {
      const { snippet } = await this.#desk.server.get<{ snippet: string }>(pathOf(id, 'snippet'))
      if (id === this.#id) setText(find('snippet'), snippet.trimEnd())
    } catch (err) {
      if (id === this.#id) setText(find('snippet'), said(err))
    }
  }

  async #make(): Promise<void> {
    const id = this.#id
    setText(find('token-error'), '')
    const role = find<HTMLSelectElement>('token-role').value
    const sub = find<HTMLInputElement>('token-sub').value.trim()
    const button = find<HTMLButtonElement>('token-make')
    button.disabled = true
    try {
      const { token } = await this.#desk.server.send<{ token: string }>('POST', pathOf(id, 'token'), {
        role, ...(sub && { sub }), expires_in: Number(find<HTMLSelectElement>('token-expires').value),
      })
      if (id !== this.#id) return
      const key = copyable(token)
      key.dataset.testid = 'token-made'
      find('token-place').replaceChildren(make('p', { class: 'hint' }, `A key of ${sub || role}, shown until you leave this page:`), key)
    } catch (err) {
      if (id === this.#id) setText(find('token-error'), said(err))
    } finally {
      button.disabled = false
    }
  }
}
