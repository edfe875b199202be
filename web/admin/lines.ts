// Charts of the last ten minutes, and the small ones in the table of tenants.

import type uPlot from 'uplot'
import { chart, type Series } from '../shared/chart'

const span = 600_000 // milliseconds

/** A chart that keeps ten minutes, whether it is seen or not. */
export class Lines {
  readonly #plot: uPlot
  #columns: number[][]

  constructor(place: HTMLElement, series: Series[]) {
    this.#plot = chart(place, series, false)
    this.#columns = [[], ...series.map(() => [])]
  }

  /** Begins anew with what was before. */
  begin(points: readonly { at: number; values: readonly number[] }[]): void {
    this.#columns = this.#columns.map(() => [])
    for (const { at, values } of points) this.#push(at, values)
    this.#draw()
  }

  add(at: number, ...values: number[]): void {
    const last = this.#columns[0]!.at(-1)
    if (last !== undefined && at / 1000 <= last) return // what was known already
    this.#push(at, values)
    this.#draw()
  }

  #push(at: number, values: readonly number[]): void {
    this.#columns.forEach((column, i) => column.push(i === 0 ? at / 1000 : (values[i - 1] ?? 0)))
    const [times] = this.#columns
    const old = times!.findIndex((time) => time >= (at - span) / 1000)
    if (old > 0) for (const column of this.#columns) column.splice(0, old)
  }

  #draw(): void {
    if (!document.hidden) this.#plot.setData(this.#columns as unknown as uPlot.AlignedData)
  }
}

const [sparkWidth, sparkHeight] = [88, 22]
const sparkSamples = 60

/** A small line without numbers; the numbers stand beside it. */
export class Spark {
  readonly element = svg('svg', { class: 'spark', viewBox: `0 0 ${sparkWidth} ${sparkHeight}`, width: String(sparkWidth), height: String(sparkHeight), 'aria-hidden': 'true' })
  readonly #line = svg('polyline', { fill: 'none' })
  #values: number[] = []

  constructor() {
    this.element.append(this.#line)
  }

  add(value: number): void {
    this.#values.push(value)
    if (this.#values.length > sparkSamples) this.#values.shift()
    this.#line.setAttribute('points', sparkPoints(this.#values))
  }
}

/** Where the line goes: the newest at the right, a lone value as a short dash. */
export function sparkPoints(values: readonly number[]): string {
  const top = Math.max(...values, 1)
  const step = sparkWidth / (sparkSamples - 1)
  const at = (i: number, value: number) => `${(sparkWidth - (values.length - 1 - i) * step).toFixed(1)},${(sparkHeight - 2 - (value / top) * (sparkHeight - 4)).toFixed(1)}`
  const points = values.map((value, i) => at(i, value))
  if (values.length === 1) points.unshift(at(-1, values[0]!))
  return points.join(' ')
}

function svg<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Record<string, string>): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  return element
}
