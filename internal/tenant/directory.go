package tenant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
)

const (
	// standardKeep is how long a tenant is taken to be as it was (protocol.md §1.3).
	standardKeep = 30 * time.Second

	// patience is how long a caller waits for news of a tenant that is known,
	// and retryAfter how soon the next one does when there were none. While the
	// store hangs, one caller in five seconds is held up, for two.
	patience   = 2 * time.Second
	retryAfter = 5 * time.Second
)

// Directory knows the tenants of a Store that somebody asked for, so that a
// message or a join makes no trip to the store. A tenant that it knows stays in
// force while the store is down; one that does not exist is asked for each time,
// unless Absent says otherwise.
// Deleted tenants are forgotten, others are not: one small entry for each.
type Directory struct {
	Store Store

	// Changed is told when a known tenant turned out to be different, or to be
	// deleted, which is after == nil. Calls for one tenant never overlap and are
	// in order. It must not call the Directory. It may be nil.
	Changed func(id string, before, after *tutti.Tenant)

	Default string // tenant of hosts that name none, such as localhost; "" is no such tenant

	Keep time.Duration // how long an answer of the store is good; 0 is 30 s
	Log  *slog.Logger  // nil is slog.Default()

	Absent    time.Duration // how long a name that is no tenant is taken to be none; 0 is not at all
	Strangers chan struct{} // has a place for each question at once about names that are not known; nil is no limit

	strangers strangers
	mu        sync.RWMutex // guards what follows, and when a Handle expires
	handles   map[string]*Handle
	loads     map[string]*load
}

// Handle is a tenant as it is known now. A socket holds it for its life.
type Handle struct {
	tenant  atomic.Pointer[tutti.Tenant]
	expires time.Time
}

// Tenant returns the tenant, nil when it was deleted. A tenant created anew
// under the same id has another Handle.
func (h *Handle) Tenant() *tutti.Tenant { return h.tenant.Load() }

// A load is a question to the store that is on its way. There is at most one
// for each tenant.
type load struct {
	known *Handle // what was known when it began, or nil
	done  chan struct{}

	// The answer, once done is closed.
	handle    *Handle
	err       error
	abandoned bool // there is none, because the caller that asked gave up
}

// Find returns the tenant as it is known, and asks the store when that is older
// than Keep. The error is tutti.ErrNoTenant for a tenant that does not exist.
func (d *Directory) Find(ctx context.Context, id string) (*Handle, error) {
	for {
		if h := d.fresh(id); h != nil {
			return h, nil
		}
		if d.Absent > 0 && d.strangers.knows(id) {
			return nil, tutti.ErrNoTenant
		}
		l, mine := d.begin(id)
		switch {
		case mine && l.known != nil:
			return d.renew(ctx, id, l)
		case mine:
			d.ask(ctx, id, l)
			return l.handle, l.err
		case l.known != nil:
			return l.known, nil // another caller is renewing it
		}
		if err := l.wait(ctx); err != nil {
			return nil, err
		}
		if !l.abandoned {
			return l.handle, l.err
		}
	}
}

// Known returns the ids of the tenants that it knows.
func (d *Directory) Known() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Collect(maps.Keys(d.handles))
}

// Refresh is told that tenants may have changed. It asks the store for those
// that are known, and calls Changed. What it learns is no older than the call.
func (d *Directory) Refresh(ctx context.Context, ids ...string) error {
	var errs []error
	for _, id := range ids {
		if err := d.refresh(ctx, id); err != nil && !errors.Is(err, tutti.ErrNoTenant) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (d *Directory) refresh(ctx context.Context, id string) error {
	for {
		l, mine := d.begin(id)
		switch {
		case mine && l.known == nil:
			d.strangers.forget(id)
			d.finish(id, l)
			return nil
		case mine:
			d.ask(ctx, id, l)
			return l.err
		}
		// Its answer may be from before the change.
		if err := l.wait(ctx); err != nil {
			return err
		}
	}
}

// renew asks for news of a known tenant, and makes do without.
func (d *Directory) renew(ctx context.Context, id string, l *load) (*Handle, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d.ask(ctx, id, l)
	if l.err == nil || errors.Is(l.err, tutti.ErrNoTenant) {
		return l.handle, l.err
	}
	log := d.Log
	if log == nil {
		log = slog.Default()
	}
	log.WarnContext(ctx, "known tenant stays in force, the store gave no answer", "tenant", id, "err", l.err)
	return l.known, nil
}

// fresh returns a tenant whose answer is still good, or nil.
func (d *Directory) fresh(id string) *Handle {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if h := d.handles[id]; h != nil && time.Now().Before(h.expires) {
		return h
	}
	return nil
}

// begin returns the load of a tenant, and whether it is the caller's, who then
// must ask or finish.
func (d *Directory) begin(id string) (l *load, mine bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.loads[id]; l != nil {
		return l, false
	}
	if d.loads == nil {
		d.loads = make(map[string]*load)
	}
	l = &load{known: d.handles[id], done: make(chan struct{}), abandoned: true}
	d.loads[id] = l
	return l, true
}

// ask puts the question to the store and finishes the load.
func (d *Directory) ask(ctx context.Context, id string, l *load) {
	defer d.finish(id, l)
	leave, err := d.enter(ctx, l.known)
	if err != nil {
		l.err, l.abandoned = err, true
		return
	}
	defer leave()
	found, err := d.Store.Find(ctx, id)
	switch {
	case err == nil:
		l.handle = d.keep(id, l.known, found)
	case errors.Is(err, tutti.ErrNoTenant):
		d.forget(id, l.known)
		d.strangers.note(id, d.Absent)
		l.err = err
	default:
		d.postpone(l.known)
		l.err = fmt.Errorf("find tenant %q: %w", id, err)
	}
	l.abandoned = l.err != nil && ctx.Err() != nil
}

// finish lets those go who wait for a load.
func (d *Directory) finish(id string, l *load) {
	d.mu.Lock()
	delete(d.loads, id)
	d.mu.Unlock()
	close(l.done)
}

// wait returns when the load is done, or with an error when ctx ends first.
func (l *load) wait(ctx context.Context) error {
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// keep remembers what the store said of a tenant that exists.
func (d *Directory) keep(id string, known *Handle, found *tutti.Tenant) *Handle {
	h := known
	if h == nil {
		h = &Handle{}
	}
	before := h.tenant.Swap(found)
	keep := d.Keep
	if keep == 0 {
		keep = standardKeep
	}
	d.mu.Lock()
	if d.handles == nil {
		d.handles = make(map[string]*Handle)
	}
	d.handles[id] = h
	h.expires = time.Now().Add(keep)
	d.mu.Unlock()
	if before != nil && !reflect.DeepEqual(before, found) {
		d.tell(id, before, found)
	}
	return h
}

// forget drops a tenant that the store no longer has.
func (d *Directory) forget(id string, known *Handle) {
	if known == nil {
		return
	}
	d.mu.Lock()
	delete(d.handles, id)
	d.mu.Unlock()
	d.tell(id, known.tenant.Swap(nil), nil)
}

// postpone leaves a known tenant in force for a while without asking again.
func (d *Directory) postpone(known *Handle) {
	if known == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	known.expires = time.Now().Add(retryAfter)
}

func (d *Directory) tell(id string, before, after *tutti.Tenant) {
	if d.Changed != nil {
		d.Changed(id, before, after)
	}
}
