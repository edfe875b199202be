package rls

import "slices"

// A Plan is the policies of a table for one role, as far as they can be judged
// without PostgreSQL. It is shared and never changed.
type Plan struct {
	expressions []expression
	columns     []column
	claims      []string
	all         bool
	root        term
	key         *keyed
}

// An expression is what is asked of PostgreSQL for an identity.
type expression struct {
	sql  string
	kind kind
}

// A column is one that a plan reads.
type column struct {
	name string
	kind kind
}

// Expressions returns what PostgreSQL is to be asked once for each identity:
// SQL without columns, one value each, such as auth.uid(). It is to be evaluated
// as rows would be asked for: as the identity's role, with its claims in
// request.jwt.claims, and with an empty search_path. If one fails, rows of this
// identity must be asked of PostgreSQL, which may fail or not.
func (p *Plan) Expressions() []string {
	sql := make([]string, len(p.expressions))
	for i := range sql {
		sql[i] = p.expressions[i].sql
	}
	return sql
}

// Claims returns the top-level claims on which the expressions depend, sorted:
// identities of one role that differ in others have the same values. With all
// there may be any.
//
// What PostgreSQL cannot read as jsonb, such as a \u0000 in any claim, makes an
// expression fail: the claims of such an identity all count.
func (p *Plan) Claims() (names []string, all bool) {
	return slices.Clone(p.claims), p.all
}

// Columns returns the columns that the plan reads, in the order in which Row
// takes their values.
func (p *Plan) Columns() []string {
	names := make([]string, len(p.columns))
	for i := range names {
		names[i] = p.columns[i].name
	}
	return names
}
