package load

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHistogramQuantiles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   []time.Duration
		q    float64
		want time.Duration
	}{
		"an empty one says 0":                         {q: 0.5, want: 0},
		"one duration is all quantiles":               {in: []time.Duration{7}, q: 0.999, want: 7},
		"half of two is the smaller one":              {in: []time.Duration{9, 3}, q: 0.5, want: 3},
		"the last of a hundred is no part of p99":     {in: append(slices.Repeat([]time.Duration{5}, 99), 200), q: 0.99, want: 5},
		"but it is the end":                           {in: append(slices.Repeat([]time.Duration{5}, 99), 200), q: 1, want: 200},
		"no quantile is larger than the largest":      {in: []time.Duration{1_000_001}, q: 0.5, want: 1_000_001},
		"a duration below zero counts as none at all": {in: []time.Duration{-5}, q: 1, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h Histogram
			for _, d := range tt.in {
				h.Add(d)
			}
			if got := h.quantile(tt.q); got != tt.want {
				t.Errorf("quantile(%v) = %d, want %d", tt.q, got, tt.want)
			}
		})
	}
}

func TestAQuantileIsLessThanOnePercentTooLarge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Int64Range(0, 1<<62), 1, 200).Draw(t, "durations")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var h Histogram
		for _, d := range all {
			h.Add(time.Duration(d))
		}
		got := int64(h.quantile(q))
		slices.Sort(all)
		exact := all[0]
		for i, d := range all {
			if float64(i) < q*float64(len(all)) {
				exact = d
			}
		}
		if got < exact || float64(got) > float64(exact)*1.01+1 {
			t.Fatalf("quantile(%v) = %d, exactly %d", q, got, exact)
		}
	})
}

func TestEveryBucketEndsWhereTheNextBegins(t *testing.T) {
	t.Parallel()
	for i := range 7000 {
		if end := edge(i); bucket(end) != i || bucket(end+1) != i+1 {
			t.Fatalf("bucket %d ends at %d, which is in %d, and the next is in %d", i, end, bucket(end), bucket(end+1))
		}
	}
}

func BenchmarkHistogramAdd(b *testing.B) {
	var h Histogram
	d := time.Duration(1)
	for b.Loop() {
		h.Add(d)
		d = (d*1664525 + 1013904223) & (1<<33 - 1)
	}
}
