// Numbers as the page shows them. Pure.

import { duration } from '../shared/words'

/** A number of bytes in a unit that fits: 1.5 MB. */
export function bytes(n: number | undefined): string {
  if (n === undefined || !Number.isFinite(n)) return '–'
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let i = 0
  for (; Math.abs(n) >= 999.5 && i < units.length - 1; i++) n /= 1000
  return `${i === 0 || Math.abs(n) >= 99.5 ? Math.round(n) : n.toFixed(1)} ${units[i]}`
}

/** A rate: few with a digit behind the dot, many without. */
export function rate(n: number | undefined): string {
  if (n === undefined || !Number.isFinite(n)) return '–'
  return n === 0 ? '0' : n < 10 ? n.toFixed(1) : Math.round(n).toLocaleString('en-US')
}

/** How far behind something is, in time. */
export function lag(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return '–'
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds * 1000)
}

/** A share in whole percent; never 100 for what is less. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return ''
  return `${part < whole ? Math.min(99, Math.round((100 * part) / whole)) : Math.floor((100 * part) / whole)} %`
}
