// What the page says about the connection and the sound.

import type { AudioState } from '../music'
import type { Link } from './lesson'

export const linkWords: Record<Link, string> = {
  out: 'Not in a room', joining: 'Coming in…', joined: 'In the room',
  lost: 'Connection lost, trying again', refused: 'Not let in, trying again',
}

export const soundWords: Record<AudioState, string> = {
  locked: 'The sound is off: browsers allow none before you ask for it.',
  starting: 'The sound is starting…',
  running: 'The sound is on.',
  interrupted: 'Something else took the sound away, such as a call.',
  closed: 'The browser has closed the sound. Load the page anew.',
}

/** What is wrong with a connection, null if nothing is. */
export function linkProblem(link: Link, why: string): { title: string; cause: string; cure: string } | null {
  if (link === 'refused') {
    return {
      title: `The server does not let you in: ${why}`,
      cause: 'The key, the token or the room may be wrong.',
      cure: 'The page tries again by itself. Leave to change what you typed.',
    }
  }
  if (link !== 'lost') return null
  return {
    title: 'The connection is lost',
    cause: 'The metronome goes on by what is known, but nothing that you do reaches the others.',
    cure: 'The page tries again by itself.',
  }
}

/** Counts by how much a number has grown within so many ms; to be asked regularly. */
export function lateBy(within: number): (count: number, now: number) => number {
  let looks: { at: number; count: number }[] = []
  return (count, now) => {
    looks = [...looks.filter(({ at }) => now - at <= within), { at: now, count }]
    return count - looks[0]!.count
  }
}
