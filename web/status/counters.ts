// The table of what was lost between nodes, and of all else that was counted.

import { find, make } from '../shared/dom'
import { losses, traffic, type Meaning } from './losses'
import type { Numbers, Status } from './status'
import { count } from '../shared/words'

export function showCounters(status: Status, lastMinute: Numbers): void {
  find('bus').hidden = status.alone
  if (status.alone) return
  find('bus-node').textContent = status.nodes[0]?.id ?? ''
  const wrong = losses.filter(({ name }) => (status.bus[name] ?? 0) > 0)
  find('no-loss').hidden = wrong.length > 0
  find('losses').hidden = wrong.length === 0
  fill(find('losses'), wrong, status.bus, lastMinute)
  fill(find('traffic'), [...traffic, ...losses.filter((one) => !wrong.includes(one))], status.bus, lastMinute)
}

function fill(table: HTMLElement, rows: readonly Meaning[], bus: Numbers, lastMinute: Numbers): void {
  table.querySelector('tbody')!.replaceChildren(...rows.map(({ name, title, meaning }) =>
    make(
      'tr', { 'data-counter': name },
      make('th', { scope: 'row' }, title),
      make('td', { class: 'number' }, count(bus[name] ?? 0)),
      make('td', { class: 'number soft' }, growth(lastMinute[name] ?? 0)),
      make('td', { class: 'meaning' }, meaning),
    ),
  ))
}

function growth(n: number): string {
  return n === 0 ? 'same' : `${n > 0 ? '+' : '−'}${count(Math.abs(n))}`
}
