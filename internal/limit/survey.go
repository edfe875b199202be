package limit

// A Load is what a tenant does on all nodes. Rates are averages, as Counter.Average
// has them.
type Load struct {
	Users                            int
	Events, Joins, Presence, Changes float64 // per second
}

// Busy reports whether there is anything of the tenant.
func (l Load) Busy() bool { return l != Load{} }

// Load returns what a tenant does on all nodes. Nothing begins to be kept by it.
func (m *Meters) Load(tenantID string) Load {
	if own := m.Known(tenantID); own != nil {
		return own.load()
	}
	x := m.connected()
	if x == nil {
		return Load{}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if a := x.accounts[tenantID]; a != nil {
		return a.load()
	}
	return Load{}
}

// Loads returns the tenants that do anything on any node, as far as this one knows.
// A hundred thousand tenants of other nodes take some milliseconds, in which what
// they tell waits.
func (m *Meters) Loads() map[string]Load {
	all := map[string]Load{}
	for id, t := range m.living() {
		if l := t.load(); l.Busy() {
			all[id] = l
		}
	}
	x := m.connected()
	if x == nil {
		return all
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, a := range x.accounts {
		if _, known := all[id]; known {
			continue
		}
		if l := a.load(); l.Busy() {
			all[id] = l
		}
	}
	return all
}

func (t *Tenant) load() Load {
	return Load{
		Users: t.ClusterUsers(), Events: t.Events.Average(), Joins: t.Joins.Average(),
		Presence: t.Presence.Average(), Changes: t.DBEvents.Average(),
	}
}

func (a *account) load() Load {
	per := func(kind int) float64 { return float64(a.rates[kind].Load()) / rateUnit }
	return Load{Users: int(a.users.Load()), Events: per(0), Joins: per(1), Presence: per(2), Changes: per(3)}
}

// Known returns the counters of a tenant as Of does, nil where there are none on
// this node. Nothing is kept longer by it.
func (m *Meters) Known(tenantID string) *Tenant {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[tenantID]; e != nil {
		return e.known.Value()
	}
	return nil
}
