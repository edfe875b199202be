// Package feed brings the changes of tenants' databases to the channels of this
// node that want them. For each tenant with subscribers it reads the
// replication stream (internal/wal), finds out which subscriptions want a change
// (internal/changes), asks the database who may see it (internal/postgres), and
// hands it to the event loops on which the subscribers live. internal/channel
// subscribes, internal/app runs it and lends it the loops.
//
// It owns two goroutines for each tenant that is read, besides the one of Run:
// the reader, to which everything of a tenant belongs, and the one in which the
// stream runs.
//
// # Order, and what is never lost
//
// A reader takes changes in the order of their commits, and works on as many at
// once as have come while it was busy with those before. What it hands out
// keeps that order for each channel. A transaction is confirmed to the database
// when the loops have handed it out, so that one which was not comes again.
// Whatever takes long, such as a database that is slow to say who may see a row,
// makes the reader wait, and the stream with it: PostgreSQL keeps what is not
// read.
package feed

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/relay"
	"github.com/tutti-realtime/tutti/internal/tenant"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// A Loop is an event loop, to which rows are given. hub.Loop is one.
type Loop interface {
	Post(deliveries, bytes int, f func()) bool
}

// Feeds is the feeds of all tenants of a node. Its exported fields are set
// before it is used and not changed.
type Feeds struct {
	Loops  []Loop // by Subscriber.Loop
	Meters *limit.Meters
	Door   *broadcast.Door // for the messages of databases
	Log    *slog.Logger
	Trace  *trace.Tracer // nil: nothing is traced

	// Relay shares the streams with other nodes. Nil: there are none.
	Relay *relay.Relay

	// SlotSuffix is added to the names of replication slots, so that servers that
	// share a database do not share a slot.
	SlotSuffix string
	// Idle is how long a feed is kept that nobody subscribes to. Then its slot is
	// dropped, so that the database keeps no log for it.
	Idle time.Duration

	mu      sync.Mutex // guards all below; of a reader, only its inbox is used under it
	readers map[string]*reader
	fresh   []*reader // to be run
	closed  bool
	bell    chan struct{} // rings when there are fresh ones; nil until it is needed
}

// Run runs the feeds until the context ends. Their slots stay: what commits
// until this node, or another, reads them again is not lost.
func (f *Feeds) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		for _, r := range f.take() {
			running.Go(func() { r.run(ctx) })
		}
		select {
		case <-ctx.Done():
			f.close()
			return context.Cause(ctx)
		case <-f.ringer():
		}
	}
}

func (f *Feeds) take() []*reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	fresh := f.fresh
	f.fresh = nil
	return fresh
}

func (f *Feeds) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// ringer returns the bell.
func (f *Feeds) ringer() chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bellLocked()
}

func (f *Feeds) bellLocked() chan struct{} {
	if f.bell == nil {
		f.bell = make(chan struct{}, 1)
	}
	return f.bell
}

// Subscribe makes a subscriber hear of the changes that its entries ask for. It
// reports false when the tenant has no database. It does not block: what
// becomes of it is told to the Hearer.
func (f *Feeds) Subscribe(t *tutti.Tenant, s *changes.Subscriber) bool {
	settings, found, err := tenant.Database(t)
	if !found {
		return false
	}
	if err != nil {
		f.Log.Error("settings of a tenant's database are wrong", "code", tutti.DatabaseSettingsInvalid, "tenant", t.ExternalID, "err", err)
		f.say(s, statusError, unsettled(err))
		return true
	}
	f.order(t.ExternalID, true, order{kind: subscribe, subscriber: s, tenant: t, settings: settings})
	return true
}

// Enter says that a client of a tenant has a channel, and so may want the
// messages that its database sends. Leave must follow, if it reports true: that
// the tenant has a database.
func (f *Feeds) Enter(t *tutti.Tenant) bool {
	settings, found, err := tenant.Database(t)
	if !found || err != nil {
		return false
	}
	f.order(t.ExternalID, true, order{kind: enter, tenant: t, settings: settings})
	return true
}

// Leave undoes one Enter.
func (f *Feeds) Leave(tenantID string) { f.order(tenantID, false, order{kind: leave}) }

// Ready calls tell on a loop once the messages that the tenant's database sends are
// heard, which may be never.
func (f *Feeds) Ready(tenantID string, loop int, tell func()) {
	f.order(tenantID, false, order{kind: await, waiter: waiter{loop, tell}})
}

// Renew puts other claims in the place of those that a subscriber had. What is
// delivered from then on is what these may see.
func (f *Feeds) Renew(s *changes.Subscriber, claims tutti.Claims) {
	f.order(s.Tenant, false, order{kind: renew, subscriber: s, claims: claims})
}

// Unsubscribe ends a subscription.
func (f *Feeds) Unsubscribe(s *changes.Subscriber) {
	f.order(s.Tenant, false, order{kind: unsubscribe, subscriber: s})
}

// Live reports whether the changes of a tenant's database are read right now.
func (f *Feeds) Live(tenantID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.readers[tenantID]
	return r != nil && r.live.Load()
}

// Restart has a tenant's database read anew, over a new connection. Nothing is
// lost by it.
func (f *Feeds) Restart(tenantID string) { f.order(tenantID, false, order{kind: restart}) }

// TenantChanged is told of every change of a tenant; after is nil when it was
// deleted. Limits are taken over at once. Another database is another feed, for
// the same subscribers; the slot in the old one is dropped. So is that of a
// tenant which is gone, whoever read it.
func (f *Feeds) TenantChanged(id string, before, after *tutti.Tenant) {
	if after != nil {
		settings, found, err := tenant.Database(after)
		if err != nil {
			f.Log.Error("settings of a tenant's database are wrong, those before stay in force",
				"code", tutti.DatabaseSettingsInvalid, "tenant", id, "err", err)
			return
		}
		if found {
			f.order(id, false, order{kind: change, tenant: after, settings: settings})
			return
		}
	}
	if before == nil {
		return
	}
	if settings, found, err := tenant.Database(before); found && err == nil {
		f.order(id, true, order{kind: remove, settings: settings})
	}
}

// order gives the reader of a tenant something to do. Without a reader there is
// nothing to do, unless one is to be made.
func (f *Feeds) order(id string, create bool, o order) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.readers[id]
	if r == nil {
		if !create || f.closed {
			return
		}
		r = newReader(f, id, o.settings)
		if f.readers == nil {
			f.readers = map[string]*reader{}
		}
		f.readers[id] = r
		f.fresh = append(f.fresh, r)
		ring(f.bellLocked())
	}
	r.inbox.put(o)
}

// retire forgets a reader that wants to end, unless it was given something to
// do meanwhile.
func (f *Feeds) retire(r *reader) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !r.inbox.idle() {
		return false
	}
	delete(f.readers, r.tenant)
	return true
}

const (
	statusOK    = "ok"
	statusError = "error"
)

// unsettled is how subscribers learn that a database's settings make no sense.
func unsettled(err error) string {
	return "Unable to subscribe to changes: " + tutti.DatabaseSettingsInvalid + ": " + err.Error()
}

// say sends a subscriber a system message.
func (f *Feeds) say(s *changes.Subscriber, status, message string) {
	f.Loops[s.Loop].Post(1, len(message), once(func() { s.Hearer.HearRows(status, message) }))
}

// once returns f as a function that does nothing when it is called again.
func once(f func()) func() {
	done := false
	return func() {
		if !done {
			done = true
			f()
		}
	}
}

// ring fills a bell that holds one.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

var errNoTenant = errors.New("the tenant, or its database, is gone")
