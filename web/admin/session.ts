// Who is signed in. The tab remembers it, and forgets it when it is closed.

const kept = 'tutti-admin'

export type Given = { how: 'user'; user: string; password: string } | { how: 'token'; token: string }

/** Writes the Authorization header; a password may have any letters. */
export function header(given: Given): string {
  if (given.how === 'token') return `Bearer ${given.token.trim().replace(/^bearer\s+/i, '')}`
  const bytes = new TextEncoder().encode(`${given.user}:${given.password}`)
  return `Basic ${btoa(String.fromCharCode(...bytes))}`
}

/** Says what is wrong with what was typed; "" when it can be tried. */
export function fault(given: Given): string {
  if (given.how === 'token') return given.token.trim().split('.').length === 3 ? '' : 'A token has three parts with dots between them.'
  if (given.user === '') return 'Type a name.'
  if (given.user.includes(':')) return 'A name has no colon in it.'
  return given.password === '' ? 'Type a password.' : ''
}

export function recall(): string {
  try {
    return sessionStorage.getItem(kept) ?? ''
  } catch {
    return '' // not allowed: each load asks again
  }
}

/** Keeps the header for this tab; "" forgets it. */
export function remember(credentials: string): void {
  try {
    if (credentials) sessionStorage.setItem(kept, credentials)
    else sessionStorage.removeItem(kept)
  } catch {
    // Not allowed, so it lasts until the page is loaded again.
  }
}
