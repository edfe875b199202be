// Round trips between nodes: a drawing, and a table of what each measures.

import { find, make } from '../shared/dom'
import { draw, mostDrawn } from './graph'
import type { Seen } from './memory'
import { tripBetween } from './status'
import { trip } from '../shared/words'

const unremarkable = 20 // milliseconds; less than a fifth of it has no colour

export function showTrips(nodes: Seen[]): void {
  const there = nodes.filter(({ gone }) => gone === 0)
  find('trips').hidden = there.length < 2
  if (there.length < 2) return
  const drawn = there.length <= mostDrawn
  find('graph').hidden = !drawn
  if (drawn) draw(find('graph').querySelector('svg')!, nodes.length <= mostDrawn ? nodes : there)
  showMatrix(there)
}

// Drawn anew at each answer. Nothing in it can be focused, so nothing is lost.
function showMatrix(nodes: Seen[]): void {
  const trips = nodes.map((from) => nodes.map((to) => (from === to ? null : tripBetween(from.node, to.node))))
  const worst = Math.max(...trips.flat().map((ms) => ms ?? 0), unremarkable)
  const head = make('tr', {}, make('th', { scope: 'col' }, 'From'), ...nodes.map(({ node }) => make('th', { scope: 'col', title: node.id }, node.id)))
  const rows = nodes.map(({ node }, i) =>
    make('tr', {}, make('th', { scope: 'row', title: node.id }, node.id), ...trips[i]!.map((ms, j) => cell(ms, i === j, worst))),
  )
  find('matrix').replaceChildren(make('thead', {}, head), make('tbody', {}, ...rows))
}

function cell(ms: number | null, itself: boolean, worst: number): HTMLElement {
  if (itself) return make('td', { class: 'itself' }, make('span', { 'aria-label': 'itself' }, '–'))
  if (ms === null) return make('td', { class: 'unknown' }, 'not known')
  // In fifths of the slowest, so that a distant node stands out.
  return make('td', { 'data-heat': String(Math.ceil((ms / worst) * 5)) }, trip(ms))
}
