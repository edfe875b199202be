package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// ErrLapsed is the cause with which the context of a lease ends when this node
// has lost it, rather than released it.
var ErrLapsed = errors.New("the lease has lapsed")

var errStopped = errors.New("the node has left the cluster")

// A Lease says that this node is the owner of a name.
type Lease struct {
	Name string
	Term Term // what others are fenced with: greater than that of every owner before

	ctx    context.Context
	cancel context.CancelCauseFunc
	until  atomic.Int64 // in clock's time; the greatest on a node that is alone
	clock  func() time.Duration
	give   func(*Lease)
}

func newLease(ctx context.Context, name string, term Term, clock func() time.Duration, give func(*Lease)) *Lease {
	l := &Lease{Name: name, Term: term, clock: clock, give: give}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	return l
}

// Context ends when the lease does: before another node may have it. On a node
// that stood still it ends a moment after the node goes on; ask Valid, or let
// the other side compare terms, before each act that must not happen twice.
func (l *Lease) Context() context.Context { return l.ctx }

// Valid reports whether this node may act as the owner, by its own clock.
func (l *Lease) Valid() bool {
	return l.ctx.Err() == nil && l.clock() <= time.Duration(l.until.Load())
}

// Release gives the lease to whoever waits for it, which takes a round trip.
// What depended on it must have ended. It may be called more than once.
func (l *Lease) Release() {
	l.cancel(nil)
	l.give(l)
}

// end makes the lease worth nothing. It reports whether it was worth anything.
func (l *Lease) end() (was bool) {
	l.cancel(ErrLapsed)
	return l.until.Swap(-1) != -1
}

// Hold waits until this node owns a name, of 255 bytes at most. All calls, on
// all nodes, come one after another; which is next is not the order in which
// they were made. The lease does not end with ctx: release it. On a node that
// has left, or leaves, the error is that; before Run it waits.
func (b *Bus) Hold(ctx context.Context, name string) (*Lease, error) {
	if name == "" || len(name) > maxName {
		return nil, errName
	}
	w := &waiter{got: make(chan *Lease, 1)}
	if err := b.withDesk(func(now time.Duration) { b.desk.want(now, name, w) }); err != nil {
		return nil, err
	}
	select {
	case l := <-w.got:
		return l, nil
	case <-b.stopped:
	case <-ctx.Done():
	}
	_ = b.withDesk(func(time.Duration) { b.desk.unwant(name, w) })
	select {
	case l := <-w.got:
		l.Release()
	default:
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return nil, errStopped
}
