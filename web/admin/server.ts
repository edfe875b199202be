// Asks the server that the page comes from. Whoever is not let in is sent to
// the door by the one who listens to `refused`.

import { Parser, type Event } from './sse'

const patience = 15_000 // milliseconds for an answer
const longestSilence = 25_000 // milliseconds without a byte until a stream counts as lost

/** Why the server did not do what it was asked for. */
export class Fault extends Error {
  readonly status: number // 0: there was no answer
  readonly code: string
  readonly cure: string
  readonly fields: Readonly<Record<string, string[]>>

  constructor(status: number, code: string, message: string, cure: string, fields: Readonly<Record<string, string[]>> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.cure = cure
    this.fields = fields
  }
}

export class Server {
  /** The Authorization header; "" is nobody's. */
  credentials = ''
  /** Called when the credentials are not good, or no longer. */
  refused: (fault: Fault) => void = () => {}

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.#ask('GET', path, undefined, signal)
  }

  send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body: unknown = {}): Promise<T> {
    return this.#ask(method, path, body)
  }

  /** Reads a stream of events until it ends, is lost, or signal says stop. */
  async stream(path: string, open: () => void, take: (event: Event) => void, signal: AbortSignal): Promise<void> {
    const lost = new AbortController()
    let timer = setTimeout(() => lost.abort(), longestSilence)
    try {
      const answer = await this.#fetch('GET', path, undefined, AbortSignal.any([signal, lost.signal]))
      if (!answer.body) return
      open()
      const parser = new Parser()
      const text = new TextDecoder()
      const reader = answer.body.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        clearTimeout(timer)
        timer = setTimeout(() => lost.abort(), longestSilence)
        for (const event of parser.push(text.decode(value, { stream: true }))) take(event)
      }
    } finally {
      clearTimeout(timer)
    }
  }

  async #ask<T>(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    const late = AbortSignal.timeout(patience)
    const answer = await this.#fetch(method, path, body, signal ? AbortSignal.any([signal, late]) : late)
    return (answer.status === 204 ? {} : await readJSON(answer)) as T
  }

  async #fetch(method: string, path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    const used = this.credentials
    const headers: Record<string, string> = { Accept: 'application/json', Authorization: used, 'X-Requested-With': 'tutti' }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    let answer: Response
    try {
      answer = await fetch(`/admin/api/${path}`, {
        method, headers, signal, cache: 'no-store', credentials: 'omit', redirect: 'error',
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
    } catch (err) {
      throw unreachable(err)
    }
    if (answer.ok) return answer
    const fault = faultOf(answer.status, await answer.text().catch(() => ''), answer.headers.get('Retry-After'))
    // An answer to old credentials says nothing about the new ones.
    if (fault.status === 401 && used === this.credentials) this.refused(fault)
    throw fault
  }
}

function unreachable(err: unknown): Fault {
  const late = err instanceof DOMException && err.name === 'TimeoutError'
  return new Fault(0, late ? 'Late' : 'Unreachable', late ? `There was no answer within ${patience / 1000} s.` : 'The server does not answer.', 'Look whether it runs, and whether this machine reaches it.')
}

async function readJSON(answer: Response): Promise<unknown> {
  try {
    return await answer.json()
  } catch {
    throw new Fault(answer.status, 'NotJSON', 'The answer is not what this page understands.', 'Load the page again: the server may be of another version.')
  }
}

/** Words an answer that is an error, also one that something in between wrote. */
export function faultOf(status: number, text: string, retryAfter: string | null): Fault {
  let body: Record<string, unknown> = {}
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null) body = parsed as Record<string, unknown>
  } catch {
    // No JSON: said below.
  }
  const word = (name: string) => (typeof body[name] === 'string' ? body[name] : '')
  const wait = retryAfter && /^\d+$/.test(retryAfter) ? `Try again in ${retryAfter} s.` : ''
  return new Fault(status, word('code'), word('error') || `The server answers ${status}.`, [word('cure'), wait].filter(Boolean).join(' '), fieldsOf(body.errors))
}

function fieldsOf(errors: unknown): Record<string, string[]> {
  if (typeof errors !== 'object' || errors === null) return {}
  return Object.fromEntries(Object.entries(errors).map(([name, texts]) => [name, (Array.isArray(texts) ? texts : [texts]).map(String)]))
}
