// The nodes as a drawing: each on a circle, and between two of them the time
// that a message takes there and back.

import type { Seen } from './memory'
import { tripBetween } from './status'
import { trip } from '../shared/words'

const width = 380
const height = 330
const radius = 20
const middle = height / 2

/** More nodes than this would be a thicket; the table has them all. */
export const mostDrawn = 5

export type Point = { x: number; y: number }

/** Places so many nodes on an ellipse, the first at the top. */
export function places(count: number): Point[] {
  if (count === 2) return [{ x: 70, y: middle }, { x: width - 70, y: middle }]
  return Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * i) / count - Math.PI / 2
    return { x: width / 2 + Math.cos(angle) * (width / 2 - 62), y: middle + Math.sin(angle) * (middle - 60) }
  })
}

/** The round trip between two nodes: the slower of what both measure. */
export function tripOf(a: Seen, b: Seen): number | null {
  if (a.gone > 0 || b.gone > 0) return null
  const both = [tripBetween(a.node, b.node), tripBetween(b.node, a.node)].filter((ms) => ms !== null)
  return both.length > 0 ? Math.max(...both) : null
}

/** Orders nodes for the drawing: those of a region stand together. */
export function byRegion(nodes: Seen[]): Seen[] {
  const key = ({ node }: Seen) => `${node.region} ${node.id}`
  return [...nodes].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

const shownStanding: Record<Seen['standing'], string> = {
  well: '', silent: 'silent', leaving: 'leaving', unready: 'not ready', gone: 'gone', left: 'has left',
}

/** Draws the nodes anew. */
export function draw(into: SVGSVGElement, nodes: Seen[]): void {
  const ordered = byRegion(nodes)
  const at = places(ordered.length)
  into.setAttribute('viewBox', ordered.length === 2 ? `0 ${middle - 45} ${width} 110` : `0 0 ${width} ${height}`)
  const lines: SVGElement[] = []
  const labels: SVGElement[] = []
  ordered.forEach((a, i) => {
    for (let j = i + 1; j < ordered.length; j++) {
      const [line, label] = edge(at[i]!, at[j]!, tripOf(a, ordered[j]!), labelPlace(i, j, ordered.length))
      lines.push(line)
      labels.push(...label)
    }
  })
  into.replaceChildren(...lines, ...ordered.map((seen, i) => circle(seen, at[i]!)), ...labels)
}

// Lines through the middle would all have their labels there.
function labelPlace(i: number, j: number, count: number): number {
  return count % 2 === 0 && count > 2 && j - i === count / 2 ? 0.3 : 0.5
}

function edge(a: Point, b: Point, ms: number | null, share: number): [SVGElement, SVGElement[]] {
  const line = svg('line', { x1: a.x, y1: a.y, x2: b.x, y2: b.y, class: ms === null ? 'edge unknown' : 'edge' })
  if (ms === null) return [line, []]
  const x = a.x + (b.x - a.x) * share
  const y = a.y + (b.y - a.y) * share
  const words = trip(ms)
  const wide = words.length * 6.6 + 10
  return [line, [
    svg('rect', { x: x - wide / 2, y: y - 10, width: wide, height: 20, rx: 10, class: 'edge-back' }),
    svg('text', { x, y: y + 4.5, class: 'edge-label' }, words),
  ]]
}

function circle({ node, standing }: Seen, { x, y }: Point): SVGElement {
  const group = svg('g', { class: 'dot', 'data-standing': standing })
  const second = shownStanding[standing] || node.region
  // Outside of the ellipse, where no lines are.
  const first = y < middle - 10 ? y - radius - (second ? 21 : 7) : y + radius + 15
  group.append(
    svg('title', {}, `${node.id}${node.region ? `, ${node.region}` : ''}`),
    svg('circle', { cx: x, cy: y, r: radius }),
    svg('text', { x, y: y + 4.5, class: 'inside' }, brief(node.load.connections ?? 0)),
    svg('text', { x, y: first, class: node.self ? 'name self' : 'name' }, shortened(node.id)),
  )
  if (second) group.append(svg('text', { x, y: first + 14, class: 'second' }, shortened(second)))
  return group
}

/** A number of at most four characters: 950, 12k, 3M. */
export function brief(n: number): string {
  if (n < 1000) return String(Math.round(n))
  return n < 1_000_000 ? `${Math.floor(n / 1000)}k` : `${Math.floor(n / 1_000_000)}M`
}

function shortened(text: string): string {
  return text.length > 16 ? `${text.slice(0, 8)}…${text.slice(-7)}` : text
}

function svg(tag: string, attributes: Record<string, string | number>, text?: string): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  if (text !== undefined) element.textContent = text
  return element
}
