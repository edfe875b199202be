// One connection to a server: made and ended on request, watched meanwhile.
// The real supabase-js does the work; this module sees each frame on its way.

import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { baseURL } from './address'
import { explain, explainClose, type Explanation } from './explain'
import { decode, type Direction, type Frame } from './frames'

export type Version = '1.0.0' | '2.0.0'

export type Settings = { url: string; key: string; userToken: string; vsn: Version }

export type ConnectionState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting'

export type Watcher = {
  state(state: ConnectionState, problem: Explanation | null): void
  frame(frame: Frame): void
  roundTrip(milliseconds: number): void
}

// The library's own 25 s would make a dull chart.
const heartbeatMs = 5_000
const day = 24 * 60 * 60 * 1000

type Session = { client: SupabaseClient; asked: boolean }

export class Connection {
  #session: Session | null = null
  #userToken = ''
  #heartbeats = new Map<string, number>() // ref → when it was sent
  readonly #watch: Watcher

  constructor(watch: Watcher) {
    this.#watch = watch
  }

  get client(): SupabaseClient | null {
    return this.#session?.client ?? null
  }

  /** Connects, ending the previous connection. Problems are told to the watcher. */
  async connect(settings: Settings): Promise<void> {
    await this.disconnect()
    const url = baseURL(settings.url)
    if (!url || !settings.key) {
      const missing = url ? 'key' : 'address'
      this.#watch.state('disconnected', {
        title: `The ${missing} is missing or not valid`,
        cause: url ? 'Every connection needs a key.' : 'The server’s address looks like http://localhost:4000.',
        cure: 'The server prints a link with both when it starts.',
      })
      return
    }
    this.#userToken = settings.userToken
    this.#watch.state('connecting', null)
    const session: Session = { client: this.#open(url, settings, () => session), asked: false }
    this.#session = session
    session.client.realtime.connect()
  }

  async disconnect(): Promise<void> {
    const session = this.#session
    if (!session) return
    this.#session = null
    this.#heartbeats.clear()
    await session.client.removeAllChannels()
    await session.client.realtime.disconnect()
    this.#watch.state('disconnected', null)
  }

  /** Sends another user token to all joined topics; "" goes back to the key. */
  async setUserToken(token: string): Promise<void> {
    this.#userToken = token
    await this.#session?.client.realtime.setAuth()
  }

  #open(url: string, settings: Settings, session: () => Session): SupabaseClient {
    const mine = () => this.#session === session()
    const transport = tapped({
      frame: (data, direction) => this.#frame(data, direction),
      opened: () => {
        if (!mine()) return
        session().asked = false
        this.#watch.state('connected', null)
        // Early, so that the chart has a first point, but not while a page still
        // starts: that would measure the page.
        setTimeout(() => mine() && void session().client.realtime.sendHeartbeat(), 1000)
      },
      closed: (socketURL, code, wasOpen) => {
        if (mine()) void this.#closed(session(), socketURL, code, wasOpen)
      },
    })
    return createClient(url, settings.key, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
      accessToken: async () => this.#userToken || settings.key,
      realtime: {
        transport,
        vsn: settings.vsn,
        heartbeatIntervalMs: heartbeatMs,
        disconnectOnEmptyChannelsAfterMs: day, // here people disconnect, not timers
      },
    })
  }

  #frame(data: string | ArrayBuffer, direction: Direction): void {
    const frame = decode(data, direction)
    if (frame.topic === 'phoenix' && frame.ref !== null) {
      const sent = this.#heartbeats.get(frame.ref)
      if (direction === 'out') this.#heartbeats.set(frame.ref, performance.now())
      else if (sent !== undefined) {
        this.#heartbeats.delete(frame.ref)
        this.#watch.roundTrip(performance.now() - sent)
      }
    }
    this.#watch.frame(frame)
  }

  async #closed(session: Session, socketURL: string, code: number, wasOpen: boolean): Promise<void> {
    this.#heartbeats.clear()
    if (session.asked) return // the words for the first failure still stand
    this.#watch.state('reconnecting', explainClose(code, wasOpen))
    if (wasOpen) return
    session.asked = true
    const answer = await askOverHTTP(socketURL)
    if (answer && this.#session === session && !session.client.realtime.isConnected()) {
      this.#watch.state('reconnecting', answer)
    }
  }
}

// Browsers hide the answer to a refused handshake. The server gives the same
// answer to a plain request, which a page may read when it comes from there.
async function askOverHTTP(socketURL: string): Promise<Explanation | null> {
  try {
    const answer = await fetch(socketURL.replace(/^ws/, 'http'), { cache: 'no-store', signal: AbortSignal.timeout(10_000) })
    const body: unknown = await answer.json()
    const reason = typeof body === 'object' && body !== null && 'error' in body ? String(body.error) : ''
    if (answer.ok || reason === '') return null
    const words = explain(reason)
    return { ...words, title: `The server refused the connection (${answer.status}): ${reason}` }
  } catch {
    return null
  }
}

type Tap = {
  frame(data: string | ArrayBuffer, direction: Direction): void
  opened(): void
  closed(url: string, code: number, wasOpen: boolean): void
}

function tapped(tap: Tap): typeof WebSocket {
  return class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols)
      let wasOpen = false
      this.addEventListener('open', () => {
        wasOpen = true
        tap.opened()
      })
      this.addEventListener('message', (message) => tap.frame(message.data, 'in'))
      this.addEventListener('close', (close) => tap.closed(this.url, close.code, wasOpen))
    }

    override send(data: string | ArrayBuffer | Blob | ArrayBufferView<ArrayBuffer>): void {
      if (typeof data === 'string' || data instanceof ArrayBuffer) tap.frame(data, 'out')
      super.send(data)
    }
  }
}
