//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// A report is what a run found.
type report struct {
	Seed     uint64    `json:"seed"`
	Seconds  float64   `json:"seconds"`
	Nodes    int       `json:"nodes"`
	Network  string    `json:"network"`
	Lines    []line    `json:"promises"`
	Speeds   []speed   `json:"latencies"`
	Missed   int       `json:"broadcasts_missed_in_trouble"`
	Before   []figures `json:"before"`
	After    []figures `json:"after"`
	Stall    float64   `json:"longest_stall_of_the_machine_ms"`
	Remarks  []string  `json:"remarks,omitempty"`
	Rows     int       `json:"rows_committed"`
	Words    int       `json:"broadcasts_sent"`
	Messages int       `json:"private_messages_committed"`
	Green    bool      `json:"green"`
}

// write prints the report as Markdown, or as JSON.
func (r *report) write(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	fmt.Fprintf(w, "\n%d nodes, %s, %.0f s, seed %d: %d commits, %d private messages, %d broadcasts.\n\n",
		r.Nodes, r.Network, r.Seconds, r.Seed, r.Rows, r.Messages, r.Words)
	fmt.Fprintf(w, "| promise | how it was checked | how often | broken | worst | verdict |\n|---|---|---|---|---|---|\n")
	for _, l := range r.Lines {
		fmt.Fprintf(w, "| %s | %s | %d | %d | %s | %s |\n", l.Promise, l.How, l.Times, l.Broken, l.extent(), l.Verdict)
	}
	for _, l := range r.Lines {
		for _, f := range l.Faults {
			fmt.Fprintf(w, "\n%s: %s\n", l.Promise, f)
		}
	}
	fmt.Fprintf(w, "\n| latency | count | p50 ms | p99 ms |\n|---|---|---|---|\n")
	for _, s := range r.Speeds {
		fmt.Fprintf(w, "| %s | %d | %.1f | %.1f |\n", s.What, s.Count, s.P50, s.P99)
	}
	fmt.Fprintf(w, "\n| node | before | after |\n|---|---|---|\n")
	for i, f := range r.Before {
		if i < len(r.After) {
			fmt.Fprintf(w, "| %d | %v | %v |\n", i+1, f, r.After[i])
		}
	}
	fmt.Fprintf(w, "\n%d deliveries of broadcasts were missed by clients of nodes in trouble, as is their lot. The machine let nobody run for %.0f ms at most.\n", r.Missed, r.Stall)
	for _, remark := range r.Remarks {
		fmt.Fprintf(w, "%s\n", remark)
	}
	return nil
}

// extent says what the worst was.
func (l line) extent() string {
	switch {
	case l.Worst != "":
		return l.Worst
	case l.Max > 0:
		return fmt.Sprintf("p50 %.1f s, max %.1f s", l.P50/1000, l.Max/1000)
	case l.Broken == 0:
		return ""
	}
	return "see below"
}
