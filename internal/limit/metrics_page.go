package limit

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti/internal/tally"
)

// A page is where metrics are shown: those of a tenant, or of all, which then is
// no label.
type page struct {
	into   chan<- prometheus.Metric
	tenant []string // the label; empty for all
}

func (p *page) labels(n *name, more ...string) []string {
	return append(append(append(make([]string, 0, 3), p.tenant...), n.values...), more...)
}

func (p *page) count(n *name, v int64, more ...string) {
	p.into <- prometheus.MustNewConstMetric(n.desc, prometheus.CounterValue, float64(v), p.labels(n, more...)...)
}

func (p *page) gauge(n *name, v float64) {
	p.into <- prometheus.MustNewConstMetric(n.desc, prometheus.GaugeValue, v, p.labels(n)...)
}

func (p *page) measure(n *name, scale *tally.Scale, s *tally.Sample) {
	count, sum, buckets := s.Shown(scale, n.factor)
	p.into <- prometheus.MustNewConstHistogram(n.desc, count, sum, buckets, p.labels(n)...)
}

// showTenant shows what was counted of a tenant. What never happened is left out,
// or ten thousand tenants would fill a page with zeros; but for what every tenant
// does, and what of a feed is an alert: there the first time must be an increase.
func (p *page) showTenant(b *books, feed bool) {
	for kind, n := range eventNames {
		p.count(n, b.events[kind])
	}
	for c, n := range countNames {
		if v := b.sheet.Counts[c]; v != 0 || feed && ofFeeds[c] {
			p.count(n, v)
		}
	}
	for code, v := range b.sheet.Errors {
		p.count(failures, v, code)
	}
	p.measures(&measureNames, &b.sheet)
}

// showAll shows what was counted of all tenants.
func (p *page) showAll(b *books) {
	for kind, n := range eventTotals {
		if n != nil {
			p.count(n, b.events[kind])
		}
	}
	for c, n := range countTotals {
		if n != nil {
			p.count(n, b.sheet.Counts[c])
		}
	}
	for code, v := range b.sheet.Errors {
		p.count(failureTotals, v, code)
	}
	p.measures(&measureTotals, &b.sheet)
}

func (p *page) measures(names *[tally.Measures]*name, s *tally.Sheet) {
	for m, n := range names {
		if n != nil && s.Measures[m].Count() > 0 {
			p.measure(n, tally.Measure(m).Scale(), &s.Measures[m])
		}
	}
}

// showTenantState shows how a tenant stands.
func (p *page) showTenantState(s *presentState) {
	p.gauge(usersName, float64(s.users))
	p.gauge(clusterUsersName, float64(s.clusterUsers))
	if s.feeds == 0 {
		return
	}
	p.gauge(subscriptionsName, float64(s.subscriptions))
	p.gauge(identitiesName, float64(s.identities))
	p.gauge(liveName, float64(s.live))
	p.gauge(lagBytesName, float64(s.lag))
	p.gauge(lagSecondsName, s.behind())
}

// showState shows how all tenants stand.
func (p *page) showState(s *presentState, clusterUsers int) {
	p.gauge(tenantsTotal, float64(s.busy))
	p.gauge(knownTotal, float64(s.tenants))
	p.gauge(usersTotal, float64(s.users))
	p.gauge(clusterUsersTotal, float64(clusterUsers))
	p.gauge(feedsTotal, float64(s.feeds))
	p.gauge(liveTotal, float64(s.live))
	p.gauge(worstBytes, float64(s.lag))
	p.gauge(worstSeconds, s.behind())
}
