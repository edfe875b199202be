// Who is in the room, how good each clock is, who plays what; and for those who lead,
// mute, solo, parts and roles. Elements stay as long as their people, so that the
// focus does.

import { find, make } from '../shared/dom'
import { noteName } from './keys'
import type { Lesson } from './lesson'
import { colourNames, longestName, partsOf, writePart } from './parts'
import { leads, plays, roles, type Person } from './protocol'
import { grade, gradeWords, inNumbers } from './quality'

type Row = { item: HTMLLIElement; update(person: Person): void }

export class People {
  readonly #list = find('people')
  readonly #rows = new Map<string, Row>()
  readonly #lesson: () => Lesson | null

  constructor(lesson: () => Lesson | null) {
    this.#lesson = lesson
  }

  show(people: readonly Person[]): void {
    find('people-count').textContent = String(people.length)
    for (const [id, { item }] of this.#rows) {
      if (people.some((person) => person.id === id)) continue
      item.remove()
      this.#rows.delete(id)
    }
    find('parts').replaceChildren(...partsOf(people).map(({ name }) => make('option', { value: name })))
    for (const person of people) {
      const row = this.#rows.get(person.id) ?? this.#add(person)
      row.update(person)
    }
  }

  /** Shows which keys somebody holds. */
  playing(id: string, midi: readonly number[]): void {
    const place = this.#rows.get(id)?.item.querySelector('.plays')
    if (place) place.textContent = midi.length > 0 ? `♪ ${midi.map(noteName).join(' ')}` : ''
  }

  #add(person: Person): Row {
    const name = make('strong')
    const role = make('span', { class: 'badge', 'data-testid': 'person-role' })
    const part = make('span', { class: 'badge part', 'data-testid': 'person-part' })
    const heard = make('span', { class: 'badge heard-state', 'data-testid': 'person-heard' })
    const quality = make('p', { class: 'quality', 'data-testid': 'person-quality' })
    const played = make('span', { class: 'plays', 'data-testid': 'person-plays' })
    const tools = this.#tools(person.id)
    const item = make('li', { 'data-testid': 'person', 'data-id': person.id },
      make('div', { class: 'person' }, name, role, part, heard, played), quality, tools.element)
    this.#list.append(item)
    const row: Row = {
      item,
      update: (now) => {
        const me = this.#lesson()?.me
        item.dataset.name = now.name
        name.textContent = now.id === me?.id ? `${now.name} (you)` : now.name
        role.textContent = now.role
        part.textContent = now.part?.name ?? ''
        part.hidden = now.part === null
        part.dataset.colour = String(now.part?.colour ?? 0)
        heard.textContent = now.muted ? 'muted' : now.solo ? 'solo' : ''
        heard.hidden = heard.textContent === ''
        const how = grade(now.quality)
        // Only those who lead are told of the others' clocks.
        quality.hidden = how === 'unknown' && !(me && leads(me.role))
        quality.dataset.grade = how
        const numbers = inNumbers(now.quality)
        quality.textContent = `Clock ${gradeWords[how]}${numbers ? `: ${numbers}` : ''}`
        tools.update(now)
      },
    }
    this.#rows.set(person.id, row)
    return row
  }

  #tools(id: string): { element: HTMLElement; update(person: Person): void } {
    const send = (command: string, more: Record<string, unknown> = {}): void => {
      this.#lesson()?.command(command, { student_id: id, ...more })
    }
    const toggle = (word: string, testid: string, on: string, off: string): HTMLButtonElement => {
      const button = make('button', { type: 'button', class: 'small', 'data-testid': testid, 'aria-pressed': 'false' }, word)
      button.addEventListener('click', () => send(button.getAttribute('aria-pressed') === 'true' ? off : on))
      return button
    }
    const mute = toggle('Mute', 'person-mute', 'mute', 'unmute')
    const solo = toggle('Solo', 'person-solo', 'solo', 'unsolo')
    const role = make('select', { 'data-testid': 'person-give' }, ...roles.map((known) => make('option', { value: known }, known)))
    role.addEventListener('change', () => send('set_role', { role: role.value }))
    const roleLabel = make('label', {}, 'Role', role)
    const part = this.#part(send)
    const more = make('details', { 'data-testid': 'person-manage' }, make('summary', {}, 'Part and role'), part.element, roleLabel)
    const element = make('div', { class: 'buttons tools' }, mute, solo, more)
    return {
      element,
      update: (person) => {
        const me = this.#lesson()?.me
        element.hidden = !me || !leads(me.role)
        mute.setAttribute('aria-pressed', String(person.muted))
        solo.setAttribute('aria-pressed', String(person.solo))
        mute.hidden = solo.hidden = !plays(person.role) || person.id === me?.id
        mute.setAttribute('aria-label', `Mute ${person.name}`)
        solo.setAttribute('aria-label', `Let ${person.name} play alone`)
        more.firstElementChild!.setAttribute('aria-label', `Part and role of ${person.name}`)
        part.update(person)
        roleLabel.hidden = me?.role !== 'teacher'
        role.setAttribute('aria-label', `Role of ${person.name}`)
        if (document.activeElement !== role) role.value = person.role
      },
    }
  }

  /** The form that gives a part. */
  #part(send: (command: string, more: Record<string, unknown>) => void): { element: HTMLElement; update(person: Person): void } {
    const name = make('input', { list: 'parts', maxlength: String(longestName), autocomplete: 'off', placeholder: 'such as Violin 1', 'data-testid': 'person-part-name' })
    const colour = make('select', { 'data-testid': 'person-part-colour' }, ...colourNames.map((known, i) => make('option', { value: String(i) }, known)))
    const element = make('form', { class: 'row' },
      make('label', {}, 'Part', name), make('label', {}, 'Colour', colour),
      make('div', { class: 'buttons' }, make('button', { class: 'small', 'data-testid': 'person-part-set' }, 'Give')))
    // Who takes a part that others have means its colour.
    name.addEventListener('input', () => {
      const known = partsOf(this.#lesson()?.people ?? []).find((part) => part.name === name.value.trim())
      if (known) colour.value = String(known.colour)
    })
    element.addEventListener('submit', (submit) => {
      submit.preventDefault()
      send('set_part', { part: writePart({ name: name.value, colour: Number(colour.value) }) })
    })
    return {
      element,
      update: (person) => {
        name.setAttribute('aria-label', `Part of ${person.name}`)
        colour.setAttribute('aria-label', `Colour of ${person.name}’s part`)
        // What somebody types now is not overwritten.
        if (element.contains(document.activeElement)) return
        name.value = person.part?.name ?? ''
        if (person.part) colour.value = String(person.part.colour)
      },
    }
  }
}
