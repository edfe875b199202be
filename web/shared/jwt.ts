// What a token says about who it stands for. Nothing is verified: the server
// does that. Pure.

export type Claims = Readonly<Record<string, unknown>>

export type Decoded = { ok: true; claims: Claims } | { ok: false; problem: string }

/** Reads the claims of a JWT, pasted with quotes, line breaks or "Bearer" around it. */
export function decodeToken(typed: string): Decoded {
  const token = tidy(typed)
  if (token.startsWith('sb_')) return { ok: false, problem: 'An sb_… key says nothing about itself: only a gateway knows whose it is.' }
  const parts = token.split('.')
  if (parts.length !== 3) return { ok: false, problem: 'Not a JWT: it has three parts with dots between them.' }
  try {
    const claims: unknown = JSON.parse(base64url(parts[1] ?? ''))
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return { ok: true, claims: claims as Claims }
  } catch {
    // Said below.
  }
  return { ok: false, problem: 'Not a JWT: its middle part is not a JSON object.' }
}

/** Takes off what comes along when a token is copied. */
export function tidy(typed: string): string {
  return typed.replace(/\s+/g, ' ').trim().replace(/^bearer /i, '').replace(/^["']|["']$/g, '').replace(/ /g, '')
}

function base64url(text: string): string {
  const bytes = Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (letter) => letter.charCodeAt(0))
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}

export type Expiry = { state: 'good' | 'soon' | 'over' | 'none'; text: string }

/** Says how long a token is still good; exp is in seconds, now in milliseconds. */
export function expiry(exp: unknown, now: number): Expiry {
  if (typeof exp !== 'number') return { state: 'none', text: 'has no expiry: the server refuses it' }
  const left = Math.floor(exp - now / 1000)
  if (left < 0) return { state: 'over', text: `expired ${span(-left)} ago` }
  return { state: left < 60 ? 'soon' : 'good', text: `expires in ${span(left)}` }
}

function span(seconds: number): string {
  const units: [number, string][] = [[31_557_600, 'year'], [86_400, 'day'], [3600, 'hour'], [60, 'minute']]
  for (const [size, name] of units) if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${name}s`
  return `${seconds} ${seconds === 1 ? 'second' : 'seconds'}`
}

/** How the server was started, which tells where its secret is. */
export type Place = 'dev' | 'secret' | 'file'

/** Writes the command line that mints a token for a user. */
export function mintCommand(place: Place, sub: string, tenant: string): string {
  const from: Record<Place, string> = {
    dev: '--dev',
    secret: '--secret "$API_JWT_SECRET"',
    file: `${shell(tenant || 'TENANT')} --tenants tenants.yaml`,
  }
  return `tutti token ${from[place]} --role authenticated${sub ? ` --sub ${shell(sub)}` : ''}`
}

function shell(word: string): string {
  return /^[\w.-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`
}
