package postgres

import (
	"context"
	"fmt"
	"strings"
)

// Identity asks, for each viewer, what expressions of policies that name no
// column are for him, such as auth.uid(): as PostgreSQL writes them, nil for
// NULL. Expressions must come from the catalog (pg_get_expr); they are inserted
// as they are. errs[i] is of viewer i alone, and then values[i] is nil; err is as
// Visible's.
func (d *Database) Identity(ctx context.Context, viewers []*Viewer, expressions []string) (values [][]*string, errs []error, err error) {
	values, errs = make([][]*string, len(viewers)), make([]error, len(viewers))
	if len(expressions) == 0 {
		for i := range values {
			values[i] = []*string{}
		}
		return values, errs, ctx.Err()
	}
	sql := "SELECT (" + strings.Join(expressions, "), (") + ")"
	inquiries := make([]*inquiry, len(viewers))
	for i, v := range viewers {
		inquiries[i] = &inquiry{viewer: v, kind: v.Role, err: v.check()}
		inquiries[i].clauses = []clause{{sql: emptyPath, row: func([][]byte) {}}, {sql: sql, row: func(row [][]byte) { values[i] = texts(row) }}}
	}
	if err := d.ask(ctx, inquiries); err != nil {
		return nil, nil, fmt.Errorf("ask who viewers are: %w", err)
	}
	for i, q := range inquiries {
		if errs[i] = q.err; q.err != nil {
			values[i] = nil
		}
	}
	return values, errs, nil
}

// emptyPath makes an expression mean what it meant when it was read.
const emptyPath = "SELECT set_config('search_path', '', true)"

// texts copies a row.
func texts(row [][]byte) []*string {
	all := make([]*string, len(row))
	for i, v := range row {
		if v != nil {
			text := string(v)
			all[i] = &text
		}
	}
	return all
}
