// tutti dev: the server with a PostgreSQL of its own.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { newest } from './clients.mjs'
import { lives } from './cluster.mjs'
import { dev } from './dev.mjs'

// working returns the command lines of processes that work in a folder.
function working(folder) {
  const lines = []
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      if (line.includes(folder)) lines.push(line)
    } catch {
      // it has ended meanwhile
    }
  }
  return lines
}

test('tutti dev serves, leaves no process behind, and starts again with the same keys in under 3 s', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'tutti-dev-'))
  chmodSync(parent, 0o755) // PostgreSQL runs as somebody else when we are root
  const data = join(parent, 'data')
  try {
    const first = await dev(t, data)
    const client = newest(first)
    const status = await new Promise((resolve) => client.channel('room').subscribe(resolve))
    assert.equal(status, 'SUBSCRIBED')
    await client.realtime.disconnect()
    assert.ok(working(data).length > 0)

    first.child.kill('SIGINT')
    assert.deepEqual(await once(first.child, 'exit'), [0, null], first.log())
    assert.deepEqual(working(data), [])

    const second = await dev(t, data)
    assert.ok(second.took < 3000, `the second start took ${second.took} ms`)
    const again = newest(second, { key: first.anon })
    const rejoined = await new Promise((resolve) => again.channel('room').subscribe(resolve))
    assert.equal(rejoined, 'SUBSCRIBED', 'a key of the first start is good in the second')
    await again.realtime.disconnect()

    // Killed without a chance to clean up, it still takes PostgreSQL along.
    second.child.kill('SIGKILL')
    await once(second.child, 'exit')
    for (const until = performance.now() + 20_000; working(data).length > 0; ) {
      assert.ok(performance.now() < until, `left behind: ${working(data)}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  } finally {
    rmSync(parent, { recursive: true, force: true })
  }
})

test('tutti dev --nodes stops its nodes and PostgreSQL in order, and says which node ends before', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'tutti-dev-'))
  chmodSync(parent, 0o755)
  const data = join(parent, 'data')
  const ends = []
  try {
    const { child, nodes, log } = await dev({ after: (end) => ends.push(end) }, data, {}, 2)
    assert.deepEqual(nodes.map(({ name }) => name), ['node-1', 'node-2'])
    for (const node of nodes) {
      const channel = newest(node).channel('room')
      assert.equal(await new Promise((resolve) => channel.subscribe(resolve)), 'SUBSCRIBED')
      await channel.socket.disconnect()
    }
    process.kill(nodes[0].pid, 'SIGTERM')
    const ended = 'tutti: node-1 has ended (exit status 0), nodes that go on: 1'
    for (const until = performance.now() + 15_000; !log().includes(ended); ) {
      assert.ok(performance.now() < until, `it does not say so: ${log()}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    child.kill('SIGINT')
    assert.deepEqual(await once(child, 'exit'), [0, null], log())
    assert.deepEqual(working(data), [])
    assert.ok(!nodes.some(({ pid }) => lives(pid)), 'a node was left behind')
  } finally {
    for (const end of ends) end()
    rmSync(parent, { recursive: true, force: true })
  }
})
