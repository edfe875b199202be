package wal

import (
	"context"
	"fmt"

	"github.com/tutti-realtime/tutti"
)

// A Catalog knows the types that a database has made itself. Only a column's
// TypeOID comes in the stream.
type Catalog interface {
	// DescribeTypes sets Type, Base, Delim and Fields of those columns whose
	// TypeOID it finds, and leaves the others as they are.
	DescribeTypes(ctx context.Context, columns []tutti.Column) error
}

// tables are the tables that a feed has heard of, by OID.
type tables struct {
	catalog Catalog // may be nil
	byOID   map[uint32]*tutti.Table
	names   map[uint32]string // of types, as the stream has named them
}

// learn takes a relation in. Every one is a new *tutti.Table, even one that says
// what the one before said: see the package's comment.
func (t *tables) learn(ctx context.Context, r relation) error {
	if err := t.describe(ctx, r.Columns); err != nil {
		return fmt.Errorf("describe the columns of %s.%s: %w", r.Schema, r.Name, err)
	}
	t.byOID[r.OID] = &tutti.Table{OID: r.OID, Schema: r.Schema, Name: r.Name, Identity: r.Identity, Columns: r.Columns}
	return nil
}

// describe sets Type, Base, Delim and Fields. The catalog is asked every time: a type
// may have a new name.
func (t *tables) describe(ctx context.Context, columns []tutti.Column) error {
	ask := false
	for i := range columns {
		c := &columns[i]
		if b, ok := builtins[c.TypeOID]; ok {
			c.Type, c.Base, c.Delim = b.name, b.base, b.delim
			continue
		}
		c.Type, c.Base, c.Delim = t.names[c.TypeOID], c.TypeOID, 0
		ask = true
	}
	if !ask || t.catalog == nil {
		return nil
	}
	return t.catalog.DescribeTypes(ctx, columns)
}

// change returns a row as a change.
func (t *tables) change(r row) (tutti.Change, error) {
	table := t.byOID[r.Relation]
	if table == nil {
		return tutti.Change{}, fmt.Errorf("%w: a row of an unknown table, %d", errMalformed, r.Relation)
	}
	for _, values := range [][]tutti.Value{r.Old, r.New} {
		if values != nil && len(values) != len(table.Columns) {
			return tutti.Change{}, fmt.Errorf("%w: a row of %s.%s with %d columns, not %d",
				errMalformed, table.Schema, table.Name, len(values), len(table.Columns))
		}
	}
	if r.OldKind == 'K' {
		for i := range r.Old {
			if !table.Columns[i].Key { // sent as null, which it need not be
				r.Old[i] = tutti.Value{}
			}
		}
	}
	return tutti.Change{Table: table, Kind: r.Kind, New: r.New, Old: r.Old}, nil
}
