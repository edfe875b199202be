import { describe, expect, test } from 'vitest'
import { decodeToken, expiry, mintCommand, tidy } from './jwt'

const encode = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')
const part = (value: unknown) => encode(new TextEncoder().encode(JSON.stringify(value)))
const token = `${part({ alg: 'HS256' })}.${part({ role: 'authenticated', sub: 'Zoë?>', exp: 9 })}.c2ln`

describe('decodeToken', () => {
  test('reads claims beyond ASCII', () => {
    expect(decodeToken(token)).toEqual({ ok: true, claims: { role: 'authenticated', sub: 'Zoë?>', exp: 9 } })
  })
  for (const around of [`Bearer ${token}`, `"${token}"`, ` ${token.slice(0, 20)}\n  ${token.slice(20)} `]) {
    test(`takes off what is around it: ${JSON.stringify(around.slice(0, 12))}`, () => {
      expect(tidy(around)).toBe(token)
      expect(decodeToken(around).ok).toBe(true)
    })
  }
  const bad: Record<string, [string, string]> = {
    'two parts': ['a.b', 'three parts'],
    'letters that are no base64': ['a.%%.c', 'not a JSON object'],
    'bytes that are no UTF-8': [`a.${encode(Uint8Array.of(0xff, 0xfe))}.c`, 'not a JSON object'],
    'a list': [`a.${part([1])}.c`, 'not a JSON object'],
    'null': [`a.${part(null)}.c`, 'not a JSON object'],
    'an opaque key': ['sb_publishable_x', 'gateway'],
  }
  for (const [name, [typed, problem]] of Object.entries(bad)) {
    test(`refuses ${name}`, () => expect(decodeToken(typed)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) }))
  }
})

describe('expiry', () => {
  const now = 1_000_000_000
  const cases: Record<string, [unknown, string, string]> = {
    'an hour is good': [now / 1000 + 3599, 'good', 'expires in 59 minutes'],
    'ten years are good': [now / 1000 + 10 * 31_557_600, 'good', 'expires in 10 years'],
    'a second is soon': [now / 1000 + 1, 'soon', 'expires in 1 second'],
    'the past is over': [now / 1000 - 7200, 'over', 'expired 2 hours ago'],
    'none is none': [undefined, 'none', 'has no expiry: the server refuses it'],
    'a text is none': ['soon', 'none', 'has no expiry: the server refuses it'],
  }
  for (const [name, [exp, state, text]] of Object.entries(cases)) test(name, () => expect(expiry(exp, now)).toEqual({ state, text }))
})

describe('mintCommand', () => {
  test('finds the secret of tutti dev', () => expect(mintCommand('dev', 'u-1', '')).toBe('tutti token --dev --role authenticated --sub u-1'))
  test('takes a secret from the environment', () => expect(mintCommand('secret', '', '')).toBe('tutti token --secret "$API_JWT_SECRET" --role authenticated'))
  test('names the tenant of a file', () => expect(mintCommand('file', '', 'acme')).toBe('tutti token acme --tenants tenants.yaml --role authenticated'))
  test('quotes a strange subject for the shell', () => expect(mintCommand('file', `it's $HOME`, '')).toContain(`--sub 'it'\\''s $HOME'`))
})
