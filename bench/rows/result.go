package main

import (
	"fmt"
	"time"

	"github.com/tutti-realtime/tutti/internal/load"
)

// A result is what one load found. Deliveries are counted once for each client.
// Latency runs from the moment at which the writer sends the statement that
// makes the change, and so includes its commit. Of joins, which the load of that
// name makes instead of changes, it runs from the join to the reply.
type result struct {
	Load        string `json:"load"`
	What        string `json:"what"`
	Subscribers int    `json:"subscribers"`
	Identities  int    `json:"identities"` // distinct tokens

	Asked               float64 `json:"asked_per_second"`
	PerSecond           float64 `json:"written_per_second"`
	Written             int     `json:"written"`
	Missing             int     `json:"not_written"` // the writers came not that far
	Seconds             float64 `json:"seconds"`     // for which changes were written
	Expected            int     `json:"expected"`    // deliveries
	Deliveries          int     `json:"deliveries"`
	DeliveriesPerSecond float64 `json:"deliveries_per_second"`
	Lost                int     `json:"lost"`
	Duplicates          int     `json:"duplicates"`
	Disordered          int     `json:"disordered"` // by client and writer
	Strays              int     `json:"strays"`     // to a client that must not see it

	Latency load.Spread `json:"latency_ms"`
	LateBy  load.Spread `json:"late_by_ms"` // how late the writers themselves were

	Cores             parties `json:"cores"` // busy on average, until the last delivery
	PerChange         parties `json:"cpu_micros_per_change"`
	PerChangeIdentity parties `json:"cpu_nanos_per_change_and_identity"`
	Memory            int64   `json:"server_peak_rss"` // bytes

	Sustained bool           `json:"sustained"`
	Budgets   []budget       `json:"budgets"`
	Failures  []load.Failure `json:"failures"`
	FirstLost []string       `json:"first_lost,omitempty"`
	Note      string         `json:"note,omitempty"`

	spent usage
}

// parties is a figure for each of those that work: the server, PostgreSQL, and
// this process with its clients and writers.
type parties struct {
	Server    float64 `json:"server"`
	Postgres  float64 `json:"postgres"`
	Generator float64 `json:"generator"`
}

// A budget is what a figure is held to.
type budget struct {
	Limit string `json:"limit"`
	Holds string `json:"holds"` // yes, no, or that it is not measured
}

// spend notes what a time of some length took.
func (r *result) spend(u usage, wall time.Duration) {
	r.spent = u
	r.Cores = u.per(wall.Seconds())
}

// share divides what was spent among the changes.
func (r *result) share() {
	if r.Written > 0 {
		r.PerChange = r.spent.per(float64(r.Written) / 1e6)
		r.PerChangeIdentity = r.spent.per(float64(r.Written) * float64(r.Identities) / 1e9)
	}
}

// per returns seconds of processor time, each divided by n.
func (u usage) per(n float64) parties {
	return parties{u.Server.Seconds() / n, u.Postgres.Seconds() / n, u.Generator.Seconds() / n}
}

// slow is the latency in milliseconds from which a load is not sustained.
const slow = 250

// judge says whether the server kept up, and whether the budgets hold.
func (r *result) judge(s *script, short bool) {
	r.Sustained = r.Lost == 0 && r.Missing == 0 && r.LateBy.P99 <= slow && r.Latency.P99 <= slow
	r.Budgets = []budget{}
	if s.budgets != nil {
		r.Budgets = append(r.Budgets, s.budgets(r)...)
	}
	if short {
		for i := range r.Budgets {
			r.Budgets[i].Holds = "not measured"
		}
	}
}

// held returns a budget that a figure keeps or not.
func held(holds bool, format string, args ...any) budget {
	b := budget{fmt.Sprintf(format, args...), "**no**"}
	if holds {
		b.Holds = "yes"
	}
	return b
}

// complete is the budget of all loads: nothing is lost, nothing comes twice, out
// of order or to others.
func complete(r *result) []budget {
	return []budget{held(r.Lost+r.Duplicates+r.Disordered+r.Strays == 0, "all, once, in order")}
}

// within is complete, with a limit on the latency of 99 in 100, in milliseconds.
func within(p99 float64) func(*result) []budget {
	return func(r *result) []budget {
		return append(complete(r), held(r.Latency.Count > 0 && r.Latency.P99 <= p99, "p99 ≤ %g ms", p99))
	}
}

// String returns the result in a line, for whoever waits.
func (r *result) String() string {
	return fmt.Sprintf("%d written, %.0f/s; %d of %d delivered, %d twice, %d out of order, %d strays; p50 %.1f ms, p99 %.1f ms; µs per change: server %.0f, PostgreSQL %.0f; failures: %v, first lost: %q",
		r.Written, r.PerSecond, r.Deliveries, r.Expected, r.Duplicates, r.Disordered, r.Strays,
		r.Latency.P50, r.Latency.P99, r.PerChange.Server, r.PerChange.Postgres, some(r.Failures), r.FirstLost)
}

// some returns the most frequent failures, which are enough for a line.
func some(failures []load.Failure) []load.Failure { return failures[:min(len(failures), 3)] }
