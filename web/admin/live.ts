// A stream of events that is opened again whenever it is lost.

import { Fault, type Server } from './server'

const firstWait = 500 // milliseconds
const longestWait = 10_000

export type LiveState = { state: 'connecting' | 'live' } | { state: 'lost'; fault: Fault; again: number } // again: milliseconds until the next try

export type LiveWatcher = {
  state: (state: LiveState) => void
  event: (name: string, data: unknown) => void
}

/** Follows a stream until the function that it returns is called. */
export function follow(server: Server, path: string, watcher: LiveWatcher): () => void {
  const stop = new AbortController()
  void run(server, path, watcher, stop.signal)
  return () => stop.abort()
}

async function run(server: Server, path: string, watcher: LiveWatcher, signal: AbortSignal): Promise<void> {
  let failures = 0
  watcher.state({ state: 'connecting' })
  while (!signal.aborted) {
    let fault = new Fault(0, 'StreamEnded', 'The server ended the stream.', 'It may be restarting.')
    try {
      await server.stream(path, () => watcher.state({ state: 'live' }), (event) => {
        failures = 0
        if (!signal.aborted) watcher.event(event.name, parse(event.data))
      }, signal)
    } catch (err) {
      if (err instanceof Fault) fault = err
    }
    // 401 leads to the door, from where all begins anew.
    if (signal.aborted || fault.status === 401) return
    const again = waitFor(failures++)
    watcher.state({ state: 'lost', fault, again })
    await pause(again, signal)
  }
}

/** How long to wait after so many failures in a row, in milliseconds. */
export function waitFor(failures: number): number {
  return Math.min(firstWait * 2 ** failures, longestWait)
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return null
  }
}
