// What a join of the room says.

import type { RealtimeChannelOptions } from '@supabase/supabase-js'
import type { Wish } from './door'

// The server trusts the role of a join only where its settings say so, as when
// you try it out; else it goes by the token.
export function joinOptions({ name, role, isPrivate }: Wish): RealtimeChannelOptions {
  // Of a join's fields the library sends these alone.
  const presence = { key: tabId(), enabled: true, name, role }
  return { config: { private: isPrivate, broadcast: { self: false }, presence } }
}

/** The same as long as this tab lives, so that who comes back is the same. */
function tabId(): string {
  try {
    const known = sessionStorage.getItem('tutti-student')
    if (known) return known
    const made = newKey()
    sessionStorage.setItem('tutti-student', made)
    return made
  } catch {
    return newKey()
  }
}

/** Makes a word that nobody else has. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint32Array(3))].map((n) => n.toString(36)).join('')
}
