// Two small charts: how long heartbeats travel, and how many messages pass.

import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { find } from './dom'

const seconds = 60
const roundTrips = 60
const height = 130

type Series = { label: string; color: string } // color is the name of a CSS variable

export class Charts {
  #trips: [number[], number[]] = [[], []]
  #rates: [number[], number[], number[]] = [[], [], []]
  #received = 0
  #sent = 0
  readonly #trip: uPlot
  readonly #rate: uPlot

  constructor() {
    this.#trip = chart(find('rtt-chart'), [{ label: 'round trip', color: '--in' }])
    this.#rate = chart(find('rate-chart'), [
      { label: 'received', color: '--in' },
      { label: 'sent', color: '--out' },
    ])
    const now = Date.now() / 1000
    for (let i = seconds; i > 0; i--) this.#second(now - i, 0, 0)
    this.#rate.setData(this.#rates)
    setInterval(() => this.#tick(), 1000)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#trip.redraw()
      this.#rate.redraw()
    })
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
    this.#second(Date.now() / 1000, this.#received, this.#sent)
    find('rate-value').textContent = `${this.#received} in, ${this.#sent} out`
    this.#received = this.#sent = 0
    if (!document.hidden) this.#rate.setData(this.#rates)
  }

  #second(at: number, received: number, sent: number): void {
    const [times, ins, outs] = this.#rates
    times.push(at)
    ins.push(received)
    outs.push(sent)
    if (times.length > seconds) for (const column of this.#rates) column.shift()
  }
}

// Colours are asked for at each drawing, so that they follow the colour scheme.
function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

function chart(place: HTMLElement, series: Series[]): uPlot {
  const axis: uPlot.Axis = {
    stroke: () => color('--soft'),
    grid: { stroke: () => color('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  }
  const plot = new uPlot(
    {
      width: Math.max(place.clientWidth, 200),
      height,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 24, 0, 0],
      scales: {
        x: { range: (drawn) => span(drawn.data[0]) },
        y: { range: (_, __, max) => [0, Math.max(max * 1.15, 1)] },
      },
      axes: [
        { ...axis, size: 24, space: 70, values: (_, marks) => marks.map(timeOfDay) },
        { ...axis, size: 38, space: 28 },
      ],
      series: [
        {},
        ...series.map(
          ({ label, color: name }): uPlot.Series => ({
            label,
            stroke: () => color(name),
            width: 2,
            points: { show: series.length === 1, size: 5, fill: () => color(name) },
          }),
        ),
      ],
    },
    [[], ...series.map(() => [])] as unknown as uPlot.AlignedData,
    place,
  )
  new ResizeObserver(() => {
    if (place.clientWidth > 0) plot.setSize({ width: place.clientWidth, height })
  }).observe(place)
  return plot
}

// At least half a minute, for a lone point has no width of its own.
function span(times: ArrayLike<number>): [number, number] {
  const last = times[times.length - 1] ?? Date.now() / 1000
  return [Math.min(times[0] ?? last, last - 30), last]
}

function timeOfDay(at: number): string {
  const d = new Date(at * 1000)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`
}
