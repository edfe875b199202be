// The door: who may look in here has to say who he is.

import { find } from '../shared/dom'
import { said } from './dialogs'
import { setText } from './rows'
import { Fault } from './server'
import { fault, header, type Given } from './session'

export class Door {
  readonly #form = find<HTMLFormElement>('door-form')
  readonly #enter: (credentials: string) => Promise<void>
  #busy = false

  /** enter tries the credentials, and fails if they are not let in. */
  constructor(enter: (credentials: string) => Promise<void>) {
    this.#enter = enter
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#try()
    })
    for (const name of ['how-user', 'how-token']) find(name).addEventListener('change', () => this.#choose())
  }

  show(why: string): void {
    find('door').hidden = false
    setText(find('door-error'), why)
    this.#choose()
    find(this.#how === 'user' ? 'user' : 'token').focus()
  }

  hide(): void {
    find('door').hidden = true
    this.#form.reset() // the page keeps no password in its fields
    this.#choose()
  }

  get #how(): Given['how'] {
    return find<HTMLInputElement>('how-token').checked ? 'token' : 'user'
  }

  #choose(): void {
    for (const element of find('door').querySelectorAll<HTMLElement>('[data-for]')) element.hidden = element.dataset.for !== this.#how
  }

  async #try(): Promise<void> {
    if (this.#busy) return
    const value = (name: string) => find<HTMLInputElement>(name).value
    const given: Given = this.#how === 'token' ? { how: 'token', token: value('token') } : { how: 'user', user: value('user'), password: value('password') }
    const wrong = fault(given)
    setText(find('door-error'), wrong)
    if (wrong) return
    this.#setBusy(true)
    try {
      await this.#enter(header(given))
    } catch (err) {
      setText(find('door-error'), refusal(err, given.how))
      find<HTMLInputElement>(given.how === 'token' ? 'token' : 'password').select()
    } finally {
      this.#setBusy(false)
    }
  }

  #setBusy(busy: boolean): void {
    this.#busy = busy
    find<HTMLButtonElement>('sign-in').disabled = busy
    setText(find('sign-in'), busy ? 'Asking…' : 'Sign in')
  }
}

function refusal(err: unknown, how: Given['how']): string {
  if (err instanceof Fault && err.status === 401) {
    return how === 'user' ? 'The name or the password is not right.' : 'The token is not good: it is signed with another secret, has expired, or is on the block list.'
  }
  return said(err)
}
