// What the page remembers: the last minutes of each node, and nodes that are no
// longer there. Nothing of it outlives the page.

import type { Node, Numbers, Status } from './status'
import { duration, silence, timeOfDay } from '../shared/words'

/** How far the charts go back, in milliseconds. */
export const span = 5 * 60_000

const keepGone = 10 * 60_000
const minute = 60_000

export type Standing = 'well' | 'silent' | 'leaving' | 'unready' | 'gone' | 'left'

export type Sample = { at: number; connections: number }

export type Seen = {
  node: Node
  samples: Sample[]
  standing: Standing
  words: string // what there is to say of its standing, as it follows a colon
  gone: number // when it was no longer there; 0 while it is
}

export class Memory {
  #seen = new Map<string, Seen>()
  #last = 0 // when the latest answer came
  #counters: { at: number; bus: Numbers }[] = []
  #counting = '' // which life of which node the counters are of
  #lastMinute: Numbers = {}

  /** The nodes, those that are gone last. */
  get nodes(): Seen[] {
    return [...this.#seen.values()].sort((a, b) => Number(a.gone > 0) - Number(b.gone > 0) || (a.node.id < b.node.id ? -1 : 1))
  }

  /** By how much the counters of the node that answered grew in the last minute. */
  get lastMinute(): Numbers {
    return this.#lastMinute
  }

  /** Takes an answer that came now. */
  take(status: Status, now: number): void {
    const there = new Set(status.nodes.map(({ id }) => id))
    for (const node of status.nodes) this.#add(node, status.lostAfter, now)
    for (const [id, seen] of this.#seen) {
      if (there.has(id)) continue
      if (seen.gone === 0) this.#part(seen, status.lostAfter, now)
      if (now - seen.gone > keepGone) this.#seen.delete(id)
    }
    this.#count(status, now)
    this.#last = now
  }

  #add(node: Node, lostAfter: number, now: number): void {
    const samples = this.#seen.get(node.id)?.samples ?? []
    samples.push({ at: now, connections: node.load.connections ?? 0 })
    while (samples.length > 0 && samples[0]!.at < now - span) samples.shift()
    this.#seen.set(node.id, { node, samples, gone: 0, ...stand(node, lostAfter) })
  }

  // Who was lost was silent before, for so long that an answer had shown it, if
  // they came in time. Who was not has said goodbye.
  #part(seen: Seen, lostAfter: number, now: number): void {
    const left = seen.standing === 'leaving' || (seen.standing !== 'silent' && now - this.#last < lostAfter * 0.45)
    seen.gone = now
    seen.standing = left ? 'left' : 'gone'
    seen.words = left ? `it said goodbye at ${timeOfDay(now)}` : `nobody hears it since ${timeOfDay(now)}`
  }

  #count(status: Status, now: number): void {
    const [own] = status.nodes
    const counting = `${own?.id} ${own?.started}`
    if (this.#counting !== counting) this.#counters = []
    this.#counting = counting
    this.#counters.push({ at: now, bus: status.bus })
    while (this.#counters.length > 1 && this.#counters[0]!.at < now - minute) this.#counters.shift()
    const before = this.#counters[0]!.bus
    this.#lastMinute = Object.fromEntries(Object.entries(status.bus).map(([name, n]) => [name, n - (before[name] ?? n)]))
  }
}

// A node sends five heartbeats in the time after which it is lost. After two and
// a half something is wrong.
function stand(node: Node, lostAfter: number): { standing: Standing; words: string } {
  if (!node.self && node.silent > lostAfter / 2) {
    return { standing: 'silent', words: `not heard for ${silence(node.silent)}; after ${duration(lostAfter)} it counts as lost` }
  }
  if (node.leaving) return { standing: 'leaving', words: 'it takes no new clients and sends its own to other nodes' }
  if (node.unready) return { standing: 'unready', words: `it wants no new clients (${node.unready})` }
  return { standing: 'well', words: '' }
}
