// Where in the page somebody is: the fragment of the address. Pure.

/** A bare topic is one of an extension, without "realtime:" before it. */
export type TopicPlace = { at: 'topic'; tenant: string; topic: string; private: boolean; bare: boolean }
export type Place = { at: 'overview' } | { at: 'tenant'; tenant: string } | TopicPlace

/** Reads a fragment such as #/tenants/acme/topics/room%201?private; what it does not know is the overview. */
export function placeOf(fragment: string): Place {
  const [path = '', query = ''] = fragment.replace(/^#/, '').split('?')
  const flags = query.split('&')
  const parts = path.split('/').slice(1).map(decode)
  const [first, tenant, second, topic] = parts
  if (first !== 'tenants' || !tenant || parts.includes(null)) return { at: 'overview' }
  if (parts.length === 2) return { at: 'tenant', tenant }
  if (second === 'topics' && parts.length === 4 && topic) return { at: 'topic', tenant, topic, private: flags.includes('private'), bare: flags.includes('bare') }
  return { at: 'overview' }
}

export function fragmentOf(place: Place): string {
  if (place.at === 'overview') return '#/'
  const tenant = `#/tenants/${encodeURIComponent(place.tenant)}`
  return place.at === 'tenant' ? tenant : `${tenant}/topics/${encodeURIComponent(place.topic)}${flagged(place)}`
}

function flagged(place: TopicPlace): string {
  const flags = [place.private && 'private', place.bare && 'bare'].filter(Boolean)
  return flags.length > 0 ? `?${flags.join('&')}` : ''
}

/** Names a topic to the server, for paths that end in it. */
export function queryOf({ private: isPrivate, bare }: { private: boolean; bare?: boolean }): string {
  return `private=${isPrivate}${bare ? '&bare=true' : ''}`
}

/** The path of a tenant below /admin/api, or of a topic of it. */
export function pathOf(tenant: string, ...rest: string[]): string {
  return ['tenants', tenant, ...rest].map(encodeURIComponent).join('/')
}

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part)
  } catch {
    return null
  }
}
