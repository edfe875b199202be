// Reads the address of a server as people paste it.

/**
 * Returns the base that supabase-js wants, or null when the text is no address.
 * Socket URLs and the paths that the client appends itself are taken off.
 */
export function baseURL(typed: string): string | null {
  const text = typed.trim()
  if (text === '') return null
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  let url: URL
  try {
    url = new URL(full.replace(/^ws/i, 'http'))
  } catch {
    return null
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null
  const path = url.pathname.replace(/\/+$/, '').replace(/\/(realtime\/v1(\/.*)?|socket(\/websocket)?|websocket)$/, '')
  return url.origin + path
}

/** Takes the key out of a fragment such as "#key=abc". */
export function keyInFragment(fragment: string): string | null {
  return partOfFragment(fragment, 'key')
}

/** Takes the user's token out of a fragment such as "#key=abc&token=def". */
export function tokenInFragment(fragment: string): string | null {
  return partOfFragment(fragment, 'token')
}

function partOfFragment(fragment: string, name: string): string | null {
  return new URLSearchParams(fragment.replace(/^#/, '')).get(name) || null
}
