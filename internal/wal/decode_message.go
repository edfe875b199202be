package wal

import "bytes"

// A logicalMessage was written with pg_logical_emit_message. We do not ask for
// them.
type logicalMessage struct {
	XID           uint32 // of the streamed transaction
	Transactional bool
	LSN           uint64
	Prefix        string
	Content       []byte
}

func (c *cursor) logicalMessage(xid uint32) any {
	return logicalMessage{
		XID: xid, Transactional: c.uint8()&1 != 0, LSN: c.uint64(), Prefix: c.text(),
		Content: bytes.Clone(c.bytes(int(int32(c.uint32())))),
	}
}
