import { describe, expect, test } from 'vitest'
import { parse, parseObject, type Format } from './payload'

describe('parse', () => {
  const good: Record<string, { in: string; format: Format; want: unknown; size: number }> = {
    'an object': { in: '{"a": 1}', format: 'json', want: { a: 1 }, size: 7 },
    'any other JSON value': { in: ' [1, null] ', format: 'json', want: [1, null], size: 8 },
    'text as UTF-8 bytes': { in: 'é', format: 'text', want: Uint8Array.of(0xc3, 0xa9).buffer, size: 2 },
    'empty text as no bytes': { in: '', format: 'text', want: new ArrayBuffer(0), size: 0 },
    'hex with spaces and prefixes': { in: '0x01 ff,7F:00', format: 'hex', want: Uint8Array.of(1, 255, 127, 0).buffer, size: 4 },
  }
  for (const [name, { in: typed, format, want, size }] of Object.entries(good)) {
    test(`reads ${name}`, () => expect(parse(typed, format)).toEqual({ ok: true, value: want, size }))
  }

  const bad: Record<string, { in: string; format: Format; problem: string }> = {
    'nothing where JSON is wanted': { in: '  ', format: 'json', problem: 'Type a JSON value' },
    'half a JSON object': { in: '{"a":', format: 'json', problem: 'Not JSON' },
    'an odd hex digit': { in: 'abc', format: 'hex', problem: 'One digit is missing' },
    'a letter that is no hex digit': { in: '0g', format: 'hex', problem: '“g”' },
  }
  for (const [name, { in: typed, format, problem }] of Object.entries(bad)) {
    test(`refuses ${name}`, () => expect(parse(typed, format)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) }))
  }
})

describe('parseObject', () => {
  test('reads an object', () => expect(parseObject('{"name":"Ann"}')).toMatchObject({ ok: true, value: { name: 'Ann' } }))
  for (const typed of ['[]', 'null', '1', '"x"']) {
    test(`refuses ${typed}`, () => expect(parseObject(typed)).toMatchObject({ ok: false, problem: expect.stringContaining('object') }))
  }
})
