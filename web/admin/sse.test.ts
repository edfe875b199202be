import { expect, test } from 'vitest'
import { Parser } from './sse'

const stream = ': beat\n\nevent: overview\ndata: {"a":1}\n\ndata: one\ndata:  two\r\nid: 7\n\nevent: empty\n\nevent: last\ndata\n\n'
const whole = [
  { name: 'overview', data: '{"a":1}' },
  { name: 'message', data: 'one\n two' },
  { name: 'last', data: '' },
]

test('events come out whole, whatever the pieces are', () => {
  for (let size = 1; size <= stream.length; size++) {
    const parser = new Parser()
    const events = []
    for (let at = 0; at < stream.length; at += size) events.push(...parser.push(stream.slice(at, at + size)))
    // A line end that is cut in two leaves its first half to the next piece.
    expect(events, `pieces of ${size}`).toEqual(whole)
  }
})

test('what is not ended is no event', () => expect(new Parser().push('data: half\n')).toEqual([]))
