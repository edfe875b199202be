import { afterEach, describe, expect, test, vi } from 'vitest'
import { Fault, faultOf, Server } from './server'

afterEach(() => vi.unstubAllGlobals())

describe('an error', () => {
  test('has its code, its cure and its fields', () => {
    const body = JSON.stringify({ error: 'not so', code: 'Invalid', cure: 'do it so', errors: { external_id: ['is taken'], name: 'is long' } })
    expect(faultOf(422, body, null)).toMatchObject({ status: 422, code: 'Invalid', message: 'not so', cure: 'do it so', fields: { external_id: ['is taken'], name: ['is long'] } })
  })
  test('of something in between is said plainly', () => {
    for (const text of ['<h1>Bad gateway</h1>', '', 'null', '[1]']) expect(faultOf(502, text, null)).toMatchObject({ code: '', message: 'The server answers 502.', cure: '' })
  })
  test('says when to try again', () => expect(faultOf(429, '{"cure":"Slow down."}', '30').cure).toBe('Slow down. Try again in 30 s.'))
})

function answering(...answers: (Response | Error)[]): ReturnType<typeof vi.fn> {
  const fetch = vi.fn(async () => {
    const next = answers.shift()!
    if (next instanceof Error) throw next
    return next
  })
  vi.stubGlobal('fetch', fetch)
  return fetch
}

test('each question has the credentials and the header that no form can send', async () => {
  const fetch = answering(Response.json({ ok: true }))
  const server = new Server()
  server.credentials = 'Bearer x'
  expect(await server.send('POST', 'tenants/a/kick', { topic: 't' })).toEqual({ ok: true })
  const [path, init] = fetch.mock.calls[0] as [string, RequestInit]
  expect(path).toBe('/admin/api/tenants/a/kick')
  expect(init).toMatchObject({ method: 'POST', body: '{"topic":"t"}', headers: { Authorization: 'Bearer x', 'X-Requested-With': 'tutti', 'Content-Type': 'application/json' } })
})

test('a refusal is told to whoever shows the door, but not that of older credentials', async () => {
  const server = new Server()
  const refused = vi.fn()
  server.refused = refused
  answering(Response.json({ error: 'no' }, { status: 401 }), Response.json({ error: 'no' }, { status: 403 }))
  await expect(server.get('overview')).rejects.toMatchObject({ status: 401 })
  await expect(server.get('overview')).rejects.toMatchObject({ status: 403 })
  expect(refused).toHaveBeenCalledTimes(1)

  answering(Response.json({ error: 'no' }, { status: 401 }))
  const asked = server.get('overview')
  server.credentials = 'Bearer new'
  await expect(asked).rejects.toBeInstanceOf(Fault)
  expect(refused).toHaveBeenCalledTimes(1)
})

test('no answer, and an answer that is none, are faults in words', async () => {
  answering(new TypeError('failed'), new Response('<html>'))
  await expect(new Server().get('overview')).rejects.toMatchObject({ status: 0, code: 'Unreachable' })
  await expect(new Server().get('overview')).rejects.toMatchObject({ code: 'NotJSON' })
})

test('a stream gives its events, letters that are cut in two whole', async () => {
  const bytes = new TextEncoder().encode('event: message\ndata: "grün"\n\n')
  const cut = bytes.indexOf(0xc3) + 1
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(bytes.slice(0, cut))
      controller.enqueue(bytes.slice(cut))
      controller.close()
    },
  })
  answering(new Response(body))
  const heard: unknown[] = []
  await new Server().stream('live', () => heard.push('open'), (event) => heard.push(event), new AbortController().signal)
  expect(heard).toEqual(['open', { name: 'message', data: '"grün"' }])
})
