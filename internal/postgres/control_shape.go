package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Types by their long names. An integer may be wider, a text bounded, than the
// reference has them: Go holds them all the same.
const (
	uuidType      = "uuid"
	textType      = "text|character varying"
	jsonbType     = "jsonb"
	integerType   = "integer|bigint"
	booleanType   = "boolean"
	timestampType = "timestamp without time zone"
	instantType   = "timestamp with time zone"
)

// A table is what we need of one.
type table struct {
	name    string
	columns map[string]string // name to types, "|" between them
	free    []string          // columns that must take NULL
	unique  []string          // columns, as in an index's key, commas between
}

// controlTables returns the tables as the queries in this room need them.
func controlTables() []table {
	return []table{
		{
			name: "tenants",
			columns: map[string]string{
				"id": uuidType, "external_id": textType, "name": textType,
				"jwt_secret": textType, "jwt_jwks": jsonbType, "postgres_cdc_default": textType,
				"max_concurrent_users": integerType, "max_events_per_second": integerType,
				"max_presence_events_per_second": integerType, "max_payload_size_in_kb": integerType,
				"max_bytes_per_second": integerType, "max_channels_per_client": integerType,
				"max_joins_per_second": integerType, "suspend": booleanType, "private_only": booleanType,
				"migrations_ran": integerType, "broadcast_adapter": textType,
				"max_client_presence_events_per_window": integerType, "client_presence_window_ms": integerType,
				"presence_enabled": booleanType, "feature_flags": jsonbType, "gcm_migrated_at": timestampType,
				"inserted_at": timestampType, "updated_at": timestampType,
			},
			free: []string{
				"jwt_secret", "jwt_jwks", "max_client_presence_events_per_window", "client_presence_window_ms", "gcm_migrated_at",
			},
			unique: []string{"id", "external_id"},
		},
		{
			name: "extensions",
			columns: map[string]string{
				"id": uuidType, "type": textType, "settings": jsonbType, "tenant_external_id": textType,
				"inserted_at": timestampType, "updated_at": timestampType,
			},
			unique: []string{"id", "tenant_external_id,type"},
		},
		{
			name: "feature_flags",
			columns: map[string]string{
				"id": uuidType, "name": textType, "enabled": booleanType, "rollout_percentage": integerType,
				"bucket_key": textType, "inserted_at": timestampType, "updated_at": timestampType,
			},
			free:   []string{"bucket_key"},
			unique: []string{"id", "name"},
		},
		{
			name: "tutti_nodes",
			columns: map[string]string{
				"cluster": textType, "name": textType, "address": textType, "region": textType, "version": textType,
				"started": instantType, "seen": instantType,
			},
			unique: []string{"cluster,name"},
		},
	}
}

const selectColumns = `
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL),
  a.attnotnull, a.atthasdef OR a.attidentity <> ''
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = ANY ($1::text[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum`

const selectUnique = `
SELECT c.relname::text, string_agg(a.attname, ',' ORDER BY a.attname)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE n.nspname = current_schema() AND c.relname = ANY ($1::text[])
  AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
GROUP BY c.relname, i.indexrelid`

// A column is one that is there.
type column struct {
	Table, Name, Type string
	NotNull, Default  bool
}

type uniqueIndex struct{ Table, Columns string }

// checkShape compares the tables with what we need. The error has a line for
// each fault.
func checkShape(ctx context.Context, conn *pgx.Conn) error {
	var names []string
	for _, t := range controlTables() {
		names = append(names, t.name)
	}
	// Errors of Query are in rows as well.
	rows, _ := conn.Query(ctx, selectColumns, names)
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	if err != nil {
		return fmt.Errorf("look at the control tables: %w", failed(err))
	}
	rows, _ = conn.Query(ctx, selectUnique, names)
	unique, err := pgx.CollectRows(rows, pgx.RowToStructByPos[uniqueIndex])
	if err != nil {
		return fmt.Errorf("look at the control tables: %w", failed(err))
	}
	var faults []error
	for _, t := range controlTables() {
		faults = append(faults, t.check(columns, unique)...)
	}
	return errors.Join(faults...)
}

// check returns what is wrong with a table.
func (t *table) check(columns []column, unique []uniqueIndex) (faults []error) {
	wrong := func(name, expected, found string) {
		faults = append(faults, fmt.Errorf("control database: column %s.%s: expected %s, found %s", t.name, name, expected, found))
	}
	missing := make(map[string]bool, len(t.columns))
	for name := range t.columns {
		missing[name] = true
	}
	for _, c := range columns {
		if c.Table != t.name {
			continue
		}
		delete(missing, c.Name)
		types, known := t.columns[c.Name]
		switch {
		case !known && c.NotNull && !c.Default:
			wrong(c.Name, "a default, since we do not fill it", c.Type+" NOT NULL without one")
		case known && !slices.Contains(strings.Split(types, "|"), c.Type):
			wrong(c.Name, strings.ReplaceAll(types, "|", " or "), c.Type)
		case c.NotNull && slices.Contains(t.free, c.Name):
			wrong(c.Name, "a column that takes NULL", "NOT NULL")
		}
	}
	for name := range missing {
		wrong(name, strings.ReplaceAll(t.columns[name], "|", " or "), "no such column")
	}
	for _, key := range t.unique {
		if !slices.Contains(unique, uniqueIndex{t.name, key}) {
			faults = append(faults, fmt.Errorf("control database: table %s: expected a unique index on (%s), found none", t.name, key))
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return faults
}
