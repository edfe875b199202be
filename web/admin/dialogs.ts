// Dialogs: they keep the focus inside, close with Escape, and give the focus
// back to where it was. The browser does the last two.

import { find } from '../shared/dom'
import { setText } from './rows'
import { Fault } from './server'

/** Prepares a dialog whose form does something when it is sent. */
export function prepare(dialog: HTMLDialogElement, send: () => void): void {
  dialog.querySelector('form')!.addEventListener('submit', (event) => {
    event.preventDefault()
    send()
  })
  dialog.addEventListener('keydown', (event) => keepInside(dialog, event))
}

function keepInside(dialog: HTMLDialogElement, event: KeyboardEvent): void {
  if (event.key !== 'Tab') return
  const all = [...dialog.querySelectorAll<HTMLElement>('button, input, select, textarea, summary, a[href], [tabindex="0"]')]
  const within = all.filter((element) => !element.matches(':disabled') && element.checkVisibility())
  const [first, last] = [within[0], within.at(-1)]
  const at = document.activeElement
  if (event.shiftKey ? at === first : at === last) {
    event.preventDefault()
    ;(event.shiftKey ? last : first)?.focus()
  }
}

/** Says what went wrong, with its code and its cure, in a line. */
export function said(err: unknown): string {
  if (!(err instanceof Fault)) return `This page failed: ${String(err)}`
  const title = err.code && !err.message.includes(err.code) ? `${err.code}: ${err.message}` : err.message
  const fields = Object.entries(err.fields).map(([name, texts]) => `${name} ${texts.join(', ')}`)
  return [title, fields.join('; '), err.cure].map((text) => text && !/[.!?]$/.test(text) ? `${text}.` : text).filter(Boolean).join(' ')
}

export type Question = {
  title: string
  text: string
  yes: string
  word?: string // has to be typed before it is done
  act: () => Promise<void>
}

/** Asks before something is done that cannot be taken back. */
export class Confirm {
  readonly #dialog = find<HTMLDialogElement>('confirm')
  readonly #word = find<HTMLInputElement>('confirm-word')
  #question: Question | null = null
  #busy = false

  constructor() {
    prepare(this.#dialog, () => void this.#do())
    find('confirm-no').addEventListener('click', () => this.#dialog.close())
    this.#word.addEventListener('input', () => this.#check())
  }

  ask(question: Question): void {
    this.#question = question
    setText(find('confirm-title'), question.title)
    setText(find('confirm-text'), question.text)
    setText(find('confirm-yes'), question.yes)
    setText(find('confirm-error'), '')
    find('confirm-label').hidden = question.word === undefined
    find('confirm-label').querySelector('span')!.textContent = `Type ${question.word} to confirm`
    this.#word.value = ''
    this.#check()
    this.#dialog.showModal()
    // Not the button that does it: a key that is held down must not.
    if (question.word === undefined) find('confirm-no').focus()
    else this.#word.focus()
  }

  #check(): void {
    const { word } = this.#question ?? {}
    find<HTMLButtonElement>('confirm-yes').disabled = this.#busy || (word !== undefined && this.#word.value !== word)
  }

  async #do(): Promise<void> {
    const question = this.#question
    if (!question || this.#busy || find<HTMLButtonElement>('confirm-yes').disabled) return
    this.#busy = true
    this.#check()
    setText(find('confirm-error'), '')
    try {
      await question.act()
      this.#dialog.close()
    } catch (err) {
      setText(find('confirm-error'), said(err))
    }
    this.#busy = false
    this.#check()
  }
}
