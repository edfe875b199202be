// A tenant as the tenants' file has it, to be pasted there. Pure.

export type Draft = {
  external_id: string
  name?: string
  jwt_secret?: string
  postgres?: { host: string; port: number; name: string; user: string; password: string; ssl: boolean }
  limits?: Readonly<Record<string, number>>
}

/** Writes the entry; secret stands in for one that was not given. */
export function yaml(draft: Draft, secret: string): string {
  const lines = [`- external_id: ${text(draft.external_id)}`]
  if (draft.name) lines.push(`  name: ${text(draft.name)}`)
  lines.push(`  jwt_secret: ${text(draft.jwt_secret || secret)}`)
  for (const [name, limit] of Object.entries(draft.limits ?? {})) lines.push(`  ${name}: ${limit}`)
  const db = draft.postgres
  if (db) {
    lines.push('  extensions:', '    - type: postgres_cdc_rls', '      settings:')
    const settings = { db_host: text(db.host), db_port: String(db.port), db_name: text(db.name), db_user: text(db.user), db_password: text(db.password), ssl_enforced: String(db.ssl) }
    for (const [name, value] of Object.entries(settings)) lines.push(`        ${name}: ${value}`)
  }
  return lines.map((line) => `  ${line}`).join('\n') + '\n'
}

// A string of JSON is one of YAML, whatever is in it. Plain words need no quotes,
// but for those that mean something: "env:NAME" stays what it is.
function text(value: string): string {
  return /^[a-z][a-z0-9-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n)$/.test(value) ? value : JSON.stringify(value)
}

/** Makes a secret of 256 bits. */
export function madeSecret(): string {
  return [...crypto.getRandomValues(new Uint8Array(32))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Reads the form's fields; a field that is not right is named with the reason. */
export function readDraft(fields: (name: string) => string, ssl: boolean, limitNames: readonly string[]): { draft: Draft; errors: Record<string, string> } {
  const errors: Record<string, string> = {}
  const word = (name: string) => fields(name).trim()
  const draft: Draft = { external_id: word('external_id') }
  if (!/^[a-z0-9_-]{1,63}$/.test(draft.external_id)) {
    errors.external_id = draft.external_id === '' ? 'Give it an id.' : 'Small letters, digits, - and _, as in the name of a host; at most 63.'
  }
  if (word('name')) draft.name = word('name')
  const secret = fields('jwt_secret')
  if (secret !== '') draft.jwt_secret = secret
  if (secret !== '' && secret.length < 32) errors.jwt_secret = 'At least 32 characters, or leave it empty and one is made.'
  if (word('postgres.host')) {
    const port = whole(word('postgres.port'), 65_535)
    if (!port) errors['postgres.port'] = 'A number from 1 to 65535.'
    for (const name of ['name', 'user', 'password']) if (fields(`postgres.${name}`) === '') errors[`postgres.${name}`] = 'The database needs it.'
    draft.postgres = { host: word('postgres.host'), port: port ?? 0, name: word('postgres.name'), user: word('postgres.user'), password: fields('postgres.password'), ssl }
  }
  const limits: Record<string, number> = {}
  for (const name of limitNames) {
    const typed = word(`limits.${name}`)
    if (typed === '') continue
    const limit = whole(typed, 2_147_483_647)
    if (limit === null) errors[`limits.${name}`] = 'A whole number, 0 or more.'
    else limits[name] = limit
  }
  if (Object.keys(limits).length > 0) draft.limits = limits
  return { draft, errors }
}

/** A whole number, 0 or more; null when it is none. */
export function whole(typed: string, most: number): number | null {
  return /^\d{1,10}$/.test(typed) && Number(typed) <= most ? Number(typed) : null
}
