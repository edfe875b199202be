import { describe, expect, test } from 'vitest'
import { baseURL, keyInFragment, tokenInFragment } from './address'

describe('baseURL', () => {
  const cases: Record<string, [string, string | null]> = {
    'an origin stays': ['http://localhost:4000', 'http://localhost:4000'],
    'a final slash goes': ['https://a.example/', 'https://a.example'],
    'a host without scheme gets http': ['localhost:4000', 'http://localhost:4000'],
    'a socket URL becomes http': ['ws://localhost:4000/socket/websocket', 'http://localhost:4000'],
    'a secure one stays secure': ['wss://a.example/realtime/v1/websocket', 'https://a.example'],
    'a path prefix is kept': ['https://a.example/rt/realtime/v1', 'https://a.example/rt'],
    'nothing is no address': ['  ', null],
    'another scheme is no address': ['ftp://a', null],
    'a space is no address': ['http://a b', null],
  }
  for (const [name, [typed, want]] of Object.entries(cases)) test(name, () => expect(baseURL(typed)).toBe(want))
})

describe('keyInFragment', () => {
  test('finds the key', () => expect(keyInFragment('#key=a.b-c_d')).toBe('a.b-c_d'))
  test('finds it among others', () => expect(keyInFragment('#x=1&key=k')).toBe('k'))
  test('knows when there is none', () => expect(keyInFragment('#key=')).toBeNull())
})

test('tokenInFragment finds the token beside the key', () => {
  expect(tokenInFragment('#key=k&token=a.b.c')).toBe('a.b.c')
  expect(tokenInFragment('#key=k')).toBeNull()
})
