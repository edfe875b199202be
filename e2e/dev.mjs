// Starts tutti dev: the server with a PostgreSQL of its own.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { binary } from './server.mjs'

const run = promisify(execFile)

/**
 * Starts tutti dev on a folder and returns it when it is ready. With more than
 * one node each of its nodes is a server as well, for clients of its own.
 */
export async function dev(t, data, env = {}, nodes = 1) {
  const began = performance.now()
  const child = spawn(binary, ['dev', '--data', data, '--port', '0', '--nodes', String(nodes)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  t.after(() => child.kill('SIGKILL'))
  let text = ''
  child.stderr.on('data', (chunk) => (text += chunk))
  const found = {}
  const places = []
  for await (const line of createInterface(child.stdout)) {
    text += line + '\n'
    const match = line.match(/^ {2}(page|URL|anon key|service key|psql) +'?(\S+?)'?$/)
    if (match) found[match[1]] = match[2]
    const place = line.match(/^ {2}(node-\d+) +(\S+) +process (\d+)$/)
    if (place) places.push(place)
    if (found.psql) break
  }
  child.stdout.resume()
  assert.ok(found.psql, `tutti dev is not ready:\n${text}`)
  const common = { anon: found['anon key'], service: found['service key'], guest: () => {} }
  return {
    ...common,
    child,
    found,
    url: found.URL,
    page: found.page,
    nodes: places.map(([, name, url, pid]) => ({ ...common, name, url, page: `${url}/${new URL(found.page).hash}`, pid: Number(pid) })),
    took: performance.now() - began,
    log: () => text,
    /** Runs SQL, each statement in a transaction of its own, and returns what it prints. */
    sql: async (...statements) => {
      const flags = statements.flatMap((statement) => ['-c', statement])
      const { stdout } = await run('psql', [found.psql, '-qAtX', '-v', 'ON_ERROR_STOP=1', ...flags])
      return stdout.trim()
    },
  }
}

/** A secret that tests sign tokens with. */
export const secret = 'a-secret-of-at-least-thirty-two-characters'

/** Starts tutti dev for all tests of a file; end stops it. */
export async function devForAll(nodes = 1, env = {}) {
  const parent = mkdtempSync(join(tmpdir(), 'tutti-dev-'))
  chmodSync(parent, 0o755) // PostgreSQL runs as somebody else when we are root
  const ends = []
  const server = await dev({ after: (f) => ends.push(f) }, join(parent, 'data'), {
    API_JWT_SECRET: secret,
    CHANNEL_ERROR_BACKOFF_MS: '100',
    CONNECT_ERROR_BACKOFF_MS: '100',
    TENANT_MAX_EVENTS_PER_SECOND: '10000',
    TENANT_MAX_JOINS_PER_SECOND: '10000',
    ...env,
  }, nodes)
  const guests = []
  for (const one of [server, ...server.nodes]) one.guest = (leave) => guests.push(leave)
  const gone = once(server.child, 'exit')
  server.end = async () => {
    for (const leave of guests) await leave()
    server.child.kill('SIGINT')
    await gone
    for (const end of ends) end()
    // Each line of a node has its name before it.
    assert.doesNotMatch(server.log(), /^(node-\d+ \| )?(panic: |fatal error: |WARNING: DATA RACE)/m, 'the server must not break')
    rmSync(parent, { recursive: true, force: true })
  }
  return server
}
