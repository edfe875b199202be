// The piano: on the screen by mouse, finger and keyboard, by the computer's keys,
// and by MIDI. Whatever strikes, strike is called once for each key that goes
// down or up.

import { find, make } from '../shared/dom'
import { highestOctave, isBlack, keyCap, keyDeed, lowestOctave, noteName, octaveStart } from './keys'
import { listenToMIDI, type Strike } from './midi'

// Letters typed here are text or a choice, and no notes.
const typing = 'textarea, select, input:not([type=checkbox], [type=radio], [type=range])'

export class Piano {
  readonly #strike: (strike: Strike, at: number) => void
  readonly #place = find('piano')
  readonly #buttons = new Map<number, HTMLButtonElement>()
  readonly #down = new Map<string, number>() // what holds a key down, and which
  #octave = 4
  #focused = 60

  /** strike is called with ms of performance.now. */
  constructor(strike: (strike: Strike, at: number) => void) {
    this.#strike = strike
    this.#build()
    for (const query of widths) query.addEventListener('change', () => this.#build())
    find('octave-down').addEventListener('click', () => this.#shift(-1))
    find('octave-up').addEventListener('click', () => this.#shift(1))
    find('midi').addEventListener('click', () => void this.#askForMIDI())
    this.#touch()
    this.#keyboard()
  }

  /** Marks a key that somebody else holds or lifts. */
  mark(midi: number, held: boolean): void {
    this.#buttons.get(midi)?.toggleAttribute('data-heard', held)
  }

  /** Marks none. */
  unmark(): void {
    for (const midi of this.#buttons.keys()) this.mark(midi, false)
  }

  /** Lifts all keys that are down. */
  lift(): void {
    for (const holder of [...this.#down.keys()]) this.#up(holder, performance.now())
  }

  get #velocity(): number {
    return Number(find<HTMLInputElement>('velocity').value)
  }

  #press(holder: string, midi: number, velocity: number, at: number): void {
    this.#up(holder, at)
    if (midi < 0 || midi > 127) return
    const held = this.#holds(midi)
    this.#down.set(holder, midi)
    this.#buttons.get(midi)?.setAttribute('aria-pressed', 'true')
    if (!held) this.#strike({ midi, velocity }, at)
  }

  #up(holder: string, at: number): void {
    const midi = this.#down.get(holder)
    if (midi === undefined) return
    this.#down.delete(holder)
    if (this.#holds(midi)) return
    this.#buttons.get(midi)?.setAttribute('aria-pressed', 'false')
    this.#strike({ midi, velocity: 0 }, at)
  }

  #holds(midi: number): boolean {
    return [...this.#down.values()].includes(midi)
  }

  #shift(by: number): void {
    this.#octave = Math.max(lowestOctave, Math.min(highestOctave, this.#octave + by))
    this.#focused = octaveStart(this.#octave)
    this.#build()
    find('piano-words').textContent = `From ${noteName(octaveStart(this.#octave))}`
  }

  #build(): void {
    const hadFocus = this.#place.contains(document.activeElement)
    const first = octaveStart(this.#octave)
    const last = Math.min(127, first + 12 * octavesShown())
    this.#focused = Math.max(first, Math.min(last, this.#focused))
    this.#buttons.clear()
    this.#place.replaceChildren()
    let slot: HTMLElement | null = null
    for (let midi = first; midi <= last; midi++) {
      const button = this.#key(midi, keyCap(midi - first))
      if (!isBlack(midi) || slot === null) slot = this.#place.appendChild(make('div', { class: 'slot' }))
      slot.append(button)
      this.#buttons.set(midi, button)
    }
    if (hadFocus) this.#buttons.get(this.#focused)?.focus()
  }

  #key(midi: number, cap: string): HTMLButtonElement {
    const name = noteName(midi)
    return make('button', {
      type: 'button', class: isBlack(midi) ? 'black' : 'white', 'data-midi': String(midi), 'data-testid': `key-${midi}`,
      tabindex: midi === this.#focused ? '0' : '-1', 'aria-label': name,
      'aria-pressed': String(this.#holds(midi)),
    }, make('kbd', {}, cap), ...(midi % 12 === 0 ? [make('span', {}, name)] : []))
  }

  /** Fingers and the mouse, which may slide from key to key. */
  #touch(): void {
    const at = ({ clientX, clientY }: PointerEvent): number | null => {
      const key = document.elementFromPoint(clientX, clientY)?.closest<HTMLElement>('[data-midi]')
      return key ? Number(key.dataset.midi) : null
    }
    this.#place.addEventListener('pointerdown', (event) => {
      const midi = at(event)
      if (midi === null || event.button !== 0) return
      this.#place.setPointerCapture(event.pointerId)
      this.#press(`pointer ${event.pointerId}`, midi, this.#velocity, event.timeStamp)
    })
    this.#place.addEventListener('pointermove', (event) => {
      const holder = `pointer ${event.pointerId}`
      if (!this.#place.hasPointerCapture(event.pointerId)) return
      const midi = at(event)
      if (midi === this.#down.get(holder)) return
      if (midi === null) this.#up(holder, event.timeStamp)
      else this.#press(holder, midi, this.#velocity, event.timeStamp)
    })
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) {
      this.#place.addEventListener(end, ({ pointerId, timeStamp }) => this.#up(`pointer ${pointerId}`, timeStamp))
    }
  }

