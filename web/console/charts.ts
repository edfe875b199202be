// Small charts: how long heartbeats travel, how many messages pass, and the same
// for changes of the database.

import type uPlot from 'uplot'
import { chart } from '../shared/chart'
import { find } from '../shared/dom'

const seconds = 60
const roundTrips = 60

export class Charts {
  #trips: [number[], number[]] = [[], []]
  #rates: [number[], number[], number[]] = [[], [], []]
  #changes: [number[], number[]] = [[], []]
  #latencies: [number[], (number | null)[], (number | null)[]] = [[], [], []]
  #received = 0
  #sent = 0
  #changed = 0
  #took: number[] = [] // latencies of this second
  readonly #trip: uPlot
  readonly #rate: uPlot
  readonly #change: uPlot
  readonly #latency: uPlot

  constructor() {
    this.#trip = chart(find('rtt-chart'), [{ label: 'round trip', color: '--in' }], true)
    this.#rate = chart(find('rate-chart'), [
      { label: 'received', color: '--in' },
      { label: 'sent', color: '--out' },
    ], false)
    this.#change = chart(find('changes-chart'), [{ label: 'changes', color: '--in' }], false)
    this.#latency = chart(find('latency-chart'), [
      { label: 'median', color: '--in' },
      { label: 'worst', color: '--out' },
    ], true)
    const now = Date.now() / 1000
    for (let i = seconds; i > 0; i--) {
      push(this.#rates, now - i, 0, 0)
      push(this.#changes, now - i, 0)
      push(this.#latencies, now - i, null, null)
    }
    this.#draw()
    setInterval(() => this.#tick(), 1000)
  }

  /** Counts a change; latency is in milliseconds, null when nobody knows. */
  change(latency: number | null): void {
    this.#changed++
    // A negative one is the fault of a clock and would only confuse.
    if (latency !== null && latency >= 0) this.#took.push(latency)
  }

  /** Shows the charts of changes, or hides them. */
  showChanges(shown: boolean): void {
    find('changes-charts').hidden = !shown
  }

  roundTrip(milliseconds: number): void {
    const [times, values] = this.#trips
    times.push(Date.now() / 1000)
    values.push(milliseconds)
    if (times.length > roundTrips) {
      times.shift()
      values.shift()
    }
    this.#trip.setData(this.#trips)
    find('rtt-value').textContent = `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`
  }

  count(received: boolean): void {
    if (received) this.#received++
    else this.#sent++
  }

  #tick(): void {
    const now = Date.now() / 1000
    const took = this.#took.sort((a, b) => a - b)
    const median = took[took.length >> 1] ?? null
    const worst = took.at(-1) ?? null
    push(this.#rates, now, this.#received, this.#sent)
    push(this.#changes, now, this.#changed)
    push(this.#latencies, now, median, worst)
    find('rate-value').textContent = `${this.#received} in, ${this.#sent} out`
    find('changes-value').textContent = String(this.#changed)
    // The last that is known stays, for changes are often rare.
    if (median !== null && worst !== null) find('latency-value').textContent = `${Math.round(median)} ms, ${Math.round(worst)} ms`
    this.#received = this.#sent = this.#changed = 0
    this.#took = []
    if (!document.hidden) this.#draw()
  }

  #draw(): void {
    this.#rate.setData(this.#rates)
    if (find('changes-charts').hidden) return
    this.#change.setData(this.#changes)
    this.#latency.setData(this.#latencies)
  }
}

/** Appends a second to columns, and lets the oldest go. */
function push(columns: (number | null)[][], ...values: (number | null)[]): void {
  columns.forEach((column, i) => {
    column.push(values[i] ?? null)
    if (column.length > seconds) column.shift()
  })
}
