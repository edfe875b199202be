// A small chart of numbers over time, for a strip of some minutes.

import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

const height = 130

/** A line of a chart; color is the name of a CSS variable. */
export type Series = { label: string; color: string }

/**
 * Makes a chart that follows the width of its place and the colour scheme.
 * Points show lone values, which a line between neighbours would not.
 */
export function chart(place: HTMLElement, series: Series[], points: boolean): uPlot {
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
        { ...axis, size: 42, space: 28, values: (_, marks) => marks.map(brief) },
      ],
      series: [
        {},
        ...series.map(
          ({ label, color: name }): uPlot.Series => ({
            label,
            stroke: () => color(name),
            width: 2,
            points: { show: points, size: 5, fill: () => color(name) },
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
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.redraw())
  return plot
}

// As much as there is room for: 4,000 but 10k.
function brief(n: number): string {
  return n >= 1e7 ? `${n / 1e6}M` : n >= 1e4 ? `${n / 1e3}k` : n.toLocaleString('en-US')
}

// Colours are asked for at each drawing, so that they follow the colour scheme.
function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
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