  #keyboard(): void {
    this.#place.addEventListener('keydown', (event) => this.#onKey(event))
    window.addEventListener('keydown', (event) => this.#onComputerKey(event))
    window.addEventListener('keyup', ({ code, timeStamp }) => this.#up(`key ${code}`, timeStamp))
    // A key that is lifted elsewhere is not told here.
    window.addEventListener('blur', () => this.lift())
  }

  /** Arrows go along the keys, Enter and Space strike. */
  #onKey(event: KeyboardEvent): void {
    const to = { ArrowLeft: this.#focused - 1, ArrowRight: this.#focused + 1, Home: octaveStart(this.#octave) }[event.key]
    if (to !== undefined) {
      event.preventDefault()
      return this.#focus(to)
    }
    if (event.key !== 'Enter' && event.key !== ' ') return
    event.preventDefault()
    const midi = Number((event.target as HTMLElement).dataset.midi)
    if (!event.repeat) this.#press(`key ${event.code}`, midi, this.#velocity, event.timeStamp)
  }

  #focus(midi: number): void {
    const button = this.#buttons.get(midi)
    if (!button) return
    this.#buttons.get(this.#focused)?.setAttribute('tabindex', '-1')
    this.#focused = midi
    button.setAttribute('tabindex', '0')
    button.focus()
  }

  #onComputerKey(event: KeyboardEvent): void {
    const { code, target, repeat, ctrlKey, metaKey, altKey } = event
    if (repeat || ctrlKey || metaKey || altKey || find('instrument').hidden || find('lesson').hidden) return
    if (!find<HTMLInputElement>('computer-keys').checked || (target instanceof Element && target.matches(typing))) return
    const deed = keyDeed(code)
    if (deed === null) return
    if ('octave' in deed) this.#shift(deed.octave)
    else this.#press(`key ${code}`, octaveStart(this.#octave) + deed.note, this.#velocity, event.timeStamp)
  }

  async #askForMIDI(): Promise<void> {
    const say = (inputs: number | string): void => {
      const none = 'No MIDI keyboard is connected. Plug one in.'
      const text = typeof inputs === 'string' ? inputs : inputs === 0 ? none : inputs === 1 ? 'A MIDI keyboard plays.' : `${inputs} MIDI keyboards play.`
      find('midi-words').textContent = text
    }
    say(await listenToMIDI(({ midi, velocity }, at) => {
      if (velocity > 0) this.#press(`midi ${midi}`, midi, velocity, at)
      else this.#up(`midi ${midi}`, at)
    }, say))
  }
}

const widths = [window.matchMedia('(min-width: 620px)'), window.matchMedia('(min-width: 1000px)')]

/** As many octaves as fingers find their keys in. */
function octavesShown(): number {
  return 1 + widths.filter(({ matches }) => matches).length
}
