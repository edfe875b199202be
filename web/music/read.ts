// Reads what came from the server, and refuses what could not be computed with.
// Fields that nobody here knows may be there: servers can be newer.

import type { Mark, Turn } from './bars'
import type { Cycle } from './intervals'
import type { Segment } from './segment'
import type { Change, Patch, State } from './timeline'

type Fields = Record<string, unknown>

const modes = ['stopped', 'counting', 'playing']
const longest = 5_000

function fields(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null ? (value as Fields) : null
}

const number = (value: unknown): value is number => Number.isFinite(value)
const tempo = (value: unknown): boolean => number(value) && value > 0 && value < 1e4

function isSegment(value: unknown): value is Segment {
  const s = fields(value)
  if (s === null || !number(s.at) || !number(s.beat) || !tempo(s.bpm)) return false
  if (s.ramp === undefined) return true
  const ramp = fields(s.ramp)
  return ramp !== null && tempo(ramp.to) && number(ramp.beats) && ramp.beats > 0
}

function isMark(value: unknown): value is Mark {
  const m = fields(value)
  if (m === null || !Number.isInteger(m.beat) || !Number.isInteger(m.bar) || !number(m.beat_in_bar)) return false
  const groups = m.groups === undefined || (Array.isArray(m.groups) && m.groups.every(number))
  return groups && typeof m.meter === 'string' && /^[1-9]\d?\/[1-9]\d?$/.test(m.meter)
}

function isTurn(value: unknown): value is Turn {
  const t = fields(value)
  return t !== null && number(t.beat) && modes.includes(t.state as string)
}

function isCycle(value: unknown): value is Cycle {
  const c = fields(value)
  return c !== null && number(c.beat) && number(c.beats) && c.beats >= 0 && number(c.interval)
}

function isList<T>(value: unknown, is: (entry: unknown) => entry is T): value is T[] {
  return Array.isArray(value) && value.length <= longest && value.every(is)
}

function rises(list: readonly unknown[], of: string): boolean {
  return list.every((entry, i) => i === 0 || ((entry as Fields)[of] as number) > ((list[i - 1] as Fields)[of] as number))
}

/** Whether the lists can be searched: none is empty, and each is in order. */
export function ordered({ tempo, bars, transport, intervals }: State): boolean {
  const lists = [tempo, bars, transport, intervals]
  return lists.every((list) => list.length > 0 && rises(list, 'beat')) && rises(tempo, 'at')
}

/** Reads a state; throws an Error when it is none. A copy, which later changes of the message don't touch. */
export function readState(message: unknown): State {
  const s = fields(message)
  if (s === null || typeof s.epoch !== 'string' || !number(s.rev)) throw new Error('read state: epoch or rev is missing')
  const { epoch, rev, tempo, bars, transport, intervals } = s
  if (!isList(tempo, isSegment) || !isList(bars, isMark) || !isList(transport, isTurn) || !isList(intervals, isCycle)) {
    throw new Error('read state: a list is missing, too long, or holds what cannot be read')
  }
  const state = structuredClone({ epoch, rev, tempo, bars, transport, intervals })
  if (!ordered(state)) throw new Error('read state: a list is empty or out of order')
  return state
}

function patch<T>(value: unknown, is: (entry: unknown) => entry is T): Patch<T> | undefined | null {
  if (value === undefined || value === null) return undefined
  const p = fields(value)
  return p !== null && number(p.from) && isList(p.add, is) ? { from: p.from, add: structuredClone(p.add) } : null
}

/** Reads a change; null when it is none. */
export function readChange(message: unknown): Change | null {
  const c = fields(message)
  if (c === null || !number(c.rev) || !number(c.at) || !number(c.beat)) return null
  const { event, rev, at, beat } = c
  const lists = {
    tempo: patch(c.tempo, isSegment), bars: patch(c.bars, isMark),
    transport: patch(c.transport, isTurn), intervals: patch(c.intervals, isCycle),
  }
  if (Object.values(lists).includes(null)) return null
  return { event: String(event), rev, at, beat, ...lists } as Change
}
