package relay

import "github.com/prometheus/client_golang/prometheus"

// A collector shows what a relay does.
type collector struct{ relay *Relay }

// NewMetrics returns a collector.
func NewMetrics(r *Relay) prometheus.Collector { return collector{r} }

var (
	ownedDesc    = prometheus.NewDesc("tutti_relay_streams", "Streams of databases by what this node does with them: it reads the slot (owned), gets it from the node that does (followed), or nobody is known to read it (waiting).", []string{"role"}, nil)
	rewindsDesc  = prometheus.NewDesc("tutti_relay_rewinds_total", "Times that a slot was read again because another node missed something.", nil, nil)
	behindDesc   = prometheus.NewDesc("tutti_relay_left_behind_total", "Times that another node was too slow or silent to be waited for.", nil, nil)
	sentDesc     = prometheus.NewDesc("tutti_relay_sent_batches_total", "Batches of changes sent to other nodes.", nil, nil)
	bytesDesc    = prometheus.NewDesc("tutti_relay_sent_bytes_total", "Bytes of these batches.", nil, nil)
	receivedDesc = prometheus.NewDesc("tutti_relay_received_batches_total", "Batches of changes received from other nodes.", nil, nil)
	followerDesc = prometheus.NewDesc("tutti_relay_follower_waiting_bytes", "Bytes on their way to another node, which it has not confirmed yet: the most of any stream. At 4194304 the others wait for it.", []string{"node"}, nil)
)

// Describe implements prometheus.Collector.
func (c collector) Describe(into chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ownedDesc, rewindsDesc, behindDesc, sentDesc, bytesDesc, receivedDesc, followerDesc} {
		into <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(into chan<- prometheus.Metric) {
	s := c.relay.Stats()
	show := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		into <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	show(ownedDesc, prometheus.GaugeValue, float64(s.Owned), "owned")
	show(ownedDesc, prometheus.GaugeValue, float64(s.Followed), "followed")
	show(ownedDesc, prometheus.GaugeValue, float64(s.Waiting), "waiting")
	show(rewindsDesc, prometheus.CounterValue, float64(s.Rewinds))
	show(behindDesc, prometheus.CounterValue, float64(s.LeftBehind))
	show(sentDesc, prometheus.CounterValue, float64(s.Batches))
	show(bytesDesc, prometheus.CounterValue, float64(s.Bytes))
	show(receivedDesc, prometheus.CounterValue, float64(s.Received))
	for node, waiting := range c.relay.waiting() {
		show(followerDesc, prometheus.GaugeValue, float64(waiting), node)
	}
}

// waiting returns by follower the most bytes that are on their way to it in one
// stream.
func (r *Relay) waiting() map[string]int {
	most := map[string]int{}
	for _, s := range r.all() {
		s.mu.Lock()
		if s.owner != nil {
			for _, f := range s.owner.followers {
				if f.active {
					most[f.node] = max(most[f.node], f.bytes)
				}
			}
		}
		s.mu.Unlock()
	}
	return most
}

// Owned reports whether this node reads the slot of the stream.
func (s *Stream) Owned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner != nil
}
