import { describe as group, expect, test } from 'vitest'
import { decode, describe, matches, pretty, type Direction, type Frame } from './frames'

// Builds a binary frame: numbers are bytes, strings are UTF-8.
function bytes(...parts: (number | string)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...new TextEncoder().encode(part)])))
}

const whole: Record<string, { in: string | Uint8Array; direction: Direction; want: Partial<Frame> }> = {
  'a 2.0.0 text frame is an array': {
    in: '["1","4","realtime:a","phx_reply",{"status":"ok"}]',
    direction: 'in',
    want: { kind: 'text', joinRef: '1', ref: '4', topic: 'realtime:a', event: 'phx_reply', payload: { status: 'ok' }, size: 50 },
  },
  'nulls stay nulls': {
    in: '[null,null,"phoenix","heartbeat",{}]',
    direction: 'out',
    want: { joinRef: null, ref: null, topic: 'phoenix', event: 'heartbeat' },
  },
  'a 1.0.0 text frame is an object': {
    in: '{"topic":"realtime:a","event":"broadcast","payload":{"x":1},"ref":null}',
    direction: 'in',
    want: { kind: 'text', joinRef: null, ref: null, topic: 'realtime:a', payload: { x: 1 } },
  },
  'kind 0 carries a ref to the server': {
    in: bytes(0, 1, 2, 1, 1, '9', '12', 't', 'e', 0xff),
    direction: 'out',
    want: { kind: 'push', joinRef: '9', ref: '12', topic: 't', event: 'e', payload: Uint8Array.of(0xff) },
  },
  'kind 0 carries no ref to the client': {
    in: bytes(0, 1, 1, 1, '9', 't', 'e', 0xff),
    direction: 'in',
    want: { kind: 'push', joinRef: '9', ref: null, topic: 't', event: 'e', payload: Uint8Array.of(0xff) },
  },
  'kind 1 is a reply whose event is the status': {
    in: bytes(1, 1, 1, 1, 2, '9', '3', 't', 'ok'),
    direction: 'in',
    want: { kind: 'reply', joinRef: '9', ref: '3', topic: 't', event: 'ok', payload: new Uint8Array() },
  },
  'kind 2 is a broadcast': {
    in: bytes(2, 1, 1, 't', 'e', 1, 2),
    direction: 'in',
    want: { kind: 'broadcast', topic: 't', event: 'e', payload: Uint8Array.of(1, 2) },
  },
  'kind 3 with JSON': {
    in: bytes(3, 2, 1, 3, 10, 0, 1, '10', '1', 'top', 'user-event', '{"a":"b"}'),
    direction: 'out',
    want: { kind: 'user broadcast push', joinRef: '10', ref: '1', topic: 'top', event: 'user-event', payload: { a: 'b' } },
  },
  'kind 4 with metadata and raw bytes': {
    in: bytes(4, 5, 10, 17, 0, 'topic', 'user_event', '{"replayed":true}', 7, 8),
    direction: 'in',
    want: { kind: 'user broadcast', topic: 'topic', event: 'user_event', metadata: { replayed: true }, payload: Uint8Array.of(7, 8) },
  },
  'lengths count bytes, not letters': {
    in: bytes(4, 2, 1, 0, 1, 'é', 'e', '{}'),
    direction: 'in',
    want: { topic: 'é', event: 'e', payload: {} },
  },
}

