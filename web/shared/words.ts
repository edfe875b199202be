// Numbers and times as people read them.

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 })

/** A number with its thousands apart: 12,345. */
export function count(n: number): string {
  return grouped.format(n)
}

/** A number with its noun: 1 node, 2 nodes. */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`
}

/** A short time in milliseconds: 0.43 ms, 8.1 ms, 120 ms. */
export function trip(ms: number): string {
  return `${ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
}

/** How long something took, in its two largest units: 3 d 4 h. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const units: [number, string][] = [[86_400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']]
  const first = units.findIndex(([size]) => seconds >= size)
  if (first < 0) return '0 s'
  let rest = seconds
  const parts = units.slice(first, first + 2).map(([size, unit]) => {
    const n = Math.floor(rest / size)
    rest -= n * size
    return n > 0 ? `${n} ${unit}` : ''
  })
  return parts.filter(Boolean).join(' ')
}

/** A silence: 3.4 s. */
export function silence(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms)
}

/** The time of day: 14:02:11. */
export function timeOfDay(at: number): string {
  const d = new Date(at)
  return [d.getHours(), d.getMinutes(), d.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':')
}

/** Words as a sentence of their own. */
export function asSentence(words: string): string {
  return words && `${words.charAt(0).toUpperCase()}${words.slice(1)}.`
}

/** A list in words: a, b and c. */
export function listed(words: string[]): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
