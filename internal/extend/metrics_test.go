package extend

import (
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti"
)

func TestHistogramsOfExtensions(t *testing.T) {
	t.Parallel()
	histogram := func(name string, counts []uint64, bounds ...float64) tutti.Metric {
		return tutti.Metric{Name: name, Help: "Seconds.", Histogram: &tutti.Histogram{Bounds: bounds, Counts: counts, Sum: 1.5}}
	}
	all := []tutti.Metric{
		{Name: "plain_sum", Help: "A name that a histogram would take.", Value: 1},
		histogram("late_seconds", []uint64{1, 0, 2, 4}, 0.001, 0.002, 0.1),
		histogram("late_seconds", []uint64{1, 0}, 1), // again
		histogram("plain", []uint64{1, 0}, 1),
		histogram("unequal", []uint64{1}, 1, 2),
		histogram("falling", []uint64{1, 2, 3}, 2, 1),
		histogram("endless", []uint64{1, 2}, math.Inf(1)),
		histogram("none", []uint64{1, 2}, math.NaN()),
		{Name: "late_seconds_count", Value: 1},
	}
	h := &Host{Log: slog.New(slog.DiscardHandler), Extensions: []tutti.Extension{{Key: "band", Metrics: func() []tutti.Metric { return all }}}}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(NewMetrics(h))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "tutti_band_") {
			names = append(names, f.GetName())
		}
	}
	if got := strings.Join(names, " "); got != "tutti_band_late_seconds tutti_band_plain_sum" {
		t.Errorf("these are shown: %s", got)
	}
	got := families[slices.Index(names, "tutti_band_late_seconds")].GetMetric()[0].GetHistogram() // they come first: "b" is before "e"
	var within []uint64
	for _, b := range got.GetBucket() {
		within = append(within, b.GetCumulativeCount())
	}
	if !slices.Equal(within, []uint64{1, 1, 3}) || got.GetSampleCount() != 7 || got.GetSampleSum() != 1.5 {
		t.Errorf("the histogram is %v", got)
	}
}
