package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// A Condition is one that a row must meet, as PostgreSQL itself understands it.
type Condition struct {
	Type   uint32 // OID of the column's type
	Op     string // eq neq lt lte gt gte in like ilike is match imatch isdistinct
	Value  string // of in: an array literal, such as {1,2}
	Negate bool
	Row    *string // the column's value, as PostgreSQL writes it; nil is NULL
}

// A Test is whether a row meets conditions.
type Test struct {
	Conditions []Condition
	Pass       bool // set by Test: all conditions hold, and none is NULL
	// Err is set by Test, too, and is of this test alone: mostly a *pgconn.PgError,
	// such as that of a value that the type does not take or of a regular
	// expression that takes too long (57014).
	Err error
}

// operators are SQL for each Op, the row's value being $1 and the condition's $2.
var operators = map[string]string{
	"eq": "$1 = $2", "neq": "$1 != $2", "lt": "$1 < $2", "lte": "$1 <= $2", "gt": "$1 > $2", "gte": "$1 >= $2",
	"in": "$1 = ANY ($2)", "like": "$1 LIKE $2", "ilike": "$1 ILIKE $2", "match": "$1 ~ $2", "imatch": "$1 ~* $2",
	"isdistinct": "$1 IS DISTINCT FROM $2",
	"is null":    "$1 IS NULL", "is true": "$1 IS TRUE", "is false": "$1 IS FALSE", "is unknown": "$1 IS UNKNOWN",
}

// Test evaluates tests (database.md §3.3), as the role that logged in. Values are
// cast to the type without modifiers, and compared with what the type's own
// collation says. An error is as Visible's.
func (d *Database) Test(ctx context.Context, tests []*Test) error {
	conditions := make([]*Condition, 0, len(tests))
	for _, t := range tests {
		for i := range t.Conditions {
			conditions = append(conditions, &t.Conditions[i])
		}
	}
	arrays, err := d.arraysOf(ctx, conditions)
	if err != nil {
		return fmt.Errorf("test rows: %w", err)
	}
	inquiries := make([]*inquiry, len(tests))
	for i, t := range tests {
		t.Pass = true
		inquiries[i] = t.inquiry(arrays)
	}
	if err := d.ask(ctx, inquiries); err != nil {
		return fmt.Errorf("test rows: %w", err)
	}
	for i, t := range tests {
		t.Err = inquiries[i].err
		t.Pass = t.Pass && t.Err == nil
	}
	return nil
}

// inquiry returns what is asked for a test: each condition by itself, which is
// prepared once for a type and an operator.
func (t *Test) inquiry(arrays map[uint32]uint32) *inquiry {
	q := &inquiry{}
	for i := range t.Conditions {
		c := &t.Conditions[i]
		clause, err := c.clause(arrays)
		if err != nil {
			return &inquiry{err: err}
		}
		clause.values[0] = nil
		if c.Row != nil {
			clause.values[0] = []byte(*c.Row)
		}
		clause.row = func(values [][]byte) { t.Pass = t.Pass && string(values[0]) == "t" }
		q.clauses = append(q.clauses, clause)
		q.kind += c.Op + c.Value + "\x00"
	}
	return q
}

// clause returns the statement that evaluates a condition, without the row's
// value. Types are given by their numbers, so that nobody's text gets into SQL,
// and no modifier cuts anything off.
func (c *Condition) clause(arrays map[uint32]uint32) (clause, error) {
	op, made := c.Op, clause{types: [2]uint32{c.Type, c.Type}, values: [][]byte{nil, []byte(c.Value)}}
	switch op {
	case "is":
		op += " " + c.Value
		made.types[1], made.values = 0, made.values[:1]
	case "in":
		made.types[1] = arrays[c.Type]
	}
	sql, known := operators[op]
	if !known || c.Type == 0 {
		return clause{}, fmt.Errorf("unknown operator %q of type %d", op, c.Type)
	}
	made.sql = "SELECT " + sql
	if c.Negate {
		made.sql = "SELECT NOT (" + sql + ")"
	}
	return made, nil
}

