package database

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tally"
)

// Metrics is what is counted of all databases together. Its zero value is empty.
type Metrics struct {
	waits    tally.Histogram // of questions, until they begin
	prepares tally.Histogram // preparations that made something

	mu       sync.Mutex       // guards failures
	failures map[string]int64 // of preparations, by the codes that unprepared gives
}

// waited counts how long those waited whose question begins.
func (l *lane) waited(now time.Time, t *task) {
	for _, w := range t.waiters {
		l.databases.Metrics.waits.Observe(tally.Times, int64(now.Sub(w.asked)))
	}
}

// measures are what the kinds of questions count as.
var measures = [...]tally.Measure{read: tally.ReadCheck, write: tally.WriteCheck, replay: tally.Replay}

// do asks the database, and measures how long that takes.
func (l *lane) do(ctx context.Context, t *task, db policies) result {
	began := time.Now()
	r := t.key.do(ctx, db)
	if l.meters != nil {
		l.meters.Tally.Observe(0, measures[t.key.kind], int64(time.Since(began)))
	}
	return r
}

// prepared counts a preparation.
func (m *Metrics) prepared(began time.Time, r *postgres.Report, err error) {
	if err == nil {
		if len(r.Made) > 0 {
			m.prepares.Since(began)
		}
		return
	}
	if errors.Is(err, context.Canceled) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failures == nil {
		m.failures = map[string]int64{}
	}
	m.failures[unprepared(err).Code]++
}

// A collector shows metrics of databases.
type collector struct{ databases *Databases }

// NewMetrics returns a collector.
func NewMetrics(d *Databases) prometheus.Collector { return collector{d} }

var (
	questionsDesc = prometheus.NewDesc("tutti_database_questions", "Questions to databases of tenants, about policies and messages to replay, that are not answered yet.", nil, nil)
	lanesDesc     = prometheus.NewDesc("tutti_database_lanes", "Databases of tenants that are open for questions.", nil, nil)
	waitsDesc     = prometheus.NewDesc("tutti_database_wait_seconds", "Time that questions waited for a connection before they began.", nil, nil)
	preparesDesc  = prometheus.NewDesc("realtime_tenants_migrations_duration_milliseconds", "Milliseconds of preparations of databases that made something.", nil, nil)
	failuresDesc  = prometheus.NewDesc("realtime_tenants_migrations_exceptions_total", "Preparations of databases that failed.", []string{"error_code"}, nil)
)

// Describe implements prometheus.Collector.
func (c collector) Describe(into chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{questionsDesc, lanesDesc, waitsDesc, preparesDesc, failuresDesc} {
		into <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(into chan<- prometheus.Metric) {
	lanes, questions := c.databases.busy()
	into <- prometheus.MustNewConstMetric(lanesDesc, prometheus.GaugeValue, float64(lanes))
	into <- prometheus.MustNewConstMetric(questionsDesc, prometheus.GaugeValue, float64(questions))
	m := &c.databases.Metrics
	show := func(d *prometheus.Desc, h *tally.Histogram, factor float64) {
		var s tally.Sample
		s.Add(h)
		count, sum, buckets := s.Shown(tally.Times, factor)
		into <- prometheus.MustNewConstHistogram(d, count, sum, buckets)
	}
	show(waitsDesc, &m.waits, 1)
	show(preparesDesc, &m.prepares, 1000)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, code := range []string{tutti.DatabaseNotPrepared, tutti.DatabaseLackOfConnections, tutti.UnableToConnectToProject} {
		into <- prometheus.MustNewConstMetric(failuresDesc, prometheus.CounterValue, float64(m.failures[code]), code)
	}
}

// busy returns how many databases are open, and how many questions wait.
func (d *Databases) busy() (lanes int, questions int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lanes {
		questions += l.questions.Load()
	}
	return len(d.lanes), questions
}