group('decode', () => {
  for (const [name, { in: data, direction, want }] of Object.entries(whole)) {
    test(name, () => {
      expect(decode(data, direction)).toMatchObject({ direction, ...want })
    })
  }

  const broken: Record<string, { in: string | Uint8Array; problem: string }> = {
    'an empty text': { in: '', problem: 'not JSON' },
    'a short array': { in: '[1,2]', problem: '2 elements' },
    'a bare string': { in: '"x"', problem: 'neither an array nor an object' },
    'null': { in: 'null', problem: 'neither an array nor an object' },
    'an object without ref': { in: '{"topic":"t","event":"e","payload":{}}', problem: '"ref" is missing' },
    'an empty binary': { in: bytes(), problem: 'empty' },
    'an unknown kind': { in: bytes(9, 1), problem: 'kind 9' },
    'bytes that are no UTF-8': { in: bytes(2, 1, 1, 0xff, 'e'), problem: 'topic is not UTF-8' },
    'JSON that is none': { in: bytes(4, 1, 1, 0, 1, 't', 'e', '{'), problem: 'payload is not JSON' },
    'metadata that is none': { in: bytes(4, 1, 1, 1, 0, 't', 'e', '{'), problem: 'metadata is not JSON' },
  }
  for (const [name, { in: data, problem }] of Object.entries(broken)) {
    test(`${name} is malformed and says why`, () => {
      const frame = decode(data, 'in')
      expect(frame.kind).toBe('malformed')
      expect(frame.problem).toContain(problem)
    })
  }

  test('every frame cut inside its header or fields is malformed, never an exception', () => {
    for (const { in: data, direction } of Object.values(whole)) {
      if (typeof data === 'string') continue
      const lengths = data.slice(1, data[0] === 0 && direction === 'in' ? 4 : { 0: 5, 1: 5, 2: 3, 3: 6, 4: 4 }[data[0]!])
      const fields = lengths.reduce((sum, n) => sum + n, 0)
      const header = 1 + lengths.length + (data[0]! >= 3 ? 1 : 0)
      for (let end = 0; end < header + fields; end++) {
        expect(decode(data.slice(0, end), direction).kind, `kind ${data[0]} cut at ${end}`).toBe('malformed')
      }
    }
  })

  test('an ArrayBuffer is read like bytes', () => {
    expect(decode(bytes(2, 1, 1, 't', 'e').buffer as ArrayBuffer, 'in').topic).toBe('t')
  })
})

group('pretty', () => {
  test('indents JSON', () => expect(pretty({ a: [1] })).toBe('{\n  "a": [\n    1\n  ]\n}'))
  test('dumps bytes with their letters', () => expect(pretty(bytes('Hi', 0))).toMatch(/^0000 {2}48 69 00 +Hi·$/))
  test('keeps bytes on one line when asked', () => expect(pretty(bytes(1, 255), 0)).toBe('01 ff'))
  test('hides tokens wherever they stand', () => {
    const text = pretty({ config: {}, access_token: 'eyJhbGciOi.secret.part', deep: { user_token: 'another-secret' } })
    expect(text).not.toContain('secret')
    expect(text).toContain('22 characters, hidden')
  })
  test('is calm about undefined', () => expect(pretty(undefined)).toBe('undefined'))
})

group('describe', () => {
  test('tells all about a frame', () => {
    expect(describe(decode(bytes(4, 1, 1, 8, 1, 't', 'e', '{"id":1}', '{"x":2}'), 'in'))).toBe(
      'received: user broadcast, 22 bytes\njoin_ref null, ref null\ntopic t\nevent e\nmetadata {"id":1}\n{\n  "x": 2\n}',
    )
  })
  test('names the fault of a malformed frame', () => expect(describe(decode('[', 'out'))).toContain('malformed: the text is not JSON'))
})

group('matches', () => {
  const frame = decode('[null,null,"realtime:lobby","broadcast",{"type":"broadcast","event":"pos"}]', 'in')
  for (const filter of ['', '  ', 'LOBBY', 'received', 'broad lobby', 'pos']) {
    test(`"${filter}" finds it`, () => expect(matches(frame, filter)).toBe(true))
  }
  for (const filter of ['sent', 'lobby phx_join', 'other']) {
    test(`"${filter}" does not`, () => expect(matches(frame, filter)).toBe(false))
  }
  test('a payload of null has no event', () => expect(matches(decode('["1","1","t","e",null]', 'in'), 'pos')).toBe(false))
})