// An array of arrays has the same type.
const selectArrays = `SELECT oid, CASE typarray WHEN 0 THEN oid ELSE typarray END FROM pg_type WHERE oid = ANY ($1)`

// arraysOf returns the types of arrays of the types in conditions that need them.
func (d *Database) arraysOf(ctx context.Context, conditions []*Condition) (map[uint32]uint32, error) {
	arrays := map[uint32]uint32{}
	var oids []uint32
	for _, c := range conditions {
		if _, known := arrays[c.Type]; c.Op == "in" && !known {
			arrays[c.Type] = 0
			oids = append(oids, c.Type)
		}
	}
	if len(oids) == 0 {
		return nil, nil
	}
	ctx, cancel := within(ctx, catalogTimeout)
	defer cancel()
	// Errors of Query are in rows as well.
	rows, _ := d.rows.Query(ctx, selectArrays, oids)
	var element, array uint32
	_, err := pgx.ForEachRow(rows, []any{&element, &array}, func() error {
		arrays[element] = array
		return nil
	})
	return arrays, failed(err)
}

// A pattern that ends with an escape fails only where a text matches it that far,
// which these texts do: they have more backslashes than the end of the pattern.
const (
	lastEscape      = `SELECT repeat('\', 1 + length($1)) LIKE substr($1, length(rtrim($1, '\')) + 1)`
	lastEscapeBytes = `SELECT decode(repeat('5c', 1 + octet_length($1)), 'hex') LIKE substr($1, octet_length(rtrim($1, '\x5c'::bytea)) + 1)`

	// In reaches the elements that are not NULL only if there is one to compare.
	firstElement = `SELECT (SELECT e FROM unnest($1) e WHERE e IS NOT NULL LIMIT 1) = ANY ($1)`
)

const byteaOID = 17

// Accept asks whether conditions can be evaluated: whether the type takes the
// value and has the operator, and whether the operator takes the value. Rows do
// not count. One that cannot would raise later, when a row meets it. errs[i] is
// nil or what PostgreSQL says; err is as Visible's.
func (d *Database) Accept(ctx context.Context, conditions []Condition) (errs []error, err error) {
	all := make([]*Condition, len(conditions))
	for i := range conditions {
		all[i] = &conditions[i]
	}
	arrays, err := d.arraysOf(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("try conditions: %w", err)
	}
	inquiries := make([]*inquiry, len(conditions))
	for i, c := range all {
		inquiries[i] = c.trial(arrays)
		inquiries[i].kind = fmt.Sprint(i)
	}
	if err := d.ask(ctx, inquiries); err != nil {
		return nil, fmt.Errorf("try conditions: %w", err)
	}
	errs = make([]error, len(conditions))
	for i, q := range inquiries {
		errs[i] = q.err
	}
	return errs, nil
}

// trial returns an inquiry that fails if the condition could, for some row.
func (c *Condition) trial(arrays map[uint32]uint32) *inquiry {
	evaluate, err := c.clause(arrays)
	if err != nil {
		return &inquiry{err: err}
	}
	ignore := func([][]byte) {}
	evaluate.row = ignore
	value := []byte(c.Value)
	q := &inquiry{}
	switch c.Op {
	case "is":
		q.clauses = []clause{evaluate}
	case "in":
		first := clause{sql: firstElement, types: [2]uint32{arrays[c.Type]}, values: [][]byte{value}, row: ignore}
		q.clauses = []clause{evaluate, first}
	case "like", "ilike":
		evaluate.values[0] = value
		escape := clause{sql: lastEscape, types: [2]uint32{textOID}, values: [][]byte{value}, row: ignore}
		if c.Type == byteaOID {
			escape.sql, escape.types[0] = lastEscapeBytes, byteaOID
		}
		q.clauses = []clause{evaluate, escape}
	default:
		// The value is one that a row could have, and operators that fail do so
		// with any: a regular expression is read first, elements are compared.
		evaluate.values[0] = value
		q.clauses = []clause{evaluate}
	}
	return q
}
