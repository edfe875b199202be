// The form at the door: who joins what. Remembers the name and the room for the
// next lesson; the key, the token, and that this tab is inside, for this tab only.

import { find } from '../shared/dom'
import { readRole, type Role } from './protocol'

/** renew is where the page asks for the next token, "" for nowhere. */
export type Wish = { url: string; key: string; token: string; renew: string; name: string; room: string; role: Role; isPrivate: boolean }

const tabKey = 'tutti-key' // the console's too
const tabToken = 'tutti-user-token'
const known = 'tutti-classroom'
const inside = 'tutti-classroom-inside' // a tab that is loaded anew comes in again

export class Door {
  readonly #form = find<HTMLFormElement>('door-form')
  #linked = false
  #renew = ''

  /** enter is called with what was typed; renewed when a link in this tab brings another token for who is inside. */
  constructor(enter: (wish: Wish) => void, renewed: (token: string) => void) {
    this.#fill()
    window.addEventListener('hashchange', () => this.#linkAgain(renewed))
    this.#form.addEventListener('submit', (submit) => {
      submit.preventDefault()
      enter(this.wish)
    })
  }

  get wish(): Wish {
    const value = (testid: string) => find<HTMLInputElement>(testid).value.trim()
    const role = new FormData(this.#form).get('role')
    return {
      url: value('url'), key: value('key'), token: value('token'), renew: this.#renew,
      name: value('name'), room: value('room-name'), role: readRole(role) ?? 'student',
      isPrivate: find<HTMLInputElement>('private').checked,
    }
  }

  /** Whether to come in at once: a link said all that is needed, or this tab was inside before. */
  get complete(): boolean {
    const { key, name, room } = this.wish
    const asked = this.#linked || recall(() => sessionStorage, inside) !== ''
    return asked && key !== '' && name !== '' && room !== ''
  }

  /** Remembers who came in where. */
  entered({ name, room, role, isPrivate, url, key, token, renew }: Wish): void {
    const where = { name, room, role, ...(isPrivate && { private: 'yes' }) }
    keep(() => localStorage, known, new URLSearchParams(where).toString())
    // Another tab may be somebody else.
    keep(() => sessionStorage, known, new URLSearchParams({ ...where, url, renew }).toString())
    keep(() => sessionStorage, tabKey, key)
    this.renewed(token)
    keep(() => sessionStorage, inside, 'yes')
  }

  /** Remembers another token, for a page that is loaded anew. */
  renewed(token: string): void {
    set('token', token)
    keep(() => sessionStorage, tabToken, token)
  }

  left(): void {
    keep(() => sessionStorage, inside, '')
  }

  /** A link for the same tab loads no page. */
  #linkAgain(renewed: (token: string) => void): void {
    const link = new URLSearchParams(location.hash.replace(/^#/, ''))
    const { name, room } = this.wish
    const same = (link.get('room') ?? room) === room && (link.get('name') ?? name) === name
    if (!same || !link.has('token')) return location.hash === '' ? undefined : location.reload()
    history.replaceState(null, '', location.pathname)
    renewed(link.get('token')!)
  }

  #fill(): void {
    const link = new URLSearchParams(location.hash.replace(/^#/, ''))
    const remembered = new URLSearchParams(recall(() => sessionStorage, known) || recall(() => localStorage, known))
    this.#linked = link.has('room') && link.has('name')
    set('url', link.get('url') || remembered.get('url') || location.origin)
    set('key', link.get('key') || recall(() => sessionStorage, tabKey))
    set('token', link.get('token') || recall(() => sessionStorage, tabToken))
    this.#renew = link.get('renew') || remembered.get('renew') || ''
    set('name', link.get('name') || remembered.get('name') || '')
    set('room-name', link.get('room') || remembered.get('room') || '')
    const role = readRole(link.get('role') || remembered.get('role')) ?? 'student'
    for (const choice of this.#form.querySelectorAll<HTMLInputElement>('input[name=role]')) choice.checked = choice.value === role
    find<HTMLInputElement>('private').checked = link.has('private') || (!this.#linked && remembered.has('private'))
    keep(() => sessionStorage, tabKey, this.wish.key)
    // Keys do not stay in the address bar, where people copy it from.
    if (location.hash) history.replaceState(null, '', location.pathname)
    find<HTMLDetailsElement>('server-fold').open = this.wish.key === ''
  }
}

function set(testid: string, value: string): void {
  find<HTMLInputElement>(testid).value = value
}

// Browsers may forbid storage; then the form is empty next time.
function recall(storage: () => Storage, name: string): string {
  try {
    return storage().getItem(name) ?? ''
  } catch {
    return ''
  }
}

function keep(storage: () => Storage, name: string, value: string): void {
  try {
    storage().setItem(name, value)
  } catch {
    // See above.
  }
}
