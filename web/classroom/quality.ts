// How well a clock agrees with the server's, in words that a teacher can use.
// Pure. People hear two clicks apart from about 20 ms on; players feel 10 ms.

/** What is known of somebody's clock, in ms; null for what is not. */
export type Quality = { roundTrip: number | null; uncertainty: number | null; latency: number | null }

type Clocked = { clock: { ready: boolean; report(): { rtt_p50: number | null; uncertainty: number | null } }; latency(): number | null }

/** What a lesson knows of its own clock. */
export function qualityOf({ clock, latency }: Clocked): Quality {
  const { rtt_p50, uncertainty } = clock.report()
  return { roundTrip: rtt_p50, uncertainty: clock.ready ? uncertainty : null, latency: latency() }
}

export type Grade = 'unknown' | 'good' | 'fair' | 'poor'

const goodBelow = 5
const fairBelow = 15

export function grade({ uncertainty }: Quality): Grade {
  if (uncertainty === null) return 'unknown'
  if (uncertainty <= goodBelow) return 'good'
  return uncertainty <= fairBelow ? 'fair' : 'poor'
}

/** A word for each grade, so that nobody has to tell colours apart. */
export const gradeWords: Record<Grade, string> = {
  unknown: 'not known yet', good: 'in time', fair: 'nearly in time', poor: 'out of time',
}

/** What is behind the grade: "within 2.1 ms, round trip 18 ms, sound 24 ms". */
export function inNumbers({ roundTrip, uncertainty, latency }: Quality): string {
  const parts = [
    uncertainty !== null && `within ${milliseconds(uncertainty)}`,
    roundTrip !== null && `round trip ${milliseconds(roundTrip)}`,
    latency !== null && `sound ${milliseconds(latency)}`,
  ]
  return parts.filter(Boolean).join(', ')
}

/** Milliseconds as people read them. */
export function milliseconds(ms: number): string {
  return `${Math.abs(ms) < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`
}
