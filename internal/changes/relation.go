package changes

import "github.com/tutti-realtime/tutti"

// A Catalog knows the tables that a role may subscribe to.
type Catalog interface {
	// Tables returns the published tables of a schema and name, either of which
	// may be Any. Names match exactly. Tables of Hidden schemas are not among them.
	Tables(schema, name string) []*Relation
}

// A Relation is a published table as a role sees it. It is shared and never
// changed.
type Relation struct {
	Schema  string
	Name    string
	RLS     bool     // row-level security is on
	Columns []Column // in the order of their numbers, dropped ones left out
}

// A Column is a column of a Relation.
type Column struct {
	Name       string
	Type       uint32    // OID, of a domain its own
	TypeName   string    // pg_type.typname, as clients see it: int4
	SQLName    string    // format_type without modifier, as errors have it: integer
	Category   byte      // pg_type.typcategory
	Domain     bool      // the type is a domain
	Labels     []string  // of an enum, in their order; nil for other types
	Collation  Collation // of text
	Primary    bool      // part of the primary key
	Selectable bool      // the role may SELECT it
}

// A Collation is what must be known of one to compare texts.
type Collation uint8

// The collations. The database's encoding is taken to be UTF-8.
const (
	// Linguistic collations call texts equal when their bytes are; their order
	// and the case of letters beyond ASCII are PostgreSQL's affair.
	Linguistic Collation = iota
	// ByteOrder is C and POSIX: order is that of bytes, case is ASCII's.
	ByteOrder
	// Odd collations are those that are not deterministic, and those of
	// languages in which i is not the small letter of I.
	Odd
)

// Hidden reports whether tables of a schema can never be subscribed to: the
// system's, and realtime's, whose rows hold the claims of other users.
func Hidden(schema string) bool {
	switch schema {
	case "realtime", "pg_catalog", "information_schema", "pg_toast":
		return true
	}
	return false
}

// column returns the column of a name, nil if there is none.
func (r *Relation) column(name string) *Column {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return &r.Columns[i]
		}
	}
	return nil
}

// Position returns the place of a column in a table as it was at a change, -1
// if it was not there.
func Position(t *tutti.Table, name string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i
		}
	}
	return -1
}
