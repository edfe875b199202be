import { expect, test } from 'vitest'
import { fault, header } from './session'

test('the header has the name and the password, in any letters', () => {
  const value = header({ how: 'user', user: 'admin', password: 'grün: 🎹' })
  const bytes = Uint8Array.from(atob(value.replace('Basic ', '')), (letter) => letter.charCodeAt(0))
  expect(new TextDecoder().decode(bytes)).toBe('admin:grün: 🎹')
})

test('a token may be pasted with its scheme', () => {
  expect(header({ how: 'token', token: ' Bearer a.b.c\n' })).toBe('Bearer a.b.c')
  expect(header({ how: 'token', token: 'a.b.c' })).toBe('Bearer a.b.c')
})

test('what cannot be right is said before anybody is asked', () => {
  expect(fault({ how: 'user', user: '', password: 'x' })).toBe('Type a name.')
  expect(fault({ how: 'user', user: 'a:b', password: 'x' })).toBe('A name has no colon in it.')
  expect(fault({ how: 'user', user: 'a', password: '' })).toBe('Type a password.')
  expect(fault({ how: 'token', token: 'abc' })).toMatch(/three parts/)
  expect(fault({ how: 'user', user: 'a', password: ':' }) + fault({ how: 'token', token: 'a.b.c' })).toBe('')
})
