// The example of the README is run as it stands there: the js block behind the
// mark, which must print the text block behind it.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { start } from './server.mjs'
import { before } from './until.mjs'

const mark = '<!-- e2e:example -->'
const here = fileURLToPath(new URL('.', import.meta.url))

function example(readme) {
  const at = readme.indexOf(mark)
  assert.ok(at >= 0, `the README has no example that is marked with ${mark}`)
  const blocks = /```js\n(.*?)```.*?```text\n(.*?)```/s.exec(readme.slice(at))
  assert.ok(blocks, 'no js block with a text block behind it follows the mark')
  return { script: blocks[1], output: blocks[2].trim() }
}

test('the example in the README prints what the README says', async (t) => {
  const { script, output } = example(await readFile(new URL('../README.md', import.meta.url), 'utf8'))
  const server = await start(t)
  const child = spawn(process.execPath, ['--input-type=module', '-'], {
    cwd: here, // where its imports are found
    env: { PATH: process.env.PATH, TUTTI_URL: server.url, TUTTI_KEY: server.anon },
  })
  t.after(() => child.kill())
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const ended = new Promise((resolve) => child.on('close', resolve))
  child.stdin.end(script)
  const status = await before(15_000, 'the end of the example', ended).catch((late) => late.message)
  assert.equal(out.trim(), output, err)
  assert.equal(status, 0, err)
})
