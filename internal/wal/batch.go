package wal

import (
	"context"

	"github.com/tutti-realtime/tutti"
)

// A transaction is handed over in parts of so many changes, or so many bytes in
// memory, at the most; one change may be larger.
const (
	maxPartChanges = 1000
	maxPartBytes   = 1 << 20
)

// Bytes of memory of a change and of a value, without its text.
const (
	changeBytes = 64
	valueBytes  = 32
)

// An assembler makes transactions of a stream's messages, and hands them over.
type assembler struct {
	deliver  func(context.Context, tutti.Transaction) error
	tables   *tables
	position *position

	part  tutti.Transaction // what is not handed over yet
	bytes int               // of its changes
	seen  int               // changes of the transaction
	whole bool              // the transaction was handed over by an earlier stream
	skip  int               // changes of it that were
	open  bool              // between begin and commit
}

// take takes one message. The assembler keeps the values of rows.
func (a *assembler) take(ctx context.Context, message any) error {
	switch m := message.(type) {
	case begin:
		a.part = tutti.Transaction{ID: m.XID, CommitLSN: m.CommitLSN, Committed: m.Committed}
		a.bytes, a.seen, a.open = 0, 0, true
		a.whole, a.skip = a.position.skip(m.CommitLSN)
	case commit:
		return a.commit(ctx, m)
	case relation:
		return a.tables.learn(ctx, m)
	case typeName:
		a.tables.names[m.OID] = m.Name
	case row:
		change, err := a.tables.change(m)
		if err != nil {
			return err
		}
		return a.add(ctx, change)
	case truncate:
		for _, oid := range m.Relations {
			if table := a.tables.byOID[oid]; table != nil {
				if err := a.add(ctx, tutti.Change{Table: table, Kind: tutti.Truncate}); err != nil {
					return err
				}
			}
		}
	}
	return nil // an origin or a message, which nobody asks for
}

func (a *assembler) add(ctx context.Context, change tutti.Change) error {
	if !a.open {
		return errMalformed
	}
	a.seen++
	if a.whole || a.seen <= a.skip {
		return nil
	}
	size := weigh(change)
	if n := len(a.part.Changes); n > 0 && (n == maxPartChanges || a.bytes+size > maxPartBytes) {
		if err := a.hand(ctx, a.seen-1); err != nil {
			return err
		}
	}
	a.part.Changes = append(a.part.Changes, change)
	a.bytes += size
	return nil
}

// commit hands over the rest.
func (a *assembler) commit(ctx context.Context, m commit) error {
	if !a.open || m.CommitLSN != a.part.CommitLSN {
		return errMalformed
	}
	a.open = false
	if len(a.part.Changes) == 0 { // it was about tables that are not published, or came before
		if !a.whole {
			a.position.pass(m.EndLSN)
		}
		return nil
	}
	a.part.EndLSN = m.EndLSN
	return a.hand(ctx, a.seen)
}

// hand hands the part over, which ends with the change of that number.
func (a *assembler) hand(ctx context.Context, changes int) error {
	part := a.part
	part.More = part.EndLSN == 0
	a.part.Changes, a.bytes = nil, 0
	if err := a.deliver(ctx, part); err != nil {
		return &deliveryError{err}
	}
	a.position.hand(part.CommitLSN, part.EndLSN, changes)
	return nil
}

// A deliveryError is the consumer's, and ends a feed.
type deliveryError struct{ err error }

func (e *deliveryError) Error() string { return "hand over a transaction: " + e.err.Error() }
func (e *deliveryError) Unwrap() error { return e.err }

// weigh returns about how many bytes of memory a change takes.
func weigh(c tutti.Change) int {
	n := changeBytes + (len(c.Old)+len(c.New))*valueBytes
	for _, v := range c.Old {
		n += len(v.Text)
	}
	for _, v := range c.New {
		n += len(v.Text)
	}
	return n
}
