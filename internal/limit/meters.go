package limit

import (
	"context"
	"fmt"
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
// running for averages to move, for quiet tenants to be forgotten and for other
// nodes to be told.
type Meters struct {
	// Tell sends a message to a node, or with "" to all others, as
	// cluster.Bus.Tell does: it never blocks and keeps the message; messages
	// keep their order and may be lost. It is set before anything is called and
	// not changed. Nil on a single node, which then has nobody to count with.
	Tell func(node string, message []byte) error

	mu       sync.Mutex // guards all below, and what is in entries
	entries  map[string]*entry
	exchange *exchange
	past     books // of tenants that were forgotten
}

// An entry keeps a tenant that counted something lately, and merely knows one
// that did not: that one lives for as long as a socket holds it.
type entry struct {
	known weak.Pointer[Tenant]
	kept  *Tenant // the same, or nil when quiet
	books ledger  // what was counted of it, which outlives it

	others *account // nil on a single node
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
		if x := m.cluster(); x != nil {
			e.others = x.hold(tenantID)
		}
		m.entries[tenantID] = e
	}
	t := e.known.Value()
	if t == nil {
		e.books.addTo(&m.past)
		t = newTenant(lanes())
		e.books = t.ledger()
		if e.others != nil {
			t.connect(m.exchange, e.others)
		}
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

// Count returns how many tenants have counters, give or take those that have been
// let go of within the last second.
func (m *Meters) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
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

// Receive takes in what another node told. The error says what is wrong with the
// message; nothing of it has been taken in then.
func (m *Meters) Receive(node string, message []byte) error {
	x := m.connected()
	if x == nil {
		return nil
	}
	if err := x.receive(node, message); err != nil {
		return fmt.Errorf("read what node %q tells: %w", node, err)
	}
	return nil
}

// Joined says that a node is in the cluster: it is told everything.
func (m *Meters) Joined(node string) {
	if x := m.connected(); x != nil {
		x.join(node)
		x.ring()
	}
}

// Left says that a node is no longer in the cluster, or is lost: what it had no
// longer counts.
func (m *Meters) Left(node string) {
	if x := m.connected(); x != nil {
		x.leave(node)
	}
}

// connected returns the exchange with other nodes, nil on a single node.
func (m *Meters) connected() *exchange {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cluster()
}

// cluster returns the same. The lock is held.
func (m *Meters) cluster() *exchange {
	if m.exchange == nil && m.Tell != nil {
		m.exchange = newExchange(m.Tell)
	}
	return m.exchange
}

// Run moves the averages once a second, and tells other nodes what changed,
// until ctx ends, and returns why it did. It runs once for each Meters.
func (m *Meters) Run(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	soon := time.NewTimer(time.Hour)
	defer soon.Stop()
	soon.Stop()
	var often <-chan time.Time
	var bell <-chan struct{}
	x := m.connected()
	if x != nil {
		users := time.NewTicker(usersEvery)
		defer users.Stop()
		often, bell = users.C, x.bell
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			// The lock is not held meanwhile: with many tenants a tick takes
			// milliseconds, and Of is called on the way of every connection.
			living := m.living()
			for _, t := range living {
				t.tick()
			}
			x.tellSecond(living)
		case <-bell:
			soon.Reset(x.wait(time.Now()))
		case <-soon.C:
			x.tellUsers()
		case <-often:
			x.tellUsers()
		}
	}
}

// living returns the tenants that are kept or held, lets go of those that have
// been quiet, and forgets those that nobody held.
func (m *Meters) living() map[string]*Tenant {
	var gone []*account
	m.mu.Lock()
	found := make(map[string]*Tenant, len(m.entries))
	for id, e := range m.entries {
		t := e.known.Value()
		switch {
		case t == nil:
			delete(m.entries, id)
			e.books.addTo(&m.past)
			if e.others != nil {
				gone = append(gone, e.others)
			}
			continue
		case t.idle.Load() < forgetAfter:
			e.kept = t
		default:
			e.kept = nil
		}
		found[id] = t
	}
	x := m.exchange
	m.mu.Unlock()
	if len(gone) > 0 {
		x.letGo(gone)
	}
	return found
}
