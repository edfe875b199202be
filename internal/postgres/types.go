package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
)

// describeTypes goes from each type through domains, at most one array, and the
// domains of its elements, to what the values are made of, and from composites
// to their fields. A domain's name is its own.
const describeTypes = `
WITH RECURSIVE step (want, oid, delim) AS (
  SELECT oid, oid, '' FROM pg_type WHERE oid = ANY ($1)
UNION
  SELECT next.want, next.oid, next.delim
  FROM step JOIN pg_type t ON t.oid = step.oid CROSS JOIN LATERAL (
    SELECT step.want, t.typbasetype, step.delim WHERE t.typtype = 'd'
    UNION ALL
    SELECT step.want, t.typelem, CASE WHEN t.oid IN (22, 30) THEN ' ' ELSE t.typdelim::text END
    WHERE t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc AND step.delim = ''
    UNION ALL
    SELECT a.atttypid, a.atttypid, '' FROM pg_attribute a
    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
  ) next (want, oid, delim)
)
SELECT step.want, want.typname::text, step.oid, step.delim, field.names, field.types
FROM step JOIN pg_type want ON want.oid = step.want JOIN pg_type t ON t.oid = step.oid LEFT JOIN LATERAL (
  SELECT array_agg(a.attname::text ORDER BY a.attnum) AS names, array_agg(a.atttypid ORDER BY a.attnum) AS types
  FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
) field ON t.typtype = 'c'
WHERE t.typtype <> 'd' AND (step.delim <> '' OR t.typsubscript <> 'pg_catalog.array_subscript_handler'::regproc)`

// A describedType is a row of describeTypes.
type describedType struct {
	want, base  uint32
	name, delim string
	fieldNames  []string // none: it is no composite
	fieldTypes  []uint32
}

// DescribeTypes sets Type, Base, Delim and Fields of those columns whose TypeOID
// it finds, and leaves the others as they are.
func (d *Database) DescribeTypes(ctx context.Context, columns []tutti.Column) error {
	if len(columns) == 0 {
		return nil
	}
	ctx, cancel := within(ctx, catalogTimeout)
	defer cancel()
	oids := make([]uint32, len(columns))
	for i := range columns {
		oids[i] = columns[i].TypeOID
	}
	// Errors of Query are in rows as well.
	rows, _ := d.rows.Query(ctx, describeTypes, oids)
	all := map[uint32]describedType{}
	var t describedType
	into := []any{&t.want, &t.name, &t.base, &t.delim, &t.fieldNames, &t.fieldTypes}
	_, err := pgx.ForEachRow(rows, into, func() error {
		all[t.want] = t
		t.fieldNames, t.fieldTypes = nil, nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("describe types: %w", failed(err))
	}
	describe(columns, all)
	return nil
}

// describe sets what is known of columns. PostgreSQL lets no composite be within
// itself, so it ends.
func describe(columns []tutti.Column, all map[uint32]describedType) {
	for i := range columns {
		c := &columns[i]
		t, known := all[c.TypeOID]
		if !known {
			continue
		}
		c.Type, c.Base, c.Delim, c.Fields = t.name, t.base, 0, nil
		if t.delim != "" {
			c.Delim = t.delim[0]
		}
		if len(t.fieldNames) == 0 {
			continue
		}
		c.Fields = make([]tutti.Column, len(t.fieldNames))
		for j, name := range t.fieldNames {
			c.Fields[j] = tutti.Column{Name: name, TypeOID: t.fieldTypes[j], TypeMod: -1}
		}
		describe(c.Fields, all)
	}
}
