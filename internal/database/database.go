// Package database is what a node does with the databases of its tenants besides
// reading their changes: it prepares their objects, asks their policies, replays
// messages, and keeps their partitions. internal/channel and internal/api ask,
// internal/app runs it and lends it the event loops.
//
// It owns one goroutine for each tenant that was asked for lately (lane.go), one
// for each question that a database is working on, of which a tenant has no more
// than its settings give it connections, and a few of the keeper (keeper.go).
// All are awaited by Run. Nothing that a tenant's database does, or does not,
// makes another tenant wait.
//
// # Shared answers
//
// Equal questions share one answer. A question joins an equal one that has not
// begun, never one that has: its answer is as new as if it had been asked alone,
// which a client counts on that renews its token after a change of policies. Of
// equal questions one at a time is worked on, so that a thousand clients with
// one token that join at once are two questions, not a thousand.
package database

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// A Loop is an event loop, to which answers are given. hub.Loop is one.
type Loop interface {
	Post(deliveries, bytes int, f func()) bool
}

// Databases is the databases of all tenants of a node. Its exported fields are
// set before it is used and not changed.
type Databases struct {
	Loops []Loop // by the loop of a question
	Log   *slog.Logger

	// Known lists the tenants whose partitions are kept, page by page: the List of
	// a tenant.Registry. nil keeps none.
	Known func(ctx context.Context, q tutti.TenantQuery) (tutti.TenantPage, error)

	Meters  *limit.Meters // nil: nobody counts what tenants ask
	Metrics Metrics

	open func(tutti.Database) (database, error) // nil is postgres.OpenDatabase

	mu      sync.Mutex // guards all below; nothing slow is called under it
	ended   bool       // Run was there, and is no more
	lanes   map[string]*lane
	fresh   []*lane // to be run
	bell    chan struct{}
	journal journal // of what is wrong with questions
}

// A database is the database of a tenant. *postgres.Database is one.
type database interface {
	policies
	objects
	Close()
}

// policies answers questions.
type policies interface {
	MayRead(ctx context.Context, a postgres.Asker, presence bool) (postgres.Permission, error)
	MayWrite(ctx context.Context, a postgres.Asker, presence bool) (postgres.Permission, error)
	Replay(ctx context.Context, topic string, since time.Time, limit int) ([]postgres.Stored, error)
}

// objects is what there must be for that.
type objects interface {
	Prepare(ctx context.Context) (postgres.Report, error)
	Partition(ctx context.Context, now time.Time) (created int, err error)
	Expire(ctx context.Context, now time.Time, retention time.Duration) (dropped []string, err error)
}

func openDatabase(settings tutti.Database) (database, error) {
	db, err := postgres.OpenDatabase(settings)
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Run answers questions and keeps partitions until the context ends. A question
// that comes before waits for it; one that comes after, or is not answered by
// then, gets an error.
func (d *Databases) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	bell := d.begin()
	if d.Known != nil {
		k := newKeeper(d)
		running.Go(func() { k.run(ctx) })
	}
	for {
		for _, l := range d.take() {
			running.Go(func() { l.run(ctx) })
		}
		select {
		case <-bell:
			continue
		case <-ctx.Done():
		}
		for _, l := range d.end() {
			running.Go(func() { l.run(ctx) }) // which refuses what it was asked
		}
		return context.Cause(ctx)
	}
}

func (d *Databases) begin() (bell chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.prime()
	return d.bell
}

// prime makes what questions need that may come before Run.
func (d *Databases) prime() {
	if d.lanes != nil {
		return
	}
	if d.open == nil {
		d.open = openDatabase
	}
	d.lanes = map[string]*lane{}
	d.bell = make(chan struct{}, 1)
}

func (d *Databases) take() []*lane {
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := d.fresh
	d.fresh = nil
	return fresh
}

func (d *Databases) end() []*lane {
	d.mu.Lock()
	d.ended = true
	d.lanes = nil
	d.mu.Unlock()
	return d.take()
}

// TenantChanged is told of every change of a tenant; after is nil when it was
// deleted. Where the database is another, or is reached by other means, that of
// before answers what it was asked, and is closed. Of a tenant that was deleted,
// every question that is under way gets an error; where it has no database any
// more, nothing is allowed.
func (d *Databases) TenantChanged(id string, after *tutti.Tenant) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lanes[id]
	if l == nil {
		return
	}
	if after == nil {
		d.dismiss(l, order{kind: leave, farewell: errTenantGone})
		return
	}
	settings, found, err := tenant.Database(after)
	switch {
	case err != nil:
		// Each question that comes with these settings is told so.
		d.dismiss(l, order{kind: drain})
	case !found:
		d.dismiss(l, order{kind: leave, farewell: errNoDatabase})
	case place(settings) != place(l.settings):
		d.dismiss(l, order{kind: drain})
	default:
		l.tenant, l.current = after, settings
	}
}

// dismiss gives a lane its last order, and forgets it.
func (d *Databases) dismiss(l *lane, o order) {
	delete(d.lanes, l.id)
	l.inbox.put(o)
}

// forget sees to it that a lane is asked nothing more.
func (d *Databases) forget(l *lane) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lanes[l.id] == l {
		delete(d.lanes, l.id)
	}
}

// retire forgets a lane that has nothing to do, unless it was asked something
// meanwhile.
func (d *Databases) retire(l *lane) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.questions.Load() > 0 {
		return false
	}
	if d.lanes[l.id] == l {
		delete(d.lanes, l.id)
	}
	return true
}

// asked reports whether the node is asked about a tenant's private topics.
func (d *Databases) asked(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lanes[id] != nil
}

// place returns of settings what says which database they mean, and how it is
// reached. The rest may change while it is open.
func place(s tutti.Database) tutti.Database {
	return tutti.Database{
		Host: s.Host, Port: s.Port, Name: s.Name, User: s.User, Password: s.Password, SSL: s.SSL, CA: s.CA, Pool: s.Pool,
	}
}

// admit gives a question to the lane of its tenant. An error says that there is
// no use in asking.
func (d *Databases) admit(t *tutti.Tenant, w *waiter) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return errNotRunning
	}
	d.prime()
	l, err := d.lane(t)
	if err != nil {
		return err
	}
	if w.key.kind == replay {
		w.key.limit = max(1, min(w.key.limit, l.current.ReplayLimit))
	}
	return l.ask(w)
}

// lane returns the lane for a tenant, a new one where there is none.
func (d *Databases) lane(t *tutti.Tenant) (*lane, error) {
	l := d.lanes[t.ExternalID]
	if l != nil && l.tenant == t {
		return l, nil // the settings are read once for each *Tenant
	}
	settings, found, err := tenant.Database(t)
	if err != nil {
		return nil, wrongSettings(err)
	}
	if !found {
		return nil, errNoDatabase
	}
	if l != nil && place(settings) != place(l.settings) {
		d.dismiss(l, order{kind: drain})
		l = nil
	}
	if l == nil {
		l = newLane(d, t.ExternalID, settings)
		d.lanes[t.ExternalID] = l
		d.fresh = append(d.fresh, l)
		ring(d.bell)
	}
	l.tenant, l.current = t, settings
	return l, nil
}

// ring fills a bell that holds one.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// The reasons for which questions are not answered that are no refusals.
var (
	errNotRunning = errors.New("the node is not running, or is stopping")
	errTenantGone = errors.New("the tenant was deleted")
	errNoDatabase = errors.New("the tenant has no database")
)
