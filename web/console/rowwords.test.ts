import { describe, expect, test } from 'vitest'
import { explain } from './explain'
import { rowWords } from './rowwords'

const params = '[event: *, schema: public, table: test, filters: [], select: nil]'

describe('what the server says of changes', () => {
  const reasons: Record<string, string> = {
    'Subscribed to PostgreSQL': 'is delivered',
    'Error parsing `filter` params: ["wrong"]': 'cannot read the filter',
    'Error parsing `filter` params: `in` filter value must be wrapped by parentheses': 'list in parentheses',
    [`Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: ${params}`]: 'No published table',
    [`Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: ${params}. Exception: ERROR P0001 (raise_exception) invalid column for filter x`]: 'no column of that name',
    [`Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: ${params}. Exception: ERROR 22P02`]: 'PostgreSQL refused',
    'Unable to subscribe to changes: WalLevelNotLogical. It is tried again': 'no log',
    'Changes were lost: ReplicationSlotLost. Read anew what you need': 'never come',
    'Changes of public.t are not delivered: RlsPolicyError. A policy of the table fails': 'policy',
    'Too many database changes per second: 3 were not delivered. The tenant’s max_events_per_second is 1': 'dropped',
    'Changes are no longer delivered: the tenant has no database any more': 'taken away',
    'Error 400: Bad Request, no primary key': 'no primary key',
    'Error 401: Unauthorized': 'may not select',
    'Error 413: Payload Too Large': 'larger',
  }
  for (const [reason, cause] of Object.entries(reasons)) {
    test(reason.slice(0, 90), () => expect(explain(reason)).toMatchObject({ title: reason, cause: expect.stringContaining(cause) }))
  }

  test('every reason why the database cannot be read has words of its own', () => {
    const causes = [
      'DatabaseConnectionRefused', 'DatabaseAuthFailed', 'DatabaseNotFound', 'DatabaseUnavailable', 'DatabaseSettingsInvalid',
      'WalLevelNotLogical', 'ReplicationNotPermitted', 'ReplicationSlotsExhausted', 'WalSendersExhausted', 'ConnectionsExhausted',
      'ReplicationSlotBeingUsed', 'ReplicationSlotNameTaken', 'ReplicationSlotLost', 'PublicationMissing', 'ReplicationConnectionError',
    ].map((code) => rowWords(`Unable to subscribe to changes: ${code}. It is tried again`)?.[0])
    expect(causes).not.toContain(undefined)
    expect(new Set(causes).size).toBe(causes.length)
  })

  test('a table that is not published has its cure to copy', () => {
    expect(explain('Please check Realtime is enabled for').command).toContain('ALTER PUBLICATION supabase_realtime ADD TABLE')
  })
  test('a refused private topic has its cure to copy', () => {
    expect(explain('Unauthorized: You do not have permissions to read from this Channel topic: a').command).toContain('CREATE POLICY')
  })
  test('what is about something else is left to others', () => expect(rowWords('Token has expired')).toBeUndefined())
})
