// Why no connection comes about. Browsers hide the answer to a refused handshake;
// the server gives the same answer to a plain request.

/** Asks the server; returns its reason, or in words that there is none. */
export async function whyRefused(url: string, key: string): Promise<string> {
  try {
    const answer = await fetch(`${url}/realtime/v1/websocket?apikey=${encodeURIComponent(key)}&vsn=2.0.0`, { cache: 'no-store', signal: AbortSignal.timeout(10_000) })
    const { error } = (await answer.json()) as { error?: unknown }
    return typeof error === 'string' ? error : 'it is there, but no connection comes about'
  } catch {
    return 'it does not answer at this address'
  }
}
