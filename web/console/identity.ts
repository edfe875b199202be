// Who the server takes this window for: the user's token, or the key.

import { exampleUser } from './changes'
import { copyButton, find } from '../shared/dom'
import { decodeToken, expiry, mintCommand, tidy, type Claims, type Place } from '../shared/jwt'

export class Identity {
  readonly #field = find<HTMLInputElement>('user-token')
  readonly #key: () => string
  readonly #place = find<HTMLSelectElement>('mint-place')
  readonly #sub = find<HTMLInputElement>('mint-sub')

  /** key returns the typed key; use is called with another token, "" for the key alone. */
  constructor(key: () => string, use: (token: string) => Promise<string>) {
    this.#key = key
    this.#sub.value = exampleUser
    find('token-form').addEventListener('submit', (submit) => {
      submit.preventDefault()
      this.#field.value = tidy(this.#field.value)
      this.update()
      void use(this.token).then((text) => (find('token-status').textContent = text))
    })
    this.#field.addEventListener('input', () => {
      find('token-status').textContent = ''
      this.update()
    })
    for (const field of [this.#place, this.#sub]) field.addEventListener('input', () => this.#command())
    find('mint-command').after(copyButton(() => find('mint-command').textContent ?? '', 'mint-copy'))
    setInterval(() => document.hidden || this.update(), 1000)
    this.#command()
    this.update()
  }

  /** The user's token, "" for none. */
  get token(): string {
    return tidy(this.#field.value)
  }

  set token(token: string) {
    this.#field.value = token
    this.update()
  }

  /** The subject of whichever token is in use, null for none. */
  get user(): string | null {
    const decoded = decodeToken(this.token || this.#key())
    return decoded.ok && typeof decoded.claims.sub === 'string' ? decoded.claims.sub : null
  }

  /** Writes down what the token, or else the key, says. */
  update(): void {
    const token = this.token
    const text = token || this.#key()
    const decoded = text ? decodeToken(text) : null
    const claims: Claims = decoded?.ok ? decoded.claims : {}
    const limit = expiry(claims.exp, Date.now())
    find('claims').hidden = !decoded?.ok
    say('claims-by', token ? 'the user token' : 'the key')
    say('claims-brief', decoded?.ok ? claim(claims.role) : '')
    say('claim-role', claim(claims.role))
    say('claim-sub', claim(claims.sub))
    say('claim-exp', limit.text)
    find('claim-exp').dataset.state = limit.state
    find('claim-exp').title = typeof claims.exp === 'number' ? new Date(claims.exp * 1000).toLocaleString() : ''
    const bad = token !== '' && decoded !== null && !decoded.ok
    say('token-error', bad && decoded && !decoded.ok ? decoded.problem : '')
    this.#field.setAttribute('aria-invalid', String(bad))
  }

  #command(): void {
    const place = this.#place.value as Place
    say('mint-command', mintCommand(place, this.#sub.value.trim(), location.hostname.includes('.') ? (location.hostname.split('.')[0] ?? '') : ''))
    find('mint-dev-hint').hidden = place !== 'dev'
  }
}

function claim(value: unknown): string {
  if (value === undefined) return 'none'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

// Not touched when it stays: a selection in it would be lost.
function say(testid: string, text: string): void {
  const place = find(testid)
  if (place.textContent !== text) place.textContent = text
}
