// What the room says of all that is in it. Pure, as protocol.ts.

import { readPart } from './parts'
import { fields, list, number, readGrading, readQuality, readRole, readScore, text, type Person, type Score, type Take } from './protocol'

type Me = { id: string; role: Person['role'] }

/** lookAhead is in ms, null when the server does not say. */
export type Welcome = { me: Me; state: unknown; people: Person[]; take: Take | null; lookAhead: number | null }

/** Reads the whole state. */
export function readWelcome(payload: unknown, me: Me): Welcome {
  const all = fields(payload)
  const you = fields(all.you)
  return {
    me: { id: text(you.student_id) || me.id, role: readRole(you.role) ?? me.role },
    state: all.state,
    people: readPeople(payload),
    take: all.take ? readTake(all.take) : null,
    lookAhead: number(all.look_ahead_ms),
  }
}

/** Reads who is there. */
export function readPeople(payload: unknown): Person[] {
  const { members, muted, solo } = fields(payload)
  return list(members).flatMap((value) => {
    const member = fields(value)
    const id = text(member.student_id)
    const role = readRole(member.role)
    if (id === '' || role === null) return []
    return [{
      id, role, name: text(member.name) || id, part: readPart(text(member.part)), quality: readQuality(member.quality),
      muted: list(muted).includes(id), solo: list(solo).includes(id),
    }]
  })
}

export function readTake(value: unknown): Take | null {
  const take = fields(value)
  const id = text(take.take) || text(take.id)
  return id === '' ? null : { id, grading: readGrading(take.grading) }
}

export function readTable(payload: unknown): Score[] {
  return list(fields(payload).scores).flatMap((value) => readScore(value) ?? [])
}
