import { expect, test } from 'vitest'
import { madeSecret, readDraft, yaml } from './yaml'

test('an entry has only what was given', () =>
  expect(yaml({ external_id: 'acme' }, '3e5cret')).toBe('  - external_id: acme\n    jwt_secret: "3e5cret"\n'))

test('an entry has all that was given, quoted where YAML needs it', () => {
  const draft = {
    external_id: 'no', name: 'A: "b" #c', jwt_secret: 'env:SECRET', limits: { max_concurrent_users: 5 },
    postgres: { host: 'db', port: 5432, name: 'postgres', user: 'u', password: '- p', ssl: true },
  }
  expect(yaml(draft, 'unused')).toBe(`  - external_id: "no"
    name: "A: \\"b\\" #c"
    jwt_secret: "env:SECRET"
    max_concurrent_users: 5
    extensions:
      - type: postgres_cdc_rls
        settings:
          db_host: db
          db_port: 5432
          db_name: postgres
          db_user: u
          db_password: "- p"
          ssl_enforced: true
`)
})

const read = (typed: Record<string, string>) => readDraft((name) => typed[name] ?? '', false, ['max_concurrent_users'])

test('what is typed becomes a draft', () => {
  expect(read({ external_id: ' acme ', 'limits.max_concurrent_users': '0' })).toEqual({ draft: { external_id: 'acme', limits: { max_concurrent_users: 0 } }, errors: {} })
  expect(read({ external_id: 'a' })).toEqual({ draft: { external_id: 'a' }, errors: {} })
})

test('each wrong field is named', () => {
  const { errors } = read({ external_id: 'A b', jwt_secret: 'short', 'postgres.host': 'db', 'postgres.port': '70000', 'postgres.name': 'p', 'limits.max_concurrent_users': '-1' })
  expect(Object.keys(errors).sort()).toEqual(['external_id', 'jwt_secret', 'limits.max_concurrent_users', 'postgres.password', 'postgres.port', 'postgres.user'])
  expect(read({}).errors.external_id).toBe('Give it an id.')
  for (const external_id of ['A', 'a b', 'a.b', 'ü', 'x'.repeat(64)]) expect(read({ external_id }).errors).toHaveProperty('external_id')
})

test('a made secret has 256 bits', () => expect(madeSecret()).toMatch(/^[0-9a-f]{64}$/))
