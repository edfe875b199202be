// What a series of ping answers says about the server's clock: pure arithmetic
// over samples, no timers. clock.ts feeds it.
//
// An offset is server time minus local time, in ms. All local times are
// readings of one clock that runs steadily (performance.now).

/** One answered ping: sent at c0, received by the server at s1, answered at s2, back at c1; ms of the clock that read it. */
export type Sample = { c0: number; s1: number; s2: number; c1: number }

/** Where the true offset lies at a local time, whatever the network did. */
export type Bounds = { at: number; low: number; high: number }

/** A frequency difference of two clocks, in parts per million, and the standard deviation of the guess. */
export type Drift = { ppm: number; sd: number }

/** How far the two clocks' rates may differ, and how coarse a reading may be. */
export type Limits = { maxDriftPpm: number; resolution: number }

/** The round trip without the time that the server took, in ms. */
export function roundTrip({ c0, s1, s2, c1 }: Sample): number {
  return c1 - c0 - (s2 - s1)
}

/**
 * The bounds that one sample gives at its c1. Delays are not negative, so the
 * offset was at most s1 - c0 when the ping arrived, and at least s2 - c1 when
 * the answer left, however the round trip divides: half a round trip to both
 * sides of the middle. Since then the clocks may have drifted apart.
 */
export function gate(sample: Sample, { maxDriftPpm, resolution }: Limits): Bounds {
  const { c0, s1, s2, c1 } = sample
  const slack = resolution + (c1 - c0) * maxDriftPpm * 1e-6
  return { at: c1, low: s2 - c1 - slack, high: s1 - c0 + slack }
}

/** The same bounds at another local time, when the offset moves by ppm give or take spread. */
export function carry({ at, low, high }: Bounds, to: number, ppm: number, spread: number): Bounds {
  const moved = (to - at) * ppm * 1e-6
  const grown = Math.abs(to - at) * spread * 1e-6
  return { at: to, low: low + moved - grown, high: high + moved + grown }
}

/** What both say, at the time of b; null when they contradict each other. */
export function narrow(a: Bounds, b: Bounds): Bounds | null {
  const low = Math.max(a.low, b.low)
  const high = Math.min(a.high, b.high)
  return low <= high ? { at: b.at, low, high } : null
}

/** The shortest round trip of a series, as a point for the drift. */
export type Point = { at: number; offset: number; rtt: number }

/** A sample as a point: the middle of what it allows. */
export function point(sample: Sample): Point {
  const { c0, s1, s2, c1 } = sample
  return { at: (c0 + c1) / 2, offset: (s1 - c0 + s2 - c1) / 2, rtt: roundTrip(sample) }
}

// Crystals of phones and laptops differ by tens of ppm; a slope that says more
// than a short series can know is drawn towards none.
const priorPpm = 50
const fewest = 4

/**
 * The drift by Theil and Sen: the median of the slopes of all pairs among the
 * points with the shorter round trips, which up to a quarter of bad ones don't
 * move. A guess that its scatter does not support is shrunk towards 0.
 */
export function drift(points: Point[], maxDriftPpm: number): Drift {
  const typical = median(points.map(({ rtt }) => rtt))
  const good = points.filter(({ rtt }) => rtt <= typical * 1.5 + 1)
  const unknown = { ppm: 0, sd: priorPpm }
  if (good.length < fewest) return unknown
  const slopes: number[] = []
  good.forEach((a, i) => {
    for (const b of good.slice(i + 1)) if (b.at !== a.at) slopes.push((b.offset - a.offset) / (b.at - a.at))
  })
  const slope = median(slopes)
  const sd = (1.1 * scatter(good, slope) * 1e6) / Math.sqrt(spreadOf(good.map(({ at }) => at)))
  if (!Number.isFinite(slope) || !Number.isFinite(sd)) return unknown
  const trust = priorPpm ** 2 / (priorPpm ** 2 + sd ** 2)
  const ppm = Math.max(-maxDriftPpm, Math.min(maxDriftPpm, slope * 1e6 * trust))
  return { ppm, sd: Math.sqrt(trust) * sd }
}

/** The standard deviation of the points around a line of this slope, by their median deviation; ms. */
export function scatter(points: Point[], slope: number): number {
  const rest = points.map(({ at, offset }) => offset - slope * (at - points[0]!.at))
  const middle = median(rest)
  return 1.4826 * median(rest.map((r) => Math.abs(r - middle)))
}

function spreadOf(values: number[]): number {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length
  return values.reduce((sum, v) => sum + (v - mean) ** 2, 0)
}

/** The middle value; NaN of none. */
export function median(values: number[]): number {
  return quantile(values, 0.5)
}

/** The value below which this share of the values lies; NaN of none. */
export function quantile(values: number[], share: number): number {
  if (values.length === 0) return NaN
  const sorted = [...values].sort((a, b) => a - b)
  const place = share * (sorted.length - 1)
  const below = sorted[Math.floor(place)]!
  return below + (sorted[Math.ceil(place)]! - below) * (place % 1)
}
