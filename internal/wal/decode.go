package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// errMalformed says that a message is not what the protocol says.
var errMalformed = errors.New("malformed message")

// A decoder reads pgoutput's messages in the order of a connection. The zero
// decoder reads version 1. Spec: PostgreSQL, "Logical Replication Message Formats".
type decoder struct {
	version  int  // of the protocol, 1 to 4; 0 is 1
	inStream bool // between Stream Start and Stream Stop
}

// decode reads one message: a begin, commit, origin, relation, typeName, row,
// truncate, logicalMessage, streamStart, streamStop, streamCommit or
// streamAbort. The values of a row are parts of data. It allocates at most a
// fixed multiple of len(data).
func (d *decoder) decode(data []byte) (any, error) {
	if len(data) == 0 {
		return nil, errMalformed
	}
	kind, c := data[0], &cursor{b: data[1:]}
	m := d.message(kind, c)
	switch {
	case m == nil:
		return nil, fmt.Errorf("%w: no message begins with %q", errMalformed, kind)
	case c.bad:
		return nil, fmt.Errorf("%w of kind %q", errMalformed, kind)
	case len(c.b) > 0:
		return nil, fmt.Errorf("%w of kind %q: %d bytes follow it", errMalformed, kind, len(c.b))
	}
	return m, nil
}

func (d *decoder) message(kind byte, c *cursor) any {
	switch kind {
	case 'B':
		return c.begin()
	case 'C':
		return c.commit()
	case 'O':
		return c.origin()
	case 'S', 'E', 'c', 'A':
		return d.streamed(kind, c)
	}
	var xid uint32 // within a stream, whose change it is
	if d.inStream {
		xid = c.uint32()
	}
	switch kind {
	case 'R':
		return c.relation(xid)
	case 'Y':
		return c.typeName(xid)
	case 'I', 'U', 'D':
		return c.row(kind, xid)
	case 'T':
		return c.truncate(xid)
	case 'M':
		return c.logicalMessage(xid)
	}
	return nil
}

// A cursor takes fields off the front of b. What is not there is zero, and makes
// the cursor bad.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) bytes(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	taken := c.b[:n:n]
	c.b = c.b[n:]
	return taken
}

func (c *cursor) uint8() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// text takes a string that ends with a zero byte.
func (c *cursor) text() string {
	end := bytes.IndexByte(c.b, 0)
	if end < 0 {
		c.bad, c.b = true, nil
		return ""
	}
	s := string(c.b[:end])
	c.b = c.b[end+1:]
	return s
}

// count takes the number of things of at least size bytes each that follow, and
// refuses it when they cannot all be there.
func (c *cursor) count(n, size int) int {
	if n < 0 || n > len(c.b)/size {
		c.bad, c.b = true, nil
		return 0
	}
	return n
}

// epoch is where PostgreSQL's clock begins, in Unix seconds.
const epoch = 946684800

// time takes microseconds since 2000.
func (c *cursor) time() time.Time {
	us := int64(c.uint64())
	return time.Unix(epoch+us/1e6, us%1e6*1e3).UTC()
}
