// Every command in the documents is run, or says where it is. A block of commands
// has a mark before it, which the reader of the page does not see:
//
//   <!-- run -->              it is run, in the document's own folder
//   <!-- serve -->            it starts a server, which the blocks below it can use
//   <!-- elsewhere: FILE -->  what FILE tests
//   <!-- settings -->         nothing is run: variables, which docs/configuration.md must have
//   <!-- on your machine -->  what belongs to other programs, on a machine of the reader's
//
// A text block behind a block that is run is what it must print, line by line; "…"
// stands for anything.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { binary } from './server.mjs'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const here = fileURLToPath(new URL('.', import.meta.url))
const documents = ['README.md', ...readdirSync(join(root, 'docs')).filter((f) => f.endsWith('.md')).map((f) => `docs/${f}`)].filter(
  (f) => !process.env.DOCUMENT || f.endsWith(process.env.DOCUMENT),
)
const marks = /^<!-- (run|serve|settings|on your machine|elsewhere: (\S+)|e2e:example) -->$/

/** Returns the fenced blocks of a document, with the mark before each. */
function blocks(text) {
  const lines = text.split('\n')
  const found = []
  for (let i = 0; i < lines.length; i++) {
    const fence = /^(\s*)```(\w*)\s*$/.exec(lines[i])
    if (!fence) continue
    const body = []
    const at = i + 1
    while (!lines[++i]?.trim().startsWith('```')) body.push(lines[i].slice(fence[1].length))
    let before = at - 2
    while (before >= 0 && lines[before].trim() === '') before--
    const mark = marks.exec(lines[before]?.trim() ?? '')
    found.push({ line: at, language: fence[2], text: body.join('\n'), mark: mark?.[1], file: mark?.[2] })
  }
  return found
}

const isCommand = (block) => ['sh', 'bash', 'sql'].includes(block.language)

/** Says where what was printed differs from what the document says. */
function differs(printed, wanted) {
  const lines = printed.trim().split('\n')
  const pattern = (line) => new RegExp('^' + line.trimEnd().split('…').map((s) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*') + '$')
  let at = 0
  for (const line of wanted.trim().split('\n')) {
    if (line.trim() === '…') continue
    while (at < lines.length && !pattern(line).test(lines[at].trimEnd())) at++
    if (at === lines.length) return `nothing is like ${JSON.stringify(line)} in\n${printed}`
    at++
  }
}

/** A session is a folder, an environment, and servers that end with the test. */
class Session {
  constructor(t) {
    this.t = t
    this.folder = mkdtempSync(join(tmpdir(), 'tutti-document-'))
    chmodSync(this.folder, 0o755) // PostgreSQL does not run as root
    t.after(() => rmSync(this.folder, { recursive: true, force: true }))
    const bin = join(this.folder, '.bin')
    mkdirSync(bin)
    symlinkSync(binary, join(bin, 'tutti'))
    this.env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, TUTTI_DATA: join(this.folder, '.data'), PORT: '0', HOME: this.folder, NODE_PATH: join(here, 'node_modules') }
    this.url = undefined
  }

  command(text) {
    if (this.url) text = text.replaceAll('http://localhost:4000', this.url).replaceAll('localhost:4000', new URL(this.url).host)
    return ['bash', ['-euo', 'pipefail', '-c', text], { cwd: /^make /m.test(text) ? root : this.folder, env: this.env }]
  }

  /** Starts a server and returns when it says that it is ready. */
  async serve(text) {
    const [program, flags, options] = this.command(`exec env ${text}`)
    const child = spawn(program, flags, { ...options, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const ended = new Promise((resolve) => child.on('exit', resolve))
    this.t.after(async () => {
      if (child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
      await ended
    })
    let printed = ''
    child.stderr.on('data', (chunk) => (printed += chunk))
    for await (const line of createInterface(child.stdout)) {
      printed += line + '\n'
      const word = line.match(/^ {2}(page|URL|anon key|service key|psql|admin) +'?(\S+?)'?$/)
      const name = { URL: 'TUTTI_URL', 'anon key': 'TUTTI_KEY', 'service key': 'SERVICE_KEY', psql: 'DATABASE_URL' }[word?.[1]]
      if (name) this.env[name] = word[2]
      if (/is ready: (\S+)$/.test(line)) this.env.TUTTI_URL = line.match(/is ready: (\S+)$/)[1]
      if (word?.[1] === 'psql' || (/Ctrl-C stops|is ready: /.test(line) && !/\bdev\b|make run/.test(text))) break
    }
    child.stdout.resume()
    const keys = join(this.env.TUTTI_DATA, 'keys.json')
    if (existsSync(keys)) this.env.API_JWT_SECRET = JSON.parse(readFileSync(keys, 'utf8')).jwt_secret
    this.url = this.env.TUTTI_URL
    assert.ok(this.url, `it is not ready:\n${printed}`)
  }

  async run(block) {
    if (block.language === 'sql') {
      return (await run('psql', [this.env.DATABASE_URL, '-qAtX', '-v', 'ON_ERROR_STOP=1', '-c', block.text], { env: this.env })).stdout
    }
    const [program, flags, options] = this.command(block.text)
    const done = await run(program, flags, { ...options, timeout: 60_000 }).catch((failed) => {
      throw new Error(`line ${block.line}: ${failed.message}\n${failed.stdout}\n${failed.stderr}`)
    })
    return done.stdout + done.stderr
  }
}

const settings = new Set(readFileSync(join(root, 'docs/configuration.md'), 'utf8').match(/`[A-Z][A-Z0-9_]+`/g)?.map((s) => s.slice(1, -1)))

for (const name of documents) {
  test(`the commands of ${name}`, { concurrency: false }, async (t) => {
    const all = blocks(readFileSync(join(root, name), 'utf8'))
    const session = new Session(t)
    for (const [i, block] of all.entries()) {
      const place = `${name}:${block.line}`
      assert.ok(block.mark || !isCommand(block), `${place}: commands without a mark that says who runs them`)
      if (block.mark === 'serve') await session.serve(block.text.replace(/#.*$/gm, '').trim())
      if (block.mark === 'run') {
        const printed = await session.run(block)
        const next = all[i + 1]
        if (next?.language === 'text' && next.mark === undefined) assert.equal(differs(printed, next.text), undefined, place)
      }
      if (block.file) assert.ok(existsSync(join(root, block.file)), `${place}: there is no ${block.file}`)
      if (block.mark === 'settings') {
        for (const [, variable] of block.text.matchAll(/(?:^|\s)([A-Z][A-Z0-9_]{2,})=/gm)) {
          assert.ok(settings.has(variable), `${place}: ${variable} is no setting; ${basename('docs/configuration.md')} has all`)
        }
      }
    }
  })
}
