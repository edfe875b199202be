package wal

import "time"

// A streamStart begins a piece of a transaction that still runs (version 2).
type streamStart struct {
	XID   uint32
	First bool // piece of the transaction
}

// A streamStop ends the piece.
type streamStop struct{}

// A streamCommit ends a transaction that came in pieces.
type streamCommit struct {
	XID               uint32
	CommitLSN, EndLSN uint64
	Committed         time.Time
}

// A streamAbort takes back a transaction that came in pieces, or, when SubXID
// differs, a part of it. LSN and Aborted come with version 4.
type streamAbort struct {
	XID, SubXID uint32
	LSN         uint64
	Aborted     time.Time
}

func (d *decoder) streamed(kind byte, c *cursor) any {
	if d.version < 2 {
		return nil
	}
	switch kind {
	case 'S':
		c.bad = c.bad || d.inStream
		d.inStream = true
		return streamStart{XID: c.uint32(), First: c.uint8() == 1}
	case 'E':
		c.bad = c.bad || !d.inStream
		d.inStream = false
		return streamStop{}
	case 'c':
		xid := c.uint32()
		c.uint8() // flags, none defined
		return streamCommit{XID: xid, CommitLSN: c.uint64(), EndLSN: c.uint64(), Committed: c.time()}
	}
	a := streamAbort{XID: c.uint32(), SubXID: c.uint32()}
	if d.version >= 4 && len(c.b) > 0 { // only where the server was asked for streaming 'parallel'
		a.LSN, a.Aborted = c.uint64(), c.time()
	}
	return a
}
