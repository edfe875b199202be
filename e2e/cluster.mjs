// What tests of several nodes need besides clients: somebody in front of the
// nodes, what an operator does, and what a node knows.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { token } from './clients.mjs'
import { secret } from './dev.mjs'

/**
 * Starts what stands in front of nodes: a client that comes is passed on to the
 * first of them that lets it in. It has what clients need of a server.
 */
export async function balancer(t, nodes) {
  const ends = new Set()
  const keep = (end) => {
    ends.add(end)
    end.on('error', () => {}) // the close that follows is what counts
    end.on('close', () => ends.delete(end))
  }
  const pass = (client, [node, ...others]) => {
    if (!node) return client.destroy()
    const way = connect(Number(new URL(node.url).port), 'localhost')
    keep(way)
    let open = false
    way.on('connect', () => {
      open = true
      client.pipe(way).pipe(client)
      client.on('close', () => way.destroy())
    })
    way.on('close', () => (open ? client.destroy() : pass(client, others)))
  }
  const front = createServer((client) => {
    keep(client)
    pass(client, nodes)
  })
  t.after(() => {
    front.close()
    for (const end of ends) end.destroy()
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  return { ...nodes[0], url: `http://127.0.0.1:${front.address().port}` }
}

/** Asks a node's management API, and returns the answer's JSON, if it has any. */
export async function manage(node, method, path, body) {
  const answer = await fetch(`${node.url}/api/tenants/${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token(secret, 60, { role: 'service_role' })}` },
    body: body && JSON.stringify(body),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path} at ${node.name}: ${answer.status} ${text}`)
  return text && JSON.parse(text)
}

/** Makes a tenant at a node, and returns how clients reach it at any node. */
export async function tenant(node, name, settings) {
  await manage(node, 'PUT', name, { tenant: { jwt_secret: secret, extensions: [], ...settings } })
  const key = token(secret, 3600, { role: 'anon' })
  return (node) => ({ url: `http://${name}.localhost:${new URL(node.url).port}`, key })
}

/** Returns what a node says of itself and the others. */
export async function status(node) {
  const answer = await fetch(`${node.url}/status`, { headers: { Accept: 'application/json' } })
  return answer.json()
}

/** Returns the name of the node that reads databases for all, undefined when none does. */
export async function owner(node) {
  const { cluster } = await status(node)
  return cluster.nodes.find(({ load }) => load?.feeds_owned > 0)?.id
}

/** Asks again and again until it is so. */
export async function eventually(what, ask, milliseconds = 10_000) {
  const end = performance.now() + milliseconds
  for (;;) {
    const found = await ask()
    if (found) return found
    if (performance.now() > end) throw new Error(`waited ${milliseconds} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Whether a process lives; one that nobody has waited for yet does not. */
export function lives(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
  } catch {
    return false
  }
}
