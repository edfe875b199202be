package main

import (
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti/internal/load"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   []float64
		want float64
	}{
		"the middle of three":            {in: []float64{9, 1, 5}, want: 5},
		"between the middle two of four": {in: []float64{4, 1, 3, 2}, want: 2.5},
		"one is its own":                 {in: []float64{7}, want: 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := median(tt.in); got != tt.want {
				t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
			}
		})
	}
}

func TestSustained(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   load.Messages
		want bool
	}{
		"all came soon":          {in: load.Messages{Latency: load.Spread{P99: 30}}, want: true},
		"one was lost":           {in: load.Messages{Lost: 1}},
		"the sender had to wait": {in: load.Messages{HeldBack: 16}},
		"it fell behind":         {in: load.Messages{Latency: load.Spread{P99: 900}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := sustained(&load.Report{Messages: &tt.in}); got != tt.want {
				t.Errorf("sustained = %v", got)
			}
		})
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := table(&b, []row{{"speed", "1", "2", "0.50", "≤ 1", new(bench).verdict(false)}}, "Note."); err != nil {
		t.Fatal(err)
	}
	want := "| what | Tutti | compared with | ratio | budget | holds |\n|---|---|---|---|---|---|\n" +
		"| speed | 1 | 2 | 0.50 | ≤ 1 | **no** |\n\nNote.\n"
	if b.String() != want {
		t.Errorf("got:\n%s", &b)
	}
}
