// Package rls reads the row-level security policies of a table and judges rows
// by them in memory, so that a change need not be asked of PostgreSQL for every
// one of thousands of subscribers. What a policy computes of the subscriber
// alone, such as auth.uid(), PostgreSQL is asked once for each identity; the
// columns of a row are compared with it here.
//
// Nobody may hear what he may not hear: a policy that is not certainly
// understood is refused, and the caller asks PostgreSQL for each row. What is
// understood depends on the row, the role and the claims only, so its answer is
// the same at any time and may be kept.
//
// The package is pure: it owns no goroutine and does no I/O.
//
// Specification: https://www.postgresql.org/docs/current/ddl-rowsecurity.html
package rls

import "slices"

// A Policy is what pg_policy says of a policy that applies to a SELECT (those of
// SELECT and of ALL) of one role.
type Policy struct {
	Permissive bool
	// Using is pg_get_expr(polqual, polrelid), read with an empty search_path, so
	// that every name outside of pg_catalog is qualified; "" without a USING.
	Using string
	// Functions are those outside of pg_catalog on which the policy depends by
	// pg_depend. One that does not stand in Using is called by a hidden cast, and
	// the policy is refused.
	Functions []Function
	// Operators says that the policy depends on operators outside of pg_catalog.
	// IS DISTINCT FROM and NULLIF do not show theirs.
	Operators bool
	// Helpers are functions outside of pg_catalog that the bodies of Functions may
	// call. Too many do no harm; without one, a body that calls it is refused.
	Helpers []Function
}

// A Function is what pg_proc says of a function.
type Function struct {
	Schema          string
	Name            string
	Arguments       string // pg_get_function_arguments
	Result          string // pg_get_function_result
	Language        string
	Volatility      byte   // i, s or v
	Body            string // prosrc; "" of a body that is kept as a parse tree
	SecurityDefiner bool
	Config          []string // proconfig
}

// A Column is what pg_attribute and pg_type say of a column.
type Column struct {
	Name          string
	Type          uint32 // OID
	TypeName      string // format_type with an empty search_path and no modifier
	Deterministic bool   // the column's collation, if any, takes only equal bytes for equal
	Domain        bool
	Enum          bool
}

// Read returns the plan of all policies of a table that apply to one role for
// SELECT. ok is false when there is one that cannot be judged here.
//
// A plan is good as long as the policies, the columns, the functions and the
// labels of enums are as they were.
func Read(policies []Policy, columns []Column) (plan *Plan, ok bool) {
	// A policy without USING says nothing of rows that are read: PostgreSQL leaves
	// it out, and a table with no other permissive policy shows nothing.
	policies = slices.DeleteFunc(slices.Clone(policies), func(p Policy) bool { return p.Using == "" })
	c := &compiler{columns: columns, plan: &Plan{}, claims: map[string]bool{}}
	permits := term{op: termOr}
	all := term{op: termAnd, args: make([]term, 1, len(policies)+1)}
	if !slices.ContainsFunc(policies, func(p Policy) bool { return p.Permissive }) {
		policies = nil // whatever the others say
	}
	for i := range policies {
		t, ok := c.policy(&policies[i])
		if !ok {
			return nil, false
		}
		if policies[i].Permissive {
			permits.args = append(permits.args, t)
		} else {
			all.args = append(all.args, t)
		}
	}
	all.args[0] = permits
	return c.finish(all), true
}
