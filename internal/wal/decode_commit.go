package wal

import "time"

// A begin comes before the changes of a transaction that was committed.
type begin struct {
	CommitLSN uint64
	Committed time.Time
	XID       uint32
}

// A commit comes behind them.
type commit struct {
	CommitLSN, EndLSN uint64
	Committed         time.Time
}

// An origin says that the transaction came from elsewhere by replication.
type origin struct {
	LSN  uint64
	Name string
}

func (c *cursor) begin() any {
	return begin{CommitLSN: c.uint64(), Committed: c.time(), XID: c.uint32()}
}

func (c *cursor) commit() any {
	c.uint8() // flags, none defined
	return commit{CommitLSN: c.uint64(), EndLSN: c.uint64(), Committed: c.time()}
}

func (c *cursor) origin() any { return origin{LSN: c.uint64(), Name: c.text()} }
