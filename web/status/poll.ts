// Asks the server again and again, also while it does not answer.

import { readStatus, type Status } from './status'

export const every = 2000 // milliseconds between an answer and the next question
const patience = 5000 // milliseconds for an answer

export type Outcome = { status: Status } | { failure: string }

/** Asks until stopped; tells what came of each question. */
export function poll(ask: () => Promise<unknown>, tell: (outcome: Outcome) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false
  const once = async () => {
    const outcome = await outcomeOf(ask)
    if (stopped) return
    tell(outcome)
    timer = setTimeout(() => void once(), every)
  }
  void once()
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}

async function outcomeOf(ask: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { status: readStatus(await ask()) }
  } catch (err) {
    return { failure: err instanceof Error ? err.message : String(err) }
  }
}

/** Asks the server that the page comes from. */
export async function askServer(): Promise<unknown> {
  const answer = await fetch('/status', { headers: { Accept: 'application/json' }, cache: 'no-store', signal: AbortSignal.timeout(patience) })
  if (!answer.ok) throw new Error(`it answers ${answer.status}`)
  return answer.json()
}
