package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// columns are the table's head. Of three figures the first is the server's, the
// second PostgreSQL's, the third that of clients and writers.
var columns = []string{
	"load", "clients", "changes/s (asked)", "deliveries (lost, twice, disordered, strays)",
	"p50, p99, max ms", "writers late, p99 ms", "CPU-µs per change", "CPU-ns per change × identity", "cores",
	"server's peak MB", "sustained", "budget", "holds",
}

// print writes the results in one of the two forms.
func (b *bench) print(w io.Writer, results []*result) error {
	if b.json {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"conditions": b.note(), "short": b.short, "results": results})
	}
	var text strings.Builder
	line := func(cells []string) { fmt.Fprintf(&text, "| %s |\n", strings.Join(cells, " | ")) }
	line(columns)
	text.WriteString(strings.Repeat("|---", len(columns)) + "|\n")
	for _, r := range results {
		line(r.cells())
	}
	for _, r := range results {
		if r.Note != "" {
			fmt.Fprintf(&text, "\n%s: %s\n", r.Load, r.Note)
		}
	}
	fmt.Fprintf(&text, "\n%s\n", b.note())
	_, err := io.WriteString(w, text.String())
	return err
}

// cells returns the columns' figures.
func (r *result) cells() []string {
	var limits, holds []string
	for _, b := range r.Budgets {
		limits, holds = append(limits, b.Limit), append(holds, b.Holds)
	}
	sustained := "no"
	if r.Sustained {
		sustained = "yes"
	}
	return []string{
		r.Load + ": " + r.What, fmt.Sprint(r.Subscribers), fmt.Sprintf("%.0f (%.0f)", r.PerSecond, r.Asked),
		fmt.Sprintf("%d (%d, %d, %d, %d)", r.Deliveries, r.Lost, r.Duplicates, r.Disordered, r.Strays),
		fmt.Sprintf("%.1f, %.1f, %.1f", r.Latency.P50, r.Latency.P99, r.Latency.Max), fmt.Sprintf("%.1f", r.LateBy.P99),
		r.PerChange.format("%.0f"), r.PerChangeIdentity.format("%.0f"), r.Cores.format("%.2f"),
		fmt.Sprintf("%.0f", float64(r.Memory)/(1<<20)), sustained, strings.Join(limits, "; "), strings.Join(holds, "; "),
	}
}

func (p parties) format(figure string) string {
	return fmt.Sprintf(figure+", "+figure+", "+figure, p.Server, p.Postgres, p.Generator)
}

// note says under what conditions the figures came about.
func (b *bench) note() string {
	fsync := "with fsync"
	if b.throwaway {
		fsync = "without fsync"
	}
	text := fmt.Sprintf("Measured on %s, %s/%s with %d cores, %s, %s %s. Three figures are those of the server, of PostgreSQL, "+
		"and of clients and writers. Latency runs from the sending of the statement, so it includes the commit.",
		time.Now().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), b.place.server.Version(), fsync)
	if b.short {
		text += " A short run: the figures mean nothing."
	}
	return text
}
