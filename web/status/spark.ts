// A small chart of connections over the last minutes.

import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { span, type Sample } from './memory'

const height = 64

export class Spark {
  readonly element: HTMLElement
  readonly #plot: uPlot

  constructor(element: HTMLElement) {
    this.element = element
    this.#plot = new uPlot(
      {
        width: Math.max(element.clientWidth, 120),
        height,
        legend: { show: false },
        cursor: { show: false },
        padding: [4, 0, 2, 0],
        scales: {
          x: { range: () => [(Date.now() - span) / 1000, Date.now() / 1000] },
          y: { range: (_, __, max) => [0, Math.max(max * 1.15, 1)] },
        },
        axes: [{ show: false }, { show: false }],
        // Colours are asked for at each drawing, so that they follow the scheme.
        series: [{}, { stroke: () => color('--in'), fill: () => color('--in-back'), width: 2, points: { show: false } }],
      },
      [[], []],
      element,
    )
    new ResizeObserver(() => {
      if (element.clientWidth > 0) this.#plot.setSize({ width: element.clientWidth, height })
    }).observe(element)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#plot.redraw())
  }

  show(samples: Sample[]): void {
    if (!document.hidden) this.#plot.setData([samples.map(({ at }) => at / 1000), samples.map(({ connections }) => connections)])
  }
}

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}
