package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A connection is one of a pool.
type connection = *pgxpool.Conn

// selectState finds out what there is without naming it: a name in a schema that
// we may not use would be an error.
const selectState = `
WITH place AS (
  SELECT n.oid AS schema, n.nspowner, m.oid AS messages, m.relkind, m.relowner, m.relrowsecurity, p.oid AS publication, p.pubowner,
    p.puballtables, p.pubinsert
  FROM (SELECT) AS one
  LEFT JOIN pg_namespace n ON n.nspname = 'realtime'
  LEFT JOIN pg_class m ON m.relnamespace = n.oid AND m.relname = 'messages'
  LEFT JOIN pg_publication p ON p.pubname = $1
)
SELECT current_database()::text AS "Database", current_user::text AS "Login",
  has_database_privilege(current_database(), 'CREATE') AS "MayCreateSchema",
  schema IS NOT NULL AS "Schema",
  coalesce(has_schema_privilege(schema, 'USAGE'), false) AS "MayUse",
  coalesce(has_schema_privilege(schema, 'CREATE'), false) AS "MayCreate",
  coalesce(pg_has_role(nspowner, 'USAGE'), false) AS "OwnsSchema",
  messages IS NOT NULL AS "Messages",
  coalesce(relkind = 'p', false) AS "Partitioned",
  coalesce(pg_get_userbyid(relowner), '')::text AS "Owner",
  coalesce(pg_has_role(relowner, 'USAGE'), false) AS "OwnsMessages",
  coalesce(relrowsecurity, false) AS "RowSecurity",
  coalesce(row_security_active(messages), false) AS "Subject",
  coalesce(has_table_privilege(messages, 'SELECT') AND has_table_privilege(messages, 'INSERT'), false) AS "MayReadWrite",
  ARRAY (SELECT attname::text || ' ' || format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = messages AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS "Columns",
  EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = messages AND a.attname = 'inserted_at') AS "ReplayIndex",
  ARRAY (SELECT proname::text || '(' || oidvectortypes(proargtypes) || ')' FROM pg_proc WHERE pronamespace = schema) AS "Functions",
  publication IS NOT NULL AS "Publication",
  coalesce(pg_has_role(pubowner, 'USAGE'), false) AS "OwnsPublication",
  coalesce(pubinsert, false) AS "PublishesInserts",
  coalesce(puballtables, false)
    OR EXISTS (SELECT FROM pg_publication_rel WHERE prpubid = publication AND prrelid = messages)
    OR EXISTS (SELECT FROM pg_publication_tables t WHERE t.pubname = $1 AND t.schemaname = 'realtime'
         AND starts_with(t.tablename::text, 'messages')) AS "Published",
  ARRAY (SELECT day::date::text FROM generate_series(timezone('utc', now())::date - 1, timezone('utc', now())::date + 3, interval '1 day') day
    WHERE messages IS NOT NULL AND NOT EXISTS (
      SELECT FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = messages AND pg_get_expr(c.relpartbound, c.oid) IN (
        'DEFAULT', format('FOR VALUES FROM (%L) TO (%L)', day::timestamp, day::timestamp + interval '1 day')))) AS "MissingDays",
  ARRAY (SELECT wanted FROM unnest($2::text[]) wanted LEFT JOIN pg_roles ON rolname = wanted WHERE oid IS NULL) AS "MissingRoles",
  ARRAY (SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($2) AND NOT pg_has_role(oid,
      CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)) AS "ClosedRoles",
  ARRAY (SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($2) AND messages IS NOT NULL
      AND NOT has_schema_privilege(oid, schema, 'USAGE')
      AND NOT has_table_privilege(oid, messages, 'SELECT, INSERT, UPDATE')) AS "UngrantedRoles"
FROM place`

// A state is what there is in a tenant's database, and what our role may do.
type state struct {
	Database, Login  string
	MayCreateSchema  bool
	Schema           bool
	MayUse           bool
	MayCreate        bool
	OwnsSchema       bool
	Messages         bool
	Partitioned      bool
	Owner            string // of messages
	OwnsMessages     bool   // our role has the owner's rights
	RowSecurity      bool   // is on
	Subject          bool   // our role is subject to the policies of messages
	MayReadWrite     bool
	Columns          []string // "name type"
	ReplayIndex      bool
	Functions        []string // "name(types)"
	Publication      bool
	OwnsPublication  bool
	PublishesInserts bool
	Published        bool     // messages are
	MissingDays      []string // days from yesterday to three days on without a partition
	MissingRoles     []string
	ClosedRoles      []string // that our role may not become
	UngrantedRoles   []string // that have no right on messages at all
}

// publicRoles are those of clients' tokens.
var publicRoles = []string{"anon", "authenticated", "service_role"}

type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

func look(ctx context.Context, q querier) (*state, error) {
	// Errors of Query are in rows as well. Unnamed, to be one round trip.
	rows, _ := q.Query(ctx, selectState, pgx.QueryExecModeExec, MessagesPublication, publicRoles)
	s, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[state])
	if err != nil {
		return nil, fmt.Errorf("look what there is: %w", err)
	}
	return s, nil
}

// A step makes one thing.
type step struct {
	file  string // in tenant_migrations, without its ending
	makes string
	here  bool // in the schema, so that it takes CREATE on it
}

const binaryPayload = "binary_payload bytea"

// missing returns what is not there, in the order in which it can be made.
func (s *state) missing() (steps []step) {
	add := func(when bool, file, makes string, here bool) {
		if when {
			steps = append(steps, step{file, makes, here})
		}
	}
	add(!s.Schema, "schema", "schema realtime", false)
	add(!s.Messages, "messages", "table messages", true)
	add(s.Messages && !slices.Contains(s.Columns, binaryPayload), "binary_payload", "column binary_payload of messages", false)
	add(!s.Messages || len(s.UngrantedRoles) > 0 && s.mayGrant(), "grants", "grants", false)
	for _, f := range [...]struct{ file, signature string }{
		{"topic", "topic()"},
		{"send", "send(jsonb, text, text, boolean)"},
		{"send_binary", "send_binary(bytea, text, text, boolean)"},
		{"broadcast_changes", "broadcast_changes(text, text, text, text, text, record, record, text)"},
	} {
		add(!slices.Contains(s.Functions, f.signature), f.file, "function "+f.signature, true)
	}
	add(!s.Publication, "publication", "publication "+MessagesPublication, false)
	add(s.Publication && !s.Published, "published", "table messages in publication "+MessagesPublication, false)
	return steps
}

func (s *state) mayGrant() bool { return s.OwnsMessages && s.OwnsSchema }

// complete reports whether there is nothing to make.
func (s *state) complete() bool { return len(s.missing()) == 0 && len(s.MissingDays) == 0 }
