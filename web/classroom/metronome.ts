// The lights of the metronome: which beat it is, by the room's timeline.

import { find, make } from '../shared/dom'
import type { Advice } from './advice'
import { accentOf, barLength, type Mode, type Place, type Timeline } from '../music'
import type { Lesson } from './lesson'
import { grade, gradeWords, inNumbers, qualityOf } from './quality'

const modeWords: Record<Mode, string> = { stopped: 'Stopped', counting: 'Counting in', playing: 'Playing' }

/** What is shown at a moment. */
export type Shown = { mode: Mode; bar: number; beatInBar: number; place: Place; bpm: number; position: number }

/** What to show of a timeline at a server time: of a stopped one, where it would go on. */
export function shownAt(timeline: Timeline, at: number): Shown {
  const position = timeline.beat(at)
  const place = timeline.place(position)
  const mode = timeline.mode(Math.floor(position))
  const turn = mode === 'stopped' ? timeline.state.transport.filter(({ beat }) => beat <= position).at(-1) : undefined
  return {
    mode, place, position, bpm: timeline.tempo(at),
    bar: turn?.bar ?? place.bar, beatInBar: turn?.beat_in_bar ?? place.beatInBar,
  }
}

export class Metronome {
  readonly #lamps = find('lamps')
  #meter = ''

  /** Shows what is now; to be called in each frame. */
  show({ mode, bar, beatInBar, place, bpm }: Shown): void {
    say('mode', modeWords[mode])
    find('metronome').dataset.mode = mode
    // Bars before the first are those of the count-in.
    say('bar', mode === 'counting' ? '–' : String(bar))
    say('beat', String(beatInBar))
    say('bpm-now', bpm.toFixed(1).replace(/\.0$/, ''))
    this.#build(place)
    for (const [i, lamp] of [...this.#lamps.children].entries()) {
      const on = mode !== 'stopped' && i + 1 === place.beatInBar
      if (on !== (lamp as HTMLElement).hasAttribute('data-on')) lamp.toggleAttribute('data-on', on)
    }
  }

  /** Says how good this page's clock is. */
  showClock(lesson: Lesson): void {
    const quality = qualityOf(lesson)
    const how = grade(quality)
    find('own-clock').dataset.grade = how
    say('own-clock', how === 'unknown' ? 'Your clock is being set.' : `Your clock is ${gradeWords[how]}: ${inNumbers(quality)}.`)
  }

  /** Says what to do about a weak network or device; told again only when it is another thing. */
  showAdvice(advice: Advice | null): void {
    find('advice').hidden = advice === null
    say('advice-what', advice?.what ?? '')
    say('advice-do', advice?.todo ?? '')
  }

  #build({ meter }: Place): void {
    const name = `${meter.meter} ${meter.groups?.join('+') ?? ''}`.trim()
    if (name === this.#meter) return
    this.#meter = name
    find('meter-now').textContent = name
    const lamps = Array.from({ length: barLength(meter) }, (_, i) => {
      const accent = accentOf({ bar: 1, beatInBar: i + 1, meter })
      return make('span', { class: 'lamp', 'data-accent': String(accent) }, String(i + 1))
    })
    this.#lamps.replaceChildren(...lamps)
    this.#lamps.setAttribute('aria-label', `${lamps.length} beats in a bar`)
  }
}

// Not touched when it stays: it is looked at sixty times a second.
function say(testid: string, text: string): void {
  const place = cached(testid)
  if (place.textContent !== text) place.textContent = text
}

const places = new Map<string, HTMLElement>()

function cached(testid: string): HTMLElement {
  const known = places.get(testid) ?? find(testid)
  places.set(testid, known)
  return known
}
