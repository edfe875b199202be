// Starts the real binary on a free port and stops it again. A test fails when
// its server fails: at a status that is not zero, a panic or a data race.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import dns from 'node:dns'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { before } from './until.mjs'

// TUTTI_BINARY may name another, such as one with the race detector in it.
export const binary = process.env.TUTTI_BINARY ?? fileURLToPath(new URL('../bin/tutti', import.meta.url))

// A test should not wait as long as a client that misbehaves has to.
const quick = { CHANNEL_ERROR_BACKOFF_MS: '100', CONNECT_ERROR_BACKOFF_MS: '100' }

// Names below localhost are this machine, says RFC 6761. Browsers know that, but
// the resolver that Node asks often does not.
const ask = dns.lookup
dns.lookup = (name, ...rest) => ask(name.endsWith('.localhost') ? 'localhost' : name, ...rest)

/**
 * Starts a server that ends with the test.
 * @param {import('node:test').TestContext} t
 * @param {{env?: Record<string, string>, tenants?: string, port?: number}} options
 *   tenants is the content of a tenants file; without one there is a ready-made tenant
 */
export async function start(t, { env = {}, tenants, port = 0 } = {}) {
  const server = new Server()
  t.after(() => server.end())
  const args = ['serve', '--port', String(port)]
  if (tenants !== undefined) {
    server.folder = await mkdtemp(join(tmpdir(), 'tutti-e2e-'))
    const file = join(server.folder, 'tenants.yaml')
    await writeFile(file, tenants)
    args.push('--tenants', file)
  }
  await server.run(args, { ...quick, ...env })
  return server
}

/** Runs the command line once and returns what it prints. */
export async function tutti(...args) {
  const child = spawn(binary, args, { env: clean({}) })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const [status] = await before(5_000, `the end of tutti ${args[0]}`, once(child, 'close'))
  assert.equal(status, 0, err)
  return out.trim()
}

export class Server {
  folder = '' // of the tenants file
  out = ''
  log = ''
  #child
  #closed
  #ended = false
  #guests = []

  async run(args, env) {
    this.#child = spawn(binary, args, { env: clean(env) })
    this.#closed = once(this.#child, 'close')
    this.#child.stderr.on('data', (chunk) => (this.log += chunk))
    const ready = new Promise((resolve, reject) => {
      this.#child.stdout.on('data', (chunk) => {
        this.out += chunk
        // The last line of the greeting, with and without a ready-made tenant.
        if (/unless API_JWT_SECRET is set\.\n|ready: \S+\n/.test(this.out)) resolve()
      })
      this.#closed.then(([status]) => reject(new Error(`the server ended with status ${status}:\n${this.log}`)), reject)
    })
    await before(10_000, 'the greeting of the server', ready)
    this.url = this.#printed(/(?:URL +|ready: )(http:\S+)/)
    this.page = this.#printed(/page +(\S+)/)
    this.anon = this.#printed(/anon key +(\S+)/)
    this.service = this.#printed(/service key +(\S+)/)
    this.port = Number(new URL(this.url).port)
  }

  #printed(pattern) {
    return pattern.exec(this.out)?.[1] ?? ''
  }

  /** The address under which a tenant of the file is reached. */
  host(tenant) {
    return `http://${tenant}.localhost:${this.port}`
  }

  /** Calls leave before the server ends, so that a client goes first. */
  guest(leave) {
    this.#guests.push(leave)
  }

  /** Asks the server to stop; returns the milliseconds that it took. */
  async stop() {
    if (this.#ended) return 0
    this.#ended = true
    const begin = performance.now()
    this.#child.kill('SIGTERM')
    let how
    try {
      how = await before(12_000, 'the end of the server', this.#closed)
    } catch (err) {
      this.#child.kill('SIGKILL')
      throw err
    }
    const [status, signal] = how
    assert.doesNotMatch(this.log, /^panic: |^fatal error: |DATA RACE/m, 'the server must not break')
    assert.equal(status, 0, `the server ended with status ${status} (${signal}):\n${this.log}`)
    return performance.now() - begin
  }

  /** Ends the server without a chance to do anything about it. */
  async kill() {
    this.#ended = true
    this.#child.kill('SIGKILL')
    await this.#closed
  }

  async end() {
    await Promise.all(this.#guests.map((leave) => leave()))
    try {
      if (this.#child) await this.stop()
    } finally {
      if (this.folder) await rm(this.folder, { recursive: true })
    }
  }
}

// A server of a test must not inherit the settings of the developer.
function clean(env) {
  return { PATH: process.env.PATH, HOME: process.env.HOME, ...env }
}
