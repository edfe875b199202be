package extend

import (
	"errors"
	"math"
	"regexp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
)

// forged is how many events had a name that is a room's. It is never changed.
var forged = prometheus.NewDesc("tutti_extension_forged_total",
	"Events that were refused because only rooms may send them, by how they came.", []string{"way"}, nil)

// Metrics shows what a host does, and what its extensions say of themselves.
type Metrics struct{ host *Host }

// NewMetrics returns a collector.
func NewMetrics(h *Host) *Metrics { return &Metrics{h} }

// Describe says nothing: what extensions show is known when they are asked.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(into chan<- prometheus.Metric) {
	s := m.host.Stats()
	show := func(name, help string, kind prometheus.ValueType, v float64) {
		into <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), kind, v)
	}
	show("tutti_extension_rooms", "Rooms of extensions that this node runs.", prometheus.GaugeValue, float64(s.Rooms))
	show("tutti_extension_members", "Channels of this node in rooms of extensions.", prometheus.GaugeValue, float64(s.Members))
	show("tutti_extension_panics_total", "Panics of extensions.", prometheus.CounterValue, float64(s.Panics))
	show("tutti_extension_stalls_total", "Calls of extensions that took too long.", prometheus.CounterValue, float64(s.Stalls))
	show("tutti_extension_abandoned", "Goroutines of extensions that were left behind and have not ended.", prometheus.GaugeValue, float64(s.Abandoned))
	for way := range broadcast.Ways {
		into <- prometheus.MustNewConstMetric(forged, prometheus.CounterValue, float64(m.host.forged[way].Load()), way.String())
	}
	for i := range m.host.Extensions {
		m.host.show(&m.host.Extensions[i], into)
	}
}

// show shows what an extension says of itself. What would make all metrics unreadable
// is left out: names that there are twice, or that cannot be.
func (h *Host) show(e *tutti.Extension, into chan<- prometheus.Metric) {
	seen := map[string]bool{}
	for _, metric := range h.ask(e) {
		names := namesOf(&metric)
		if !metricNames.MatchString(metric.Name) || slices.ContainsFunc(names, func(n string) bool { return seen[n] }) {
			continue
		}
		desc := prometheus.NewDesc("tutti_"+e.Key+"_"+metric.Name, metric.Help, nil, nil)
		shown, err := constant(desc, &metric)
		if err != nil {
			continue
		}
		for _, n := range names {
			seen[n] = true
		}
		into <- shown
	}
}

// namesOf returns the names that a metric takes.
func namesOf(m *tutti.Metric) []string {
	if m.Histogram == nil {
		return []string{m.Name}
	}
	return []string{m.Name, m.Name + "_bucket", m.Name + "_count", m.Name + "_sum"}
}

var errHistogram = errors.New("bounds must ascend, and have one count more than they are")

// constant returns a metric as Prometheus has it.
func constant(desc *prometheus.Desc, m *tutti.Metric) (prometheus.Metric, error) {
	switch g := m.Histogram; {
	case g != nil && (len(g.Counts) != len(g.Bounds)+1 || !ascending(g.Bounds)):
		return nil, errHistogram
	case g != nil:
		var count uint64
		buckets := make(map[float64]uint64, len(g.Bounds))
		for i, n := range g.Counts {
			count += n
			if i < len(g.Bounds) {
				buckets[g.Bounds[i]] = count
			}
		}
		return prometheus.NewConstHistogram(desc, count, g.Sum, buckets)
	case m.Counter:
		return prometheus.NewConstMetric(desc, prometheus.CounterValue, m.Value)
	}
	return prometheus.NewConstMetric(desc, prometheus.GaugeValue, m.Value)
}

// ascending reports whether each number is above the one before. None is infinite.
func ascending(numbers []float64) bool {
	before := math.Inf(-1)
	for _, n := range numbers {
		if !(n > before) || math.IsInf(n, 1) {
			return false
		}
		before = n
	}
	return true
}

var metricNames = regexp.MustCompile(`^[a-zA-Z0-9_]+$`)

// ask asks an extension for its metrics.
func (h *Host) ask(e *tutti.Extension) []tutti.Metric {
	if e.Metrics == nil {
		return nil
	}
	defer h.rescue(e)
	return e.Metrics()
}
