package wal

import "github.com/tutti-realtime/tutti"

// A relation describes a table before its first change, and again when the
// table has changed. Columns lack what only the catalog knows.
type relation struct {
	XID      uint32 // of the streamed transaction
	OID      uint32
	Schema   string
	Name     string
	Identity byte
	Columns  []tutti.Column
}

// A typeName names a type that is not built in; of a domain, the type under it.
type typeName struct {
	XID    uint32
	OID    uint32
	Schema string
	Name   string
}

// minColumn is the fewest bytes that describe a column: flags, the zero behind
// an empty name, type and modifier.
const minColumn = 1 + 1 + 4 + 4

func (c *cursor) relation(xid uint32) any {
	r := relation{XID: xid, OID: c.uint32(), Schema: c.text(), Name: c.text(), Identity: c.uint8()}
	if r.Schema == "" {
		r.Schema = "pg_catalog" // so says the protocol
	}
	n := c.count(int(c.uint16()), minColumn)
	r.Columns = make([]tutti.Column, n)
	for i := range r.Columns {
		flags := c.uint8()
		r.Columns[i] = tutti.Column{
			Key: flags&1 != 0, Name: c.text(), TypeOID: c.uint32(), TypeMod: int32(c.uint32()),
		}
	}
	return r
}

func (c *cursor) typeName(xid uint32) any {
	return typeName{XID: xid, OID: c.uint32(), Schema: c.text(), Name: c.text()}
}
