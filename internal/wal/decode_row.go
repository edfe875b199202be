package wal

import "github.com/tutti-realtime/tutti"

// A row is an Insert, Update or Delete. Its values are parts of the message.
type row struct {
	XID      uint32 // of the streamed transaction
	Relation uint32
	Kind     tutti.ChangeKind
	OldKind  byte // K: Old has the identity's columns, the others null; O: all; 0: no Old
	Old, New []tutti.Value
}

// A truncate empties tables.
type truncate struct {
	XID       uint32
	Cascade   bool
	Identity  bool // sequences begin anew
	Relations []uint32
}

func (c *cursor) row(kind byte, xid uint32) any {
	r := row{XID: xid, Relation: c.uint32()}
	switch kind {
	case 'I':
		r.Kind = tutti.Insert
	case 'U':
		r.Kind = tutti.Update
	default:
		r.Kind = tutti.Delete
	}
	part := c.uint8()
	if kind != 'I' && (part == 'K' || part == 'O') {
		r.OldKind, r.Old = part, c.tuple()
		if kind == 'D' {
			return r
		}
		part = c.uint8()
	}
	if kind == 'D' || part != 'N' {
		c.bad = true
		return r
	}
	r.New = c.tuple()
	return r
}

// tuple takes the values of a row.
func (c *cursor) tuple() []tutti.Value {
	values := make([]tutti.Value, c.count(int(c.uint16()), 1))
	for i := range values {
		switch c.uint8() {
		case 'n':
			values[i].Kind = tutti.Null
		case 'u':
			values[i].Kind = tutti.Unchanged
		case 't':
			values[i] = tutti.Value{Kind: tutti.Text, Text: c.bytes(int(int32(c.uint32())))}
		default: // 'b', binary, is what we never ask for
			c.bad = true
			return nil
		}
	}
	return values
}

func (c *cursor) truncate(xid uint32) any {
	n := int(int32(c.uint32()))
	flags := c.uint8()
	t := truncate{XID: xid, Cascade: flags&1 != 0, Identity: flags&2 != 0}
	t.Relations = make([]uint32, c.count(n, 4))
	for i := range t.Relations {
		t.Relations[i] = c.uint32()
	}
	return t
}
