//go:build linux

// Command soak runs a cluster for a while, breaks it again and again, and judges
// what its clients heard: every commit once, every broadcast, nobody present who
// is gone, and a server that is afterwards what it was before. "make soak" runs
// it for half an hour, "make soak-short" for less than a minute.
//
// It starts a PostgreSQL and the nodes as processes of its own, and owns them and
// one goroutine or two for each client.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options is what the flags say.
type options struct {
	length  time.Duration
	nodes   int
	clients int
	seed    uint64
	short   bool
	json    bool
	keep    bool
	program string
	proxies bool
	cheat   string
}

func main() {
	var o options
	flag.DurationVar(&o.length, "for", 30*time.Minute, "how long faults follow each other")
	flag.IntVar(&o.nodes, "nodes", 3, "nodes of the cluster, 1 to 3")
	flag.IntVar(&o.clients, "clients", 60, "clients that come and go")
	flag.Uint64Var(&o.seed, "seed", 0, "repeats the faults of a run; by the clock when it is 0")
	flag.BoolVar(&o.short, "short", false, "less than a minute, with short faults")
	flag.BoolVar(&o.json, "json", false, "print the report as JSON")
	flag.BoolVar(&o.keep, "keep", false, "keep the logs of the nodes")
	flag.StringVar(&o.program, "server", "", "the server's program; built when it is not given")
	flag.BoolVar(&o.proxies, "proxies", false, "have nodes meet over proxies, as where there are no network namespaces")
	flag.StringVar(&o.cheat, "cheat", "", "builds a fault in, to see that it is found: drop, double, overhear or stay")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	green, err := o.run(ctx)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	case !green:
		os.Exit(1)
	}
}

// guests returns how many clients stay: the last two are of the other tenant.
func (o *options) guests() int { return 2*o.nodes + 2 }

// run runs all, and reports whether all was green.
func (o options) run(ctx context.Context) (green bool, err error) {
	if o.nodes < 1 || o.nodes > 3 || o.clients < 1 || o.length <= 0 {
		return false, errors.New("there are 1 to 3 nodes, at least 1 client, and some time")
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	if o.short {
		o.length, o.clients = 20*time.Second, min(o.clients, 12)
	}
	if o.program == "" {
		dir, err := os.MkdirTemp("", "tutti-soak-program-")
		if err != nil {
			return false, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		o.program = filepath.Join(dir, "tutti")
		build := exec.CommandContext(ctx, "go", "build", "-o", o.program, "./cmd/tutti")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return false, fmt.Errorf("build the server: %w", err)
		}
	}
	r, err := o.soak(ctx)
	if err != nil {
		return false, err
	}
	return r.Green, r.write(os.Stdout, o.json)
}

// say prints a line of progress.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.0f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}
