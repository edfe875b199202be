package database

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tally"
)

// shown returns the metrics of databases without labels; of a histogram, how many
// values it has.
func shown(t *testing.T, d *Databases) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(NewMetrics(d))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			values[f.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// What is asked is measured apart from the wait for a connection.
func TestQuestionsAreMeasured(t *testing.T) {
	try(t, slow(time.Second), func(b *bench) {
		b.Meters = &limit.Meters{}
		one := customer("one", "db_pool", 1.0)
		for _, topic := range []string{"a", "b", "c"} {
			b.read(about(one, topic))
		}
		if got := shown(t, b.Databases)["tutti_database_questions"]; got != 3 {
			t.Errorf("%v questions wait, want 3", got)
		}
		time.Sleep(4 * time.Second)
		b.turn()
		var s tally.Sheet
		b.Meters.Of("one").Tally.AddTo(&s)
		reads := &s.Measures[tally.ReadCheck]
		if reads.Count() != 3 || time.Duration(reads.Sum()) != 3*time.Second {
			t.Errorf("%d reads took %v, want 3 that took a second each", reads.Count(), time.Duration(reads.Sum()))
		}
		values := shown(t, b.Databases)
		if values["tutti_database_wait_seconds"] != 3 || values["tutti_database_questions"] != 0 || values["tutti_database_lanes"] != 1 {
			t.Errorf("%v", values)
		}
		var waits tally.Sample
		waits.Add(&b.Metrics.waits)
		if got := time.Duration(waits.Sum()); got != 3*time.Second { // none, one and two
			t.Errorf("they waited %v, want 3 s", got)
		}
	})
}

// Preparations count when they made something or failed.
func TestPreparationsAreCounted(t *testing.T) {
	t.Parallel()
	d := &Databases{}
	d.Metrics.prepared(time.Now(), &postgres.Report{}, nil)
	d.Metrics.prepared(time.Now(), &postgres.Report{Made: []string{"a table"}}, nil)
	d.Metrics.prepared(time.Now(), &postgres.Report{}, errors.New("no"))
	values := shown(t, d)
	if values["realtime_tenants_migrations_duration_milliseconds"] != 1 || values["realtime_tenants_migrations_exceptions_total"] != 1 {
		t.Errorf("%v", values)
	}
}
