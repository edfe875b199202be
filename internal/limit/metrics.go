package limit

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// OtherTenants is the label of all tenants that have no metrics of their own.
const OtherTenants = "other"

// Metrics shows what tenants do, to Prometheus. Tenants that are gone vanish
// from it, five minutes after they did something for the last time.
type Metrics struct {
	meters *Meters

	mu      sync.Mutex // guards all below; scrapes wait for each other
	list    shortlist
	crowded bool // there were more tenants than places
}

// NewMetrics returns a collector that shows so many tenants by name, and the rest
// together.
func NewMetrics(m *Meters, most int) *Metrics {
	return &Metrics{meters: m, list: shortlist{most: most}}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(into chan<- *prometheus.Desc) {
	for _, n := range names() {
		into <- n.desc
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(into chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	living := m.meters.living()
	m.list.update(time.Now(), living)
	rest := m.meters.pastBooks() // of none that live, for those are held here
	total := books{}
	var all, unnamed presentState
	for id, t := range living {
		state := t.state()
		all.add(&state)
		if m.list.places[id] == nil {
			t.ledger().addTo(rest)
			unnamed.add(&state)
			continue
		}
		b := m.list.show(id, t)
		total.merge(b, 1)
		p := page{into, []string{id}}
		p.showTenant(b, state.feeds > 0)
		p.showTenantState(&state)
	}
	total.merge(rest, 1)
	if unnamed.tenants > 0 {
		m.crowded = true
	}
	if m.crowded { // from then on it stays, so that its counters do
		rest.merge(&m.list.base, 1)
		p := page{into, []string{OtherTenants}}
		p.showTenant(rest, unnamed.feeds > 0)
		p.showTenantState(&unnamed)
	}
	p := page{into: into}
	p.showAll(&total)
	p.showState(&all, m.meters.clusterUsers())
}

// A presentState is how a tenant, or several, stand right now.
type presentState struct {
	tenants, busy                          int // that there are; with a socket that has joined
	users, clusterUsers                    int
	feeds, live                            int
	subscriptions, identities, lag, oldest int64
}

func (t *Tenant) state() presentState {
	s := presentState{tenants: 1, users: t.Users(), clusterUsers: t.ClusterUsers()}
	if s.users > 0 {
		s.busy = 1
	}
	f := &t.Tally.Feed
	if !f.Open.Load() {
		return s
	}
	s.feeds = 1
	if f.Live.Load() {
		s.live = 1
	}
	s.subscriptions, s.identities = f.Subscriptions.Load(), f.Identities.Load()
	s.lag, s.oldest = f.LagBytes.Load(), f.Oldest.Load()
	return s
}

// add adds another: of how far behind a feed is, the worst counts.
func (s *presentState) add(other *presentState) {
	s.tenants += other.tenants
	s.busy += other.busy
	s.users += other.users
	s.clusterUsers += other.clusterUsers
	s.feeds += other.feeds
	s.live += other.live
	s.subscriptions += other.subscriptions
	s.identities += other.identities
	s.lag = max(s.lag, other.lag)
	if other.oldest != 0 && (s.oldest == 0 || other.oldest < s.oldest) {
		s.oldest = other.oldest
	}
}

// behind returns for how many seconds the oldest commit waits.
func (s *presentState) behind() float64 {
	if s.oldest == 0 {
		return 0
	}
	return max(0, time.Since(time.Unix(0, s.oldest)).Seconds())
}
