// Command rows measures the whole server with a database behind it: how long
// a change takes from its INSERT to the clients, whether all comes that should,
// to whom it should, once and in order, and what the server, PostgreSQL and the
// clients spend on it. It prints a Markdown table for docs/performance.md, or
// JSON.
//
// It starts a private PostgreSQL and, for each load, a fresh database on it and
// a server as a process of its own, and owns them. One goroutine plays all
// clients; there is one for each connection that writes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	var b bench
	flag.BoolVar(&b.short, "short", false, "run all loads for a moment, with few clients and without fsync: shows that they work, the figures mean nothing")
	flag.StringVar(&b.only, "only", "", "loads to run, with commas between them: "+strings.Join(names(), ", "))
	flag.BoolVar(&b.throwaway, "no-fsync", false, "let PostgreSQL not wait for the disk")
	flag.IntVar(&b.pool, "pool", 4, "connections that the server may use for policies, and the reference's technique beside it")
	flag.DurationVar(&b.length, "for", 0, "how long changes are written, instead of what a load says")
	flag.StringVar(&b.server, "server", "", "the server's program; built when it is not given")
	flag.BoolVar(&b.json, "json", false, "print the figures as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rows:", err)
		os.Exit(1)
	}
}

// A bench is one run of this program.
type bench struct {
	short     bool
	only      string
	throwaway bool
	pool      int
	length    time.Duration
	server    string
	json      bool

	place *place
}

func (b *bench) run(ctx context.Context) (err error) {
	loads, err := b.chosen()
	if err != nil {
		return err
	}
	b.throwaway = b.throwaway || b.short
	b.place, err = openPlace(ctx, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.place.close()) }()
	var results []*result
	var failures []error
	for _, l := range loads {
		more, err := l.measure(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", l.name, err))
		}
		results = append(results, more...)
	}
	failures = append(failures, b.faults(results)...)
	return errors.Join(append(failures, b.print(os.Stdout, results))...)
}

// chosen returns the loads that are to be run.
func (b *bench) chosen() (loads []workload, err error) {
	all := b.loads()
	if b.only == "" {
		return all, nil
	}
	for name := range strings.SplitSeq(b.only, ",") {
		found := false
		for _, l := range all {
			if l.name == name {
				loads, found = append(loads, l), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no load is called %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	return loads, nil
}

// faults returns what a result must not show, whatever the machine. What is
// lost counts only in a short run, which asks little of the server.
func (b *bench) faults(results []*result) (faults []error) {
	for _, r := range results {
		if r.Strays > 0 {
			faults = append(faults, fmt.Errorf("%s: %d deliveries went to clients that must not see them", r.Load, r.Strays))
		}
		if b.short && (r.Lost > 0 || len(r.Failures) > 0) {
			faults = append(faults, fmt.Errorf("%s: %d deliveries are lost; failures: %v", r.Load, r.Lost, some(r.Failures)))
		}
	}
	return faults
}

// logf tells how far the run is.
func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "rows: "+format+"\n", args...)
}
