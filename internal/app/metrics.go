package app

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/database"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/relay"
)

// measure registers what rooms show that know nothing of a registry.
func (a *App) measure(registry *prometheus.Registry) {
	a.clients.Metrics = &channel.Metrics{}
	registry.MustRegister(
		limit.NewMetrics(a.meters, a.config.Scrape.MaxTenants), a.clients.Metrics,
		database.NewMetrics(a.databases), &nodeMetrics{a},
	)
	if a.several != nil {
		registry.MustRegister(cluster.NewMetrics(a.several), relay.NewMetrics(a.relay))
	}
	host, _ := os.Hostname() // without it the label is empty
	a.metrics = &metrics{
		registry: registry, host: host, members: a.bus.Members, ask: a.bus.Ask,
		patience: time.Duration(a.config.Scrape.Patience), log: a.log, turns: make(chan struct{}, 2),
	}
}

// nodeMetrics shows what is the node's as a whole.
type nodeMetrics struct{ app *App }

var (
	buildDesc    = prometheus.NewDesc("tutti_build_info", "1, with the version of the server and of Go.", []string{"version", "go"}, nil)
	readyDesc    = prometheus.NewDesc("tutti_ready", "1 while new clients may come to this node, else 0: it starts, it stops, or the control database or the cluster is missing.", nil, nil)
	topicsDesc   = prometheus.NewDesc("tutti_topics", "Topics with a listener on this node.", nil, nil)
	presentDesc  = prometheus.NewDesc("tutti_presence_entries", "Presence entries that this node knows, those of other nodes included.", nil, nil)
	occupiedDesc = prometheus.NewDesc("tutti_presence_topics", "Topics with presence entries.", nil, nil)
)

// Describe implements prometheus.Collector.
func (n *nodeMetrics) Describe(into chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildDesc, readyDesc, topicsDesc, presentDesc, occupiedDesc} {
		into <- d
	}
}

// Collect implements prometheus.Collector.
func (n *nodeMetrics) Collect(into chan<- prometheus.Metric) {
	show := func(d *prometheus.Desc, v float64, labels ...string) {
		into <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ready := 0.0
	if n.app.readiness() == nil {
		ready = 1
	}
	topics, entries := n.app.roster.Count()
	show(buildDesc, 1, n.app.config.Version, runtime.Version())
	show(readyDesc, ready)
	show(topicsDesc, float64(n.app.topics.Topics()))
	show(presentDesc, float64(entries))
	show(occupiedDesc, float64(topics))
}

// A metrics is the page of metrics: of this node, of all, or of those of a
// region.
type metrics struct {
	registry prometheus.Gatherer
	host     string
	members  func() []cluster.Member
	ask      func(ctx context.Context, to, name string, payload []byte) ([]cluster.Reply, []string, error)
	patience time.Duration // with other nodes
	log      *slog.Logger
	turns    chan struct{} // as many pages may be made at once as it holds
}

// ServeHTTP answers /metrics and /metrics/{region}. With ?scope=node it is this
// node's alone, whatever its region.
func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case m.turns <- struct{}{}:
		defer func() { <-m.turns }()
	case <-r.Context().Done():
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), m.deadline(r))
	defer cancel()
	var all []*dto.MetricFamily
	if r.URL.Query().Get("scope") == "node" {
		all = m.local()
	} else {
		all = m.everywhere(ctx, r.PathValue("region"))
	}
	writeFamilies(w, r, all)
}

// deadline returns how long other nodes have: not as long as the scraper waits,
// who would get nothing then.
func (m *metrics) deadline(r *http.Request) time.Duration {
	seconds, err := strconv.ParseFloat(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if wait := time.Duration(seconds * 0.8 * float64(time.Second)); err == nil && wait > 0 {
		return min(m.patience, wait)
	}
	return m.patience
}

// everywhere returns the metrics of all nodes of a region, or with "" of all. A
// node that is silent is named.
func (m *metrics) everywhere(ctx context.Context, region string) []*dto.MetricFamily {
	members := m.members()
	regionOf := map[string]string{}
	for i := range members {
		regionOf[members[i].ID] = members[i].Region
	}
	var own []*dto.MetricFamily
	var gathering sync.WaitGroup
	if region == "" || members[0].Region == region {
		gathering.Go(func() { own = m.local() })
	}
	replies, silent, err := m.ask(ctx, "", callMetrics, []byte(region))
	gathering.Wait()
	if err != nil { // the node stops, or is not in the cluster yet
		m.log.Warn("other nodes could not be asked for their metrics", "err", err)
		for id := range regionOf {
			if id != members[0].ID {
				silent = append(silent, id)
			}
		}
	}
	pages := merger{}
	pages.add(own)
	slices.SortFunc(replies, func(a, b cluster.Reply) int { return strings.Compare(a.Node, b.Node) })
	for _, reply := range replies {
		families, err := decodeFamilies(reply)
		if err != nil {
			m.log.Warn("the metrics of another node cannot be read", "node", reply.Node, "err", err)
			silent = append(silent, reply.Node)
			continue
		}
		pages.add(families)
	}
	for _, node := range silent {
		if region == "" || regionOf[node] == region {
			pages.add([]*dto.MetricFamily{scraped(0, regionOf[node], "", node)})
		}
	}
	return pages.families()
}

// answer returns this node's metrics for another, nothing when that asks for
// another region.
func (m *metrics) answer(region string) ([]byte, error) {
	if region != "" && m.members()[0].Region != region {
		return nil, nil
	}
	return encodeFamilies(m.local())
}

// local returns this node's metrics.
func (m *metrics) local() []*dto.MetricFamily {
	self := m.members()[0]
	families, err := m.registry.Gather()
	if err != nil { // one room's fault is not that of the others
		m.log.Error("some metrics cannot be shown", "err", err)
	}
	for _, f := range families {
		for _, one := range f.Metric {
			label(one, self.Region, m.host, self.ID)
		}
	}
	return append(families, scraped(1, self.Region, m.host, self.ID))
}
