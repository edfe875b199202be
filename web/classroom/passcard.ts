// What the page says of a token that ends, and how another one comes in.

import { find } from '../shared/dom'
import type { Lesson } from './lesson'
import type { Pass } from './pass'

export class PassCard {
  readonly #lesson: () => Lesson | null
  readonly #taken: (token: string) => void

  /** taken is called with a token that counts from now on. */
  constructor(lesson: () => Lesson | null, taken: (token: string) => void) {
    this.#lesson = lesson
    this.#taken = taken
    find('pass-form').addEventListener('submit', (submit) => {
      submit.preventDefault()
      this.use(find<HTMLInputElement>('pass-token').value)
    })
  }

  /** Takes another token, or says why not. */
  use(token: string): void {
    const problem = this.#lesson()?.pass.take(token)
    find('pass-outcome').textContent = problem ?? ''
    if (problem === '') find<HTMLInputElement>('pass-token').value = ''
  }

  /** Shows what there is to do. why says what came of asking for a token. */
  show(why = ''): void {
    const pass = this.#lesson()?.pass
    if (!pass || pass.state === 'good') {
      find('pass').hidden = true
      if (pass) this.#taken(pass.token)
      return
    }
    find('pass').hidden = false
    find('pass').dataset.state = pass.state
    say('pass-title', pass.state === 'over' ? 'Your token has ended' : `Your token ends at ${new Date(Date.now() + pass.left).toLocaleTimeString()}`)
    say('pass-words', words(pass, why))
  }
}

function words(pass: Pass, why: string): string {
  const what = pass.state === 'over'
    ? 'The metronome goes on, but the room does not hear you until you have another.'
    : 'The lesson goes on when you have another one by then.'
  if (!pass.renews) return `${what} Ask whoever gave you the link or the token for a new one: open the new link in this tab, or put the token in here.`
  return `${what} ${why === '' ? 'The page asks for it.' : `The page asks for it, but ${why}. It tries again; you can also put one in here.`}`
}

// Not touched when it stays: screen readers announce it.
function say(testid: string, text: string): void {
  if (find(testid).textContent !== text) find(testid).textContent = text
}
