// What the server says about changes of the database, in words. Pure.

type Words = readonly [cause: string, cure: string, command?: string]

// Why the database cannot be read now.
const defects: Readonly<Record<string, Words>> = {
  DatabaseConnectionRefused: ['Nobody listens where the tenant’s database should be.', 'Start it, or correct db_host and db_port of the tenant.'],
  DatabaseAuthFailed: ['The database does not accept the tenant’s user or password.', 'Correct db_user and db_password of the tenant.'],
  DatabaseNotFound: ['The server of the database has none of this name.', 'Correct db_name of the tenant.'],
  DatabaseUnavailable: ['The database does not answer, starts or stops.', 'Look at it; the server tries again by itself.'],
  DatabaseSettingsInvalid: ['The tenant’s settings for its database make no sense.', 'Look into the server’s log: it names the field.'],
  WalLevelNotLogical: ['The database writes no log that changes can be read from.', 'Set wal_level, and restart the database.', 'ALTER SYSTEM SET wal_level = logical;'],
  ReplicationNotPermitted: ['The tenant’s database user may not replicate.', 'Give it the right.', 'ALTER ROLE db_user REPLICATION;'],
  ReplicationSlotsExhausted: ['All replication slots of the database are taken.', 'Drop one that is not used, or raise max_replication_slots.'],
  WalSendersExhausted: ['All WAL senders of the database are busy.', 'Raise max_wal_senders.'],
  ConnectionsExhausted: ['The database accepts no more connections.', 'Close idle ones, or raise max_connections.'],
  ReplicationSlotBeingUsed: ['Another server reads the same replication slot.', 'Stop it, or give one of them another slot_name.'],
  ReplicationSlotNameTaken: ['A slot of this name exists and is of another kind.', 'Give the tenant another slot_name.'],
  ReplicationSlotLost: ['The replication slot is gone.', 'Wait: the server makes another.'],
  PublicationMissing: ['The publication of the tenant does not exist.', 'Create it.', 'CREATE PUBLICATION supabase_realtime FOR TABLE public.todos;'],
  ReplicationConnectionError: ['The connection that changes are read from broke.', 'Wait: the server connects again. If it does not, its log says why.'],
}

const operators = 'eq, neq, lt, lte, gt, gte, in, like, ilike, is, match, imatch, isdistinct, and not. before any of them'

/** The texts; each is looked for anywhere in a reason. */
export const rowTexts: readonly (readonly [RegExp, Words])[] = [
  [/^Subscribed to PostgreSQL$/, ['Whatever commits from now on is delivered, if the policies let this token see the row.', '']],
  [/^Replication connection established$/, ['Messages that the database sends are heard from now on.', '']],
  [/filter` params: `in` filter/, ['The operator “in” wants a list in parentheses.', 'Write it like id=in.(1,2,3).']],
  [/filter` params/, ['The server cannot read the filter.', `Write it like id=eq.1, several with commas between. Operators: ${operators}.`]],
  [/select` params|Column selection is not/, ['The server cannot choose these columns.', 'Name a schema, a table and a list of its columns.']],
  [/invalid column for filter/, ['The table has no column of that name, or the role of this token may not read it.', 'Correct the column in the filter, leave the topic and join again.']],
  [/Please check Realtime is enabled/, [
    'No published table has this schema and name, so nothing can come from it. Names must match exactly.',
    'Correct the name, or publish the table: the server notices by itself.',
    'ALTER PUBLICATION supabase_realtime ADD TABLE public.todos;',
  ]],
  [/An exception happened so please check/, ['PostgreSQL refused the subscription; its own words are at the end.', 'Check the filter’s column, operator and value against the table.']],
  [/No subscription params/, ['A binding names neither a schema nor a table.', 'Name one of them.']],
  [/^Changes were lost/, ['The replication slot was dropped or had become too large, so some changes never come.', 'Read anew what you need. What commits after the next “Subscribed to PostgreSQL” is delivered.']],
  [/are not delivered: RlsPolicyError/, ['A policy of the table fails when it is asked for this token.', 'Correct the policy; the server’s log has PostgreSQL’s error.']],
  [/Too many database changes per second/, ['The tenant gets more changes than it may (max_events_per_second), so some were dropped.', 'Narrow the filters, or raise the limit.']],
  [/Changes are no longer delivered/, ['The tenant’s database was taken away.', 'Give the tenant a database, and join again.']],
  [/mismatch between server and client bindings/, ['The server answered with other bindings than the page asked for.', 'Compare phx_join and its reply in the frame log.']],
  [/^Error 400/, ['The table has no primary key, so nobody can be asked who may see the row.', 'Give the table a primary key.']],
  [/^Error 401/, ['The role of this token may not select the primary key of the table, or not use its schema.', 'Grant it SELECT on the table and USAGE on the schema.']],
  [/^Error 413/, ['The change is larger than the server sends, so its large values are missing.', 'Read the row itself, or raise poll_max_record_bytes.']],
]

/** Finds words for a reason that is about changes of the database. */
export function rowWords(reason: string): Words | undefined {
  const code = /Unable to subscribe to changes: (\w+)/.exec(reason)?.[1]
  if (code && Object.hasOwn(defects, code)) return defects[code]
  return rowTexts.find(([pattern]) => pattern.test(reason))?.[1]
}
