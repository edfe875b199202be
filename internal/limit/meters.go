package limit

import (
	"context"
	"iter"
	"runtime"
	"sync"
	"time"
	"weak"
)

// forgetAfter is how many seconds a tenant may do nothing before its counters
// are no longer kept for its own sake (protocol.md §7.1).
const forgetAfter = 5 * 60

// Meters finds the counters of a tenant. The zero value is ready; Run must be
// running for averages to move and for quiet tenants to be forgotten.
type Meters struct {
	mu      sync.Mutex // guards entries and what is in them
	entries map[string]*entry
}

// An entry keeps a tenant that counted something lately, and merely knows one
// that did not: that one lives for as long as a socket holds it.
type entry struct {
	known weak.Pointer[Tenant]
	kept  *Tenant // the same, or nil when quiet
}

// Of returns the counters of a tenant. It is the same pointer for everyone, for
// as long as anyone holds it or it counts something, and five minutes more.
func (m *Meters) Of(tenantID string) *Tenant {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[tenantID]
	if e == nil {
		if m.entries == nil {
			m.entries = make(map[string]*entry)
		}
		e = &entry{}
		m.entries[tenantID] = e
	}
	t := e.known.Value()
	if t == nil {
		t = newTenant(lanes())
		e.known = weak.Make(t)
	}
	t.idle.Store(0)
	e.kept = t
	return t
}

// lanes returns how many lanes a tenant gets: one for each event loop there may
// be, rounded up to a power of two.
func lanes() int {
	n := 1
	for n < runtime.GOMAXPROCS(0) {
		n *= 2
	}
	return n
}

// All goes through the tenants that have counters, in no order, for metrics.
func (m *Meters) All() iter.Seq2[string, *Tenant] {
	return func(yield func(string, *Tenant) bool) {
		for id, t := range m.living() {
			if !yield(id, t) {
				return
			}
		}
	}
}

// Run moves the averages once a second until ctx ends, and returns why it did.
// It runs once for each Meters.
func (m *Meters) Run(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			// The lock is not held meanwhile: with many tenants a tick takes
			// milliseconds, and Of is called on the way of every connection.
			for _, t := range m.living() {
				t.tick()
			}
		}
	}
}

// living returns the tenants that are kept or held, lets go of those that have
// been quiet, and forgets those that nobody held.
func (m *Meters) living() map[string]*Tenant {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := make(map[string]*Tenant, len(m.entries))
	for id, e := range m.entries {
		t := e.known.Value()
		switch {
		case t == nil:
			delete(m.entries, id)
			continue
		case t.idle.Load() < forgetAfter:
			e.kept = t
		default:
			e.kept = nil
		}
		found[id] = t
	}
	return found
}
