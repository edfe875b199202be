package cluster

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
)

// Local is a cluster of one node: it does what Bus does where nobody else is. It
// owns no goroutine: the event loops that messages are queued on are its
// queues.
type Local struct {
	// Arrive takes each message for the listeners of this node. It only
	// queues: it never blocks and never calls back.
	Arrive func(tutti.Message)
	// Self is what Members says of this node.
	Self Member

	mu   sync.Mutex // guards all below
	last Term
	held map[string]chan struct{} // closed when the lease is free
}

// Publish sends a message to every node that has listeners for it. It never
// blocks. Messages of one caller to one topic keep their order.
func (l *Local) Publish(m tutti.Message) { l.Arrive(m) }

// Want does nothing: there is nobody who would have to know.
func (l *Local) Want(tutti.Topic, bool) {}

// Note does nothing: there is no other node.
func (l *Local) Note(string, tutti.Topic, []byte) {}

// Tell does nothing: there is no other node.
func (l *Local) Tell(string, string, []byte) error { return nil }

// Ask returns no answers: there is no other node. A node that is named is
// silent.
func (l *Local) Ask(_ context.Context, to, _ string, _ []byte) (replies []Reply, silent []string, err error) {
	if to != "" {
		silent = []string{to}
	}
	return nil, silent, nil
}

// Members returns this node.
func (l *Local) Members() []Member {
	m := l.Self
	m.Self = true
	return []Member{m}
}

// Run waits until ctx ends.
func (l *Local) Run(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// Hold waits until nobody else on this node owns the name.
func (l *Local) Hold(ctx context.Context, name string) (*Lease, error) {
	if name == "" || len(name) > maxName {
		return nil, errName
	}
	for {
		lease, free := l.take(ctx, name)
		if lease != nil {
			return lease, nil
		}
		select {
		case <-free:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// take returns the lease, or what is closed when it is free.
func (l *Local) take(ctx context.Context, name string) (*Lease, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if free := l.held[name]; free != nil {
		return nil, free
	}
	if l.held == nil {
		l.held = make(map[string]chan struct{})
	}
	free := make(chan struct{})
	l.held[name] = free
	l.last = max(l.last+1<<tagBits, Term(time.Now().UnixMilli())<<tagBits)
	lease := newLease(context.WithoutCancel(ctx), name, l.last, func() time.Duration { return 0 }, l.release)
	lease.until.Store(math.MaxInt64)
	return lease, nil
}

func (l *Local) release(lease *Lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lease.end() {
		close(l.held[lease.Name])
		delete(l.held, lease.Name)
	}
}
