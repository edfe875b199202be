package feed

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
	"github.com/tutti-realtime/tutti/internal/relay"
)

// A lonelyBus is that of a node that hears nobody, and may have every lease.
type lonelyBus struct {
	mu   sync.Mutex // guards term
	term uint64
}

func (*lonelyBus) Tell(string, []byte) error { return nil }

func (*lonelyBus) Ask(context.Context, []byte) ([]cluster.Reply, []string, error) {
	return nil, nil, nil
}

func (b *lonelyBus) Hold(ctx context.Context, _ string) (cluster.Right, uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.term++
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return lonelyLease{ctx, cancel}, b.term, nil
}

type lonelyLease struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func (l lonelyLease) Context() context.Context { return l.ctx }
func (l lonelyLease) Valid() bool              { return l.ctx.Err() == nil }
func (l lonelyLease) Release()                 { l.cancel() }

func TestAFeedThatIsShared(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	n.Idle = time.Millisecond
	n.Relay = &relay.Relay{Node: "a", Bus: &lonelyBus{}, Log: n.Log}
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	running.Go(func() { _ = n.Relay.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	for i := range 3 {
		w := n.witnessing("anon", notesEntry)
		w.note(t, dsn, i+1)
		if i == 0 {
			name := value[string](t, db, "SELECT application_name FROM pg_stat_activity JOIN pg_replication_slots ON pid = active_pid WHERE slot_name = $1", n.slotName())
			if !strings.HasPrefix(name, sender+"/") || n.Relay.Owner("acme") != "a" {
				t.Errorf("%q reads, the owner is %q", name, n.Relay.Owner("acme"))
			}
			n.TenantChanged("acme", n.tenant, n.with(dsn, map[string]any{"retention_hours": 7.0}))
			w.note(t, dsn, 100) // the same stream, over another connection
		}
		n.Unsubscribe(w.Subscriber)
		if i == 1 {
			continue // and another comes right then
		}
		until(t, "the feed has stopped and its slot is gone", func() bool { return n.reading() == 0 && slots(t, db, n.slotName()) == 0 })
	}
}
