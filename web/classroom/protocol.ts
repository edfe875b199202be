// What the room says (docs/music.md), read into what the page shows. Pure. A
// server can be newer than this page: what is unknown is left out, and what makes no
// sense is as if it had not been said.

import type { Part } from './parts'
import type { Quality } from './quality'

export const roles = ['listener', 'student', 'assistant', 'teacher'] as const
export type Role = (typeof roles)[number]

/** Somebody in the room. */
export type Person = { id: string; name: string; role: Role; part: Part | null; muted: boolean; solo: boolean; quality: Quality }

/** A key of a student that went down, or up when velocity is 0. at is server ms. */
export type Note = { who: string; midi: number; velocity: number; at: number; beat: number }

export type Refusal = { command: string; key?: string; code: string; reason: string }

export type Grading = { feel: string; subdivision: number; tolerance_ms: number }

/** A take that runs. */
export type Take = { id: string; grading: Grading | null }

export type Dot = { kind: 'hit' | 'missed' | 'extra'; beat: number; late_ms?: number }

export type Score = {
  take: string; student_id: string; grading: Grading
  expected: number; hit: number; missed: number; extra: number
  mean_ms: number | null; sd_ms: number | null; drift_ms_per_min: number | null; bpm: number | null; asked_bpm: number | null
  dots: Dot[]
}

/** Somebody's thought about a lesson. */
export type Reflection = { id: string; who: string; mood: number; text: string; at: number }

type Fields = Record<string, unknown>

export const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {})
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null)

/** Whether a role may set tempos and start takes. */
export const leads = (role: Role): boolean => role === 'teacher' || role === 'assistant'
export const plays = (role: Role): boolean => role !== 'listener'

export function readRole(value: unknown): Role | null {
  return roles.find((role) => role === value) ?? null
}

export function readNote(payload: unknown): Note | null {
  const { student_id, midi, velocity, timestamp, beat } = fields(payload)
  const [key, strength, at, place] = [number(midi), number(velocity), number(timestamp), number(beat)]
  if (text(student_id) === '' || key === null || strength === null || at === null || place === null) return null
  return { who: text(student_id), midi: key, velocity: strength, at, beat: place }
}

export function readRefusal(payload: unknown): Refusal | null {
  const { command, event, key, code, reason } = fields(payload)
  if (typeof code !== 'string') return null
  return { command: text(command) || text(event), ...(typeof key === 'string' && { key }), code, reason: text(reason) }
}

export function readGrading(value: unknown): Grading | null {
  const { feel, subdivision, tolerance_ms } = fields(value)
  const [parts, tolerance] = [number(subdivision), number(tolerance_ms)]
  return parts === null || tolerance === null ? null : { feel: text(feel), subdivision: parts, tolerance_ms: tolerance }
}

const kinds = ['hit', 'missed', 'extra'] as const

function readDot(value: unknown): Dot[] {
  const dot = fields(value)
  const kind = kinds.find((known) => known === dot.kind)
  const [beat, late] = [number(dot.beat), number(dot.late_ms)]
  if (kind === undefined || beat === null) return []
  return [{ kind, beat, ...(late !== null && { late_ms: late }) }]
}

export function readScore(payload: unknown): Score | null {
  const score = fields(payload)
  const grading = readGrading(score.grading)
  const counts = [score.expected, score.hit, score.missed, score.extra].map(number)
  if (grading === null || counts.includes(null)) return null
  const [expected, hit, missed, extra] = counts as [number, number, number, number]
  return {
    take: text(score.take), student_id: text(score.student_id), grading, expected, hit, missed, extra,
    mean_ms: number(score.mean_ms), sd_ms: number(score.sd_ms), drift_ms_per_min: number(score.drift_ms_per_min),
    bpm: number(score.bpm), asked_bpm: number(score.asked_bpm), dots: list(score.dots).flatMap(readDot),
  }
}

export function readQuality(value: unknown): Quality {
  const { rtt, uncertainty, latency } = fields(value)
  return { roundTrip: number(rtt), uncertainty: number(uncertainty), latency: number(latency) }
}

export function readReflection(row: unknown): Reflection | null {
  const { id, name, student_id, mood, text: said, created_at } = fields(row)
  const felt = number(mood)
  if (felt === null || felt < 1 || felt > 5) return null
  const at = typeof created_at === 'number' ? created_at : Date.parse(text(created_at))
  return { id: String(id), who: text(name) || text(student_id), mood: felt, text: text(said), at: Number.isFinite(at) ? at : Date.now() }
}

export { list, number, text }
