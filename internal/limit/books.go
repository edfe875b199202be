package limit

import "github.com/tutti-realtime/tutti/internal/tally"

// books are all that was counted on this node, of a tenant or of several.
type books struct {
	events [kinds]int64
	sheet  tally.Sheet
}

// A ledger is where a tenant's books are kept. It does not keep the tenant.
type ledger struct {
	lanes []lane
	tally *tally.Tenant // nil in one that was never used
}

// ledger returns where the tenant is counted.
func (t *Tenant) ledger() ledger { return ledger{t.Events.lanes, t.Tally} }

// addTo adds what was counted to books.
func (l ledger) addTo(b *books) {
	if l.tally == nil {
		return
	}
	for i := range l.lanes {
		for kind := range b.events {
			b.events[kind] += l.lanes[i].counts[kind].Load()
		}
	}
	l.tally.AddTo(&b.sheet)
}

// merge adds other books so many times, -1 to take them away.
func (b *books) merge(other *books, times int64) {
	for kind := range b.events {
		b.events[kind] += times * other.events[kind]
	}
	b.sheet.Merge(&other.sheet, times)
}

// pastBooks returns those of tenants that were forgotten.
func (m *Meters) pastBooks() *books {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &books{}
	b.merge(&m.past, 1)
	return b
}

// clusterUsers returns how many sockets of all tenants are counted on all nodes.
func (m *Meters) clusterUsers() int {
	n := 0
	for _, t := range m.All() {
		n += t.Users()
	}
	x := m.connected()
	if x == nil {
		return n
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range x.accounts {
		n += int(a.users.Load())
	}
	return n
}
