// Command run compares the server with the least that a server can do
// (bench/limit) and with one made the usual way of a WebSocket library
// (bench/rival), side by side on one machine, and prints a Markdown table for
// docs/performance.md. Absolute figures move with the machine; the budgets are
// ratios. It is what "make bench" runs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	var b bench
	flag.BoolVar(&b.short, "short", false, "run all loads for a moment, with few connections: shows that they work, the figures mean nothing")
	flag.IntVar(&b.rounds, "rounds", 3, "how often each server is measured; the median counts")
	flag.StringVar(&b.bin, "bin", "", "folder with the binaries tutti, limit and rival; built when it is not given")
	flag.StringVar(&b.library, "library", "gorilla", "library of the rival: gorilla or coder")
	flag.StringVar(&b.only, "only", "", "one load: fanout, idle, burst or rooms")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is one run of this program.
type bench struct {
	short   bool
	rounds  int
	bin     string
	library string
	only    string
	dir     string // for binaries and the tenants file; removed at the end
	key     string // of the tenant
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.short {
		b.rounds = 1
	}
	b.dir, err = os.MkdirTemp("", "tutti-bench-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	var rows []row
	for _, l := range b.loads() {
		if b.only != "" && b.only != l.name {
			continue
		}
		more, err := l.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		rows = append(rows, more...)
	}
	return table(os.Stdout, rows, b.note())
}

// note says under what conditions the figures came about.
func (b *bench) note() string {
	text := fmt.Sprintf("Measured on %s, %s, median of %d.", time.Now().Format(time.DateOnly), machine(), b.rounds)
	if b.short {
		text += " A short run: the figures mean nothing."
	}
	return text
}
