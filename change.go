package tutti

import "time"

// A ChangeKind says what happened to a row.
type ChangeKind uint8

// The kinds of changes.
const (
	Insert ChangeKind = iota + 1
	Update
	Delete
	Truncate // of a table: there is no row
)

// String returns the kind as clients know it, such as "INSERT".
func (k ChangeKind) String() string {
	return [...]string{"", "INSERT", "UPDATE", "DELETE", "TRUNCATE"}[k]
}

// A Table is a table as it was when a change was made. It is shared and never
// changed. A table that was altered is a new one, as is one of which something
// was altered that does not show here, such as its policies.
type Table struct {
	OID      uint32 // of the table itself, or of the partitioned table it is published as
	Schema   string
	Name     string
	Identity byte // replica identity: d default, n nothing, f full, i index
	Columns  []Column
}

// A Column is one column of a Table that is published.
type Column struct {
	Name    string
	TypeOID uint32
	Type    string // as clients see it, such as int4, _text or a domain's own name
	TypeMod int32  // -1 when there is none
	Key     bool   // part of the replica identity
	Base    uint32 // type of the value, or of an array's elements, under all domains
	Delim   byte   // between an array's elements, mostly a comma; 0 when it is no array
	// Fields are those of a composite value, or of an array's composite elements,
	// in their order; nil when Base is no composite. Of a field Key and TypeMod
	// mean nothing.
	Fields []Column
}

// A Value is what a column holds in a row.
type Value struct {
	Text []byte // as PostgreSQL writes it; nil with Null and Unchanged
	Kind ValueKind
}

// A ValueKind says what is known of a value.
type ValueKind uint8

// The kinds of values.
const (
	Absent    ValueKind = iota // not sent: no part of the identity, or not published
	Null                       // SQL NULL
	Unchanged                  // stored out of line and not touched by an UPDATE
	Text
)

// A Change is one row that was inserted, updated or deleted. New and Old have one
// value for each column of the table, or none.
type Change struct {
	Table *Table
	Kind  ChangeKind
	New   []Value // Insert and Update
	Old   []Value // Delete; Update when the identity changed or is full
}

// A Transaction is changes in the order in which they were made, as of a commit.
type Transaction struct {
	ID        uint32
	CommitLSN uint64    // position of the commit record
	EndLSN    uint64    // position behind it: what is confirmed; 0 with More
	Committed time.Time // the database's clock
	Changes   []Change
	// A large transaction comes in parts, one after the other: all but the last
	// have More set.
	More bool
}
