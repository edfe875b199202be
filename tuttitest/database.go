package tuttitest

import (
	"context"
	"fmt"
	"reflect"

	"github.com/tutti-realtime/tutti"
)

// A Database notes what it is told, and answers queries with rows that a test gave
// it. It knows no SQL: what a statement does, a test against PostgreSQL must show.
type Database struct {
	Did  []Statement
	Fail error // what every transaction fails with; nil for none

	rows map[string][][]any
}

// A Statement is one that was executed in a transaction that was committed.
type Statement struct {
	Role string // "" for the owner
	SQL  string
	Args []any
}

// Answer says which rows a query returns.
func (d *Database) Answer(sql string, rows ...[]any) {
	if d.rows == nil {
		d.rows = map[string][][]any{}
	}
	d.rows[sql] = rows
}

// As implements tutti.ExtensionDatabase.
func (d *Database) As(_ context.Context, c *tutti.Claims, f func(tutti.Tx) error) error {
	return d.transact(c.Role, f)
}

// Owner implements tutti.ExtensionDatabase.
func (d *Database) Owner(_ context.Context, f func(tutti.Tx) error) error { return d.transact("", f) }

func (d *Database) transact(role string, f func(tutti.Tx) error) error {
	if d.Fail != nil {
		return d.Fail
	}
	t := &transaction{database: d, role: role}
	if err := f(t); err != nil {
		return err
	}
	d.Did = append(d.Did, t.did...)
	return nil
}

type transaction struct {
	database *Database
	role     string
	did      []Statement
}

// Exec implements tutti.Tx.
func (t *transaction) Exec(_ context.Context, sql string, args ...any) (int64, error) {
	t.did = append(t.did, Statement{t.role, sql, args})
	return 1, nil
}

// Query implements tutti.Tx.
func (t *transaction) Query(_ context.Context, sql string, row func(scan func(dest ...any) error) error, args ...any) error {
	t.did = append(t.did, Statement{t.role, sql, args})
	for _, values := range t.database.rows[sql] {
		if err := row(func(dest ...any) error { return assign(dest, values) }); err != nil {
			return err
		}
	}
	return nil
}

// assign puts values where the pointers of a scan point.
func assign(dest, values []any) error {
	if len(dest) != len(values) {
		return fmt.Errorf("%d columns are scanned into %d places", len(values), len(dest))
	}
	for i, d := range dest {
		to, from := reflect.ValueOf(d), reflect.ValueOf(values[i])
		if to.Kind() != reflect.Pointer || !from.IsValid() || !from.CanConvert(to.Elem().Type()) {
			return fmt.Errorf("column %d, %T, cannot be scanned into %T", i+1, values[i], d)
		}
		to.Elem().Set(from.Convert(to.Elem().Type()))
	}
	return nil
}
