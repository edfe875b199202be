// The token that says who is here: how long it is good, and another one in time.
// A lesson outlasts many tokens. The page asks the address that its link named
// (renew=…) for the next; without one it asks the people.

import { decodeToken, tidy } from '../shared/jwt'
import type { Timers } from '../music'

/** good: nothing to do. soon: it ends and no other came yet. over: it has ended, and the server has closed the room to it. */
export type PassState = 'good' | 'soon' | 'over'

export type PassNeeds = {
  /** ms since 1970, by the server if that is known. */
  now(): number
  timers: Timers
  /** Asks for the next token; throws an Error that says why there is none. null: nobody can be asked. */
  ask: ((signal: AbortSignal) => Promise<string>) | null
  /** The state is another, or another token came, or asking failed for this reason. */
  watch(pass: Pass, why: string): void
}

// How long before its end another token is asked for, at most; of a short one, a
// third of what is left.
const early = 60_000
const share = 1 / 3
const askAgain = 5_000
const askFor = 10_000
// Timers take no longer than 24 days.
const furthest = 86_400_000

export class Pass {
  token: string
  state: PassState = 'good'
  readonly #needs: PassNeeds
  #end: number // ms since 1970; Infinity when it is not known
  #due = 0
  #timer: unknown = null
  readonly #gone = new AbortController()

  constructor(token: string, needs: PassNeeds) {
    this.token = token
    this.#needs = needs
    this.#end = endOf(token)
    this.#plan()
  }

  /** Ends what it does. */
  stop(): void {
    this.#needs.timers.clear(this.#timer)
    this.#gone.abort()
  }

  /** ms that are left, 0 when it has ended, Infinity when it does not end. */
  get left(): number {
    return Math.max(0, this.#end - this.#needs.now())
  }

  get renews(): boolean {
    return this.#needs.ask !== null
  }

  /** Takes another token. Returns in words why it is of no use, "" if it is. */
  take(typed: string): string {
    const token = tidy(typed)
    const decoded = decodeToken(token)
    if (!decoded.ok) return decoded.problem
    if (endOf(token) <= this.#needs.now()) return 'This token has ended, too.'
    // The server would go on with somebody else in our place.
    if (subject(token) !== subject(this.token)) return 'This token is somebody else’s. Leave the room and come in with it.'
    this.token = token
    this.#end = endOf(token)
    this.#turn('good', true)
    this.#plan()
    return ''
  }

  #plan(): void {
    this.#needs.timers.clear(this.#timer)
    if (this.#end === Infinity) return
    const { left } = this
    this.#due = this.#needs.now() + left - Math.min(early, left * share)
    this.#wait()
  }

  #wait(): void {
    if (this.#gone.signal.aborted) return
    const next = this.state === 'good' ? this.#due - this.#needs.now() : this.state === 'soon' ? Math.min(askAgain, this.left) : askAgain
    this.#timer = this.#needs.timers.set(() => this.#look(), Math.min(furthest, Math.max(0, next)))
  }

  #look(): void {
    if (this.left === 0) this.#turn('over')
    if (this.state === 'good' && this.#needs.now() < this.#due) return this.#wait()
    if (this.#needs.ask) return void this.#ask(this.#needs.ask)
    if (this.state === 'good') this.#turn('soon')
    if (this.state === 'soon') this.#wait()
  }

  async #ask(ask: NonNullable<PassNeeds['ask']>): Promise<void> {
    let why: string
    try {
      why = this.take(await ask(AbortSignal.any([this.#gone.signal, AbortSignal.timeout(askFor)])))
    } catch (err) {
      why = err instanceof Error ? err.message : String(err)
    }
    if (why === '' || this.#gone.signal.aborted) return
    if (this.state === 'good') this.state = 'soon'
    this.#needs.watch(this, why)
    this.#wait()
  }

  #turn(state: PassState, anew = false): void {
    if (state === this.state && !anew) return
    this.state = state
    this.#needs.watch(this, '')
  }
}

/** Asks an address for a token: as plain text, or JSON with token or access_token. */
export async function askAt(address: string, signal: AbortSignal): Promise<string> {
  let answer: Response
  try {
    // A school's own site knows by its cookies who asks.
    answer = await fetch(address, { credentials: 'include', cache: 'no-store', signal })
  } catch {
    throw new Error('the address that gives tokens does not answer')
  }
  if (!answer.ok) throw new Error(`the address that gives tokens refused with status ${answer.status}`)
  const text = await answer.text()
  try {
    const { token, access_token } = JSON.parse(text) as Record<string, unknown>
    for (const found of [token, access_token]) if (typeof found === 'string') return found
  } catch {
    // Plain text.
  }
  return text
}

/** ms since 1970; Infinity for a key that says nothing about itself. */
function endOf(token: string): number {
  const decoded = decodeToken(token)
  const exp = decoded.ok ? decoded.claims.exp : undefined
  return typeof exp === 'number' ? exp * 1000 : Infinity
}

function subject(token: string): string {
  const decoded = decodeToken(token)
  return decoded.ok && typeof decoded.claims.sub === 'string' ? decoded.claims.sub : ''
}
