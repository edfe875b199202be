package channel

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti/internal/tally"
)

// Metrics is what all clients of a node count together. A nil one counts
// nothing.
type Metrics struct {
	joins   [2]tally.Histogram // how long it took to let a client in, by visibility
	refused atomic.Int64
}

// The visibility of a topic, as metrics have it.
const (
	public = iota
	private
)

var visibilities = [...]string{public: "public", private: "private"}

// joined counts a client that was let in, whose join came at a moment.
func (m *Metrics) joined(visibility int, came time.Time) {
	if m != nil {
		m.joins[visibility].Since(came)
	}
}

// turnedAway counts one that was not.
func (m *Metrics) turnedAway() {
	if m != nil {
		m.refused.Add(1)
	}
}

var (
	joinedDesc = prometheus.NewDesc("phoenix_channel_joined_total", "Joins of channels that were answered.", []string{"result", "transport"}, nil)
	joinDesc   = prometheus.NewDesc("tutti_join_seconds", "Time from a join until the client is let in. Private channels ask the database.", []string{"visibility"}, nil)
)

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(into chan<- *prometheus.Desc) {
	into <- joinedDesc
	into <- joinDesc
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(into chan<- prometheus.Metric) {
	let := int64(0)
	for i := range m.joins {
		var s tally.Sample
		s.Add(&m.joins[i])
		let += s.Count()
		count, sum, buckets := s.Shown(tally.Times, 1)
		into <- prometheus.MustNewConstHistogram(joinDesc, count, sum, buckets, visibilities[i])
	}
	show := func(n int64, result string) {
		into <- prometheus.MustNewConstMetric(joinedDesc, prometheus.CounterValue, float64(n), result, "websocket")
	}
	show(let, "ok")
	show(m.refused.Load(), "error")
}

// failed counts an error that the client is told of.
func (c *Client) failed(code string) {
	if code == "" {
		code = "UnknownErrorOnChannel"
	}
	c.Meters.Tally.Fail(code)
}
