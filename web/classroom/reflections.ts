// Reflections: students write how the lesson was for them, the teacher sees it
// live. They are rows of the tenant's database, under its policies; without one
// there are none, and the rest of the lesson goes on.

import { decodeToken } from '../shared/jwt'
import { find, make } from '../shared/dom'
import type { Lesson } from './lesson'
import { readReflection, type Reflection } from './protocol'

const moods = ['low', 'not so good', 'fine', 'good', 'great']

export class Reflections {
  readonly #lesson: () => Lesson | null
  readonly #list = find('reflection-list')
  #following: Lesson | null = null

  constructor(lesson: () => Lesson | null) {
    this.#lesson = lesson
    find('reflection-form').addEventListener('submit', (submit) => {
      submit.preventDefault()
      void this.#send()
    })
  }

  /** Shows the form to students, and to those who lead what was written. */
  show(lesson: Lesson): void {
    const known = names(lesson)
    find('reflection-form').hidden = lesson.me.role !== 'student' || !known
    find('reflections').hidden = lesson.me.role === 'listener'
    find('reflection-guest').hidden = known
    if (!lesson.leads || !known || this.#following === lesson) return
    this.#following = lesson
    this.#list.replaceChildren()
    void this.#load(lesson)
    this.#follow(lesson)
  }

  async #send(): Promise<void> {
    const lesson = this.#lesson()
    if (!lesson) return
    const mood = Number(new FormData(find<HTMLFormElement>('reflection-form')).get('mood'))
    const text = find<HTMLTextAreaElement>('reflection-text')
    say('Sending…')
    const answer = await ask(lesson, 'POST', { mood, text: text.value.trim(), name: lesson.wish.name })
    say(typeof answer === 'string' ? answer : 'Your teacher has it. Thank you.')
    if (typeof answer !== 'string') text.value = ''
  }

  #follow(lesson: Lesson): void {
    const filter = { event: 'INSERT' as const, schema: 'music', table: 'reflections' }
    lesson.client.channel(`classroom reflections ${lesson.wish.room}`)
      .on('postgres_changes', { ...filter, filter: `room=eq.${lesson.wish.room}` }, ({ new: row }) => this.#add(readReflection(row)))
      .subscribe((status) => {
        // Whatever was written while nobody listened is asked for.
        if (status === 'SUBSCRIBED') void this.#load(lesson)
        // The server has closed it, as when a token ended: with the next state it is opened again.
        if (status === 'CLOSED' && this.#following === lesson) this.#following = null
      })
  }

  async #load(lesson: Lesson): Promise<void> {
    const answer = await ask(lesson, 'GET')
    if (typeof answer === 'string') return this.#say(answer)
    const rows = (answer as { reflections?: unknown[] } | null)?.reflections ?? []
    for (const row of rows.map(readReflection).reverse()) this.#add(row)
    if (this.#list.children.length === 0) this.#say('Nobody has written yet.')
  }

  #add(reflection: Reflection | null): void {
    if (!reflection || this.#list.querySelector(`[data-id="${CSS.escape(reflection.id)}"]`)) return
    this.#list.querySelector('.empty')?.remove()
    const { id, who, mood, text, at } = reflection
    const name = this.#lesson()?.person(who)?.name ?? who
    this.#list.prepend(make('li', { 'data-testid': 'reflection', 'data-id': id, 'data-mood': String(mood) },
      make('strong', {}, name), ' ', make('span', { class: 'badge' }, `${mood}, ${moods[mood - 1]}`), ' ',
      make('time', { datetime: new Date(at).toISOString() }, new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })),
      make('p', {}, text)))
  }

  #say(text: string): void {
    if (this.#list.querySelector('[data-id]')) return
    this.#list.querySelector('.empty')?.remove()
    this.#list.append(make('li', { class: 'empty' }, text))
  }
}

/** Whether the token says who somebody is: guests write nothing that is kept. */
function names({ pass }: Lesson): boolean {
  const decoded = decodeToken(pass.token)
  return decoded.ok && typeof decoded.claims.sub === 'string' && decoded.claims.sub !== ''
}

/** Asks the music extension; returns its answer, or in words why there is none. */
async function ask({ wish, pass }: Lesson, method: 'GET' | 'POST', body?: object): Promise<object | string> {
  try {
    const answer = await fetch(`${wish.url}/api/extensions/music/rooms/${encodeURIComponent(wish.room)}/reflections`, {
      method, signal: AbortSignal.timeout(10_000),
      headers: { apikey: wish.key, Authorization: `Bearer ${pass.token}`, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
    const said: unknown = await answer.json().catch(() => null)
    if (answer.ok) return (said ?? {}) as object
    return refusal(answer.status, said)
  } catch {
    return 'The server does not answer. Try again.'
  }
}

function refusal(status: number, said: unknown): string {
  const { error, message, reason } = (said ?? {}) as Record<string, unknown>
  const words = [reason, error, message].find((text) => typeof text === 'string')
  return words ? `Not possible: ${words}` : `Not possible (${status}).`
}

function say(text: string): void {
  find('reflection-words').textContent = text
}
