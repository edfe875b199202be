package gate

import "github.com/prometheus/client_golang/prometheus"

// Metrics is what the gate counts. A nil one counts nothing.
type Metrics struct {
	refusals *prometheus.CounterVec
	away     prometheus.Counter
}

// NewMetrics registers the gate's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tutti_gate_refusals_total", Help: "Requests of callers that were not known yet which were refused, by code."}, []string{"code"}),
		away: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tutti_gate_connections_turned_away_total", Help: "Connections that were closed as they came, because too many waited."}),
	}
	r.MustRegister(m.refusals, m.away)
	return m
}

func (m *Metrics) refused(code string) {
	if m != nil {
		m.refusals.WithLabelValues(code).Inc()
	}
}

func (m *Metrics) turnedAway() {
	if m != nil {
		m.away.Inc()
	}
}
