// What to tell somebody whose network or device is too weak for the music, in
// plain words, and what to do. Pure. Numbers in ms.

import { grade, milliseconds, type Quality } from './quality'

export type Advice = { what: string; todo: string }

export type Health = {
  quality: Quality
  /** Whether there is a connection. */
  joined: boolean
  /** Whether clicks are heard. */
  sounding: boolean
  /** The slowest round trip of late, and the fastest; null before the first. */
  slowest: number | null
  fastest: number | null
  /** How long before its effect the room tells a change; null when it is not known. */
  lookAhead: number | null
  /** Clicks that came too late in the last seconds. */
  late: number
}

// Latencies above this are those of wireless headphones.
const wireless = 120

/** The most important advice, or none. */
export function advise(health: Health): Advice | null {
  const { quality, joined, sounding, slowest, fastest, lookAhead, late } = health
  const { uncertainty, latency } = quality
  if (!joined) {
    return {
      what: `The metronome goes on by itself.${uncertainty === null ? '' : ` It is right within ${milliseconds(uncertainty)} and gets less sure by 15 ms a minute at most.`}`,
      todo: 'Play on. When the connection is back it glides into place.',
    }
  }
  if (sounding && late > 0) {
    return {
      what: `${late === 1 ? 'A click came' : `${late} clicks came`} too late just now: this device is too busy.`,
      todo: 'Close other tabs and programs, and turn energy saving off.',
    }
  }
  if (grade(quality) === 'poor' || (grade(quality) === 'fair' && (uncertainty ?? 0) > 10)) {
    return {
      what: `Your clicks may be up to ${milliseconds(uncertainty!)} early or late: the network is slow or uneven.`,
      todo: 'Go nearer to the router or use a cable, and pause downloads and videos.',
    }
  }
  if (slowest !== null && fastest !== null && lookAhead !== null && slowest - fastest / 2 > lookAhead) {
    return {
      what: 'Changes of the tempo, and the notes of others, may reach you late: some messages take long.',
      todo: 'Play on, the click is right. A better network helps.',
    }
  }
  if (latency !== null && latency > wireless) {
    return {
      what: `Your sound takes ${milliseconds(latency)} to your ears. The click is sent so much earlier, but what you play yourself comes late.`,
      todo: 'Use headphones with a cable.',
    }
  }
  return null
}
