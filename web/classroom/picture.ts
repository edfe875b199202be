// The picture of a take: dots along the grid, above the line when early and
// below when late. The arithmetic is pure; drawPicture makes the SVG.

import { milliseconds } from './quality'
import type { Dot, Score } from './protocol'

export type Mark = { kind: 'early' | 'intime' | 'late' | 'missed' | 'extra'; x: number; y: number; words: string }

// Within so many ms nobody hears that a note is not on the beat.
const onTime = 10

/** Where the dots stand: x from 0 to 1 along the take, y from -1 (early) to 1 (late, by the whole tolerance). */
export function marks({ dots, grading: { tolerance_ms: tolerance } }: Score): Mark[] {
  const first = Math.floor(Math.min(...dots.map(({ beat }) => beat)))
  const last = Math.max(first + 1, ...dots.map(({ beat }) => beat))
  return dots.map((dot) => {
    const late = dot.late_ms ?? 0
    // Extra notes have no point that they could be late for.
    const y = dot.kind === 'hit' ? Math.max(-1, Math.min(1, late / tolerance)) : 0
    return { kind: kindOf(dot), x: (dot.beat - first) / (last - first), y, words: dotWords(dot) }
  })
}

function kindOf({ kind, late_ms: late = 0 }: Dot): Mark['kind'] {
  if (kind !== 'hit') return kind
  if (late < -onTime) return 'early'
  return late > onTime ? 'late' : 'intime'
}

function dotWords({ kind, beat, late_ms: late }: Dot): string {
  const where = `beat ${Number(beat.toFixed(2))}`
  if (kind === 'missed') return `${where}: missed`
  if (kind === 'extra') return `${where}: extra note`
  return `${where}: ${lateness(late ?? 0)}`
}

/** "12 ms early", "3.0 ms late". */
export function lateness(ms: number): string {
  if (Math.abs(ms) < 0.05) return 'on the beat'
  return `${milliseconds(Math.abs(ms))} ${ms < 0 ? 'early' : 'late'}`
}

/** A score as a sentence or two. */
export function inWords(score: Score): string {
  const { expected, hit, missed, extra, mean_ms: mean, sd_ms: sd, drift_ms_per_min: drift } = score
  if (expected === 0) return 'The music did not play during this take, so there was nothing to hit.'
  const counts = [`${hit} of ${expected} hit`, missed > 0 && `${missed} missed`, extra > 0 && `${extra} extra`].filter(Boolean).join(', ')
  if (mean === null) return `${counts}.`
  const evenly = sd === null ? '' : `, give or take ${milliseconds(sd)}`
  return `${counts}. On average ${lateness(mean)}${evenly}.${driftWords(drift)}`
}

// Less in a minute is less than people can hear in a take.
const steady = 30

function driftWords(drift: number | null): string {
  if (drift === null || Math.abs(drift) < steady) return ''
  return drift < 0 ? ' You ran ahead a little.' : ' You fell behind a little.'
}

const height = 150
const side = 16
const middle = height / 2
const reach = 56

const svg = (tag: string, attributes: Record<string, string | number>, ...children: (Node | string)[]): SVGElement => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  element.append(...children)
  return element
}

/** Makes the picture, so many pixels wide. What it shows stands in its label too. */
export function drawPicture(score: Score, width: number): SVGElement {
  const picture = svg('svg', { class: 'picture', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `Timing: ${inWords(score)}`, 'data-testid': 'picture' })
  const across = (x: number): number => side + x * (width - 2 * side)
  picture.append(
    svg('rect', { class: 'heard', x: 0, y: middle - reach, width, height: 2 * reach, rx: 6 }),
    svg('line', { class: 'beat-line', x1: 0, x2: width, y1: middle, y2: middle }),
    svg('text', { x: side, y: 14 }, 'early'),
    svg('text', { x: side, y: height - 5 }, 'late'),
    svg('text', { class: 'end', x: width - side, y: 14 }, `${score.grading.tolerance_ms} ms`),
  )
  const list = marks(score)
  for (const { x } of list.filter(({ kind }) => kind !== 'extra')) {
    picture.append(svg('line', { class: 'grid-line', x1: across(x), x2: across(x), y1: middle - reach, y2: middle + reach }))
  }
  for (const mark of list) picture.append(shape(mark, across(mark.x), middle + mark.y * reach))
  return picture
}

// Shapes differ as well as colours.
function shape({ kind, words }: Mark, x: number, y: number): SVGElement {
  const drawn = kind === 'extra'
    ? svg('path', { d: `M${x - 5} ${middle + reach - 11}l10 10m0 -10l-10 10` })
    : svg('circle', { cx: x, cy: y, r: kind === 'missed' ? 5 : 6 })
  drawn.setAttribute('class', `dot ${kind}`)
  drawn.append(svg('title', {}, words))
  return drawn
}
