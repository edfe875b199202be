package extend

import (
	"regexp"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti"
)

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
	for i := range m.host.Extensions {
		e := &m.host.Extensions[i]
		seen := map[string]bool{}
		for _, metric := range m.host.ask(e) {
			name := "tutti_" + e.Key + "_" + metric.Name
			if seen[name] || !metricNames.MatchString(metric.Name) {
				continue // it would make all of them unreadable
			}
			seen[name] = true
			kind := prometheus.GaugeValue
			if metric.Counter {
				kind = prometheus.CounterValue
			}
			show(name, metric.Help, kind, metric.Value)
		}
	}
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
