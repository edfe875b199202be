// Command soak lets clients come and go for a long time, as badly as clients
// do, and checks that a server is afterwards what it was before: as many
// goroutines, descriptors, connections and topics, nobody present, and hardly
// more memory. "make soak" runs it for half an hour.
//
// It starts the server as a process of its own and owns it, and one goroutine
// for each client.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// settings is what the flags say.
type settings struct {
	length  time.Duration
	clients int
	server  string
	json    bool
}

// A report is what a run found.
type report struct {
	Seconds  float64          `json:"seconds"`
	Clients  int              `json:"clients"`
	Before   figures          `json:"before"`
	Peak     figures          `json:"peak"`
	After    figures          `json:"after"`
	Partings map[string]int64 `json:"partings"` // how the clients left
	Failures map[string]int64 `json:"failures"` // what went against the script
	Settled  float64          `json:"settled_seconds"`
}

func main() {
	var s settings
	flag.DurationVar(&s.length, "for", 30*time.Minute, "how long clients come and go")
	flag.IntVar(&s.clients, "clients", 2000, "how many clients are there at once")
	flag.StringVar(&s.server, "server", "bin/tutti", "the server's program")
	flag.BoolVar(&s.json, "json", false, "print the figures as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, &s, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// run soaks a server and prints what it found to out, and how far it is to
// progress. An error says what is not as it was.
func run(ctx context.Context, s *settings, out, progress io.Writer) error {
	node, err := start(ctx, s.server, progress)
	if err != nil {
		return err
	}
	r, err := soak(ctx, s, node, progress)
	err = errors.Join(err, node.stop())
	if r == nil {
		return err
	}
	if s.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return errors.Join(err, e.Encode(r))
	}
	return errors.Join(err, r.print(out))
}

// soak is the run itself: look, churn, wait, look again.
func soak(ctx context.Context, s *settings, node *server, progress io.Writer) (*report, error) {
	c := newCrowd(node, s.clients)
	if err := c.rehearse(ctx); err != nil {
		return nil, err
	}
	before, err := node.rest(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(progress, "before     %v\n", before)
	r := &report{Clients: s.clients, Before: before}
	began := time.Now()
	churning, enough := context.WithCancel(ctx)
	defer enough()
	defer time.AfterFunc(s.length, enough).Stop()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		c.churn(churning)
	}()
	r.Peak, err = watch(node, began, gone, progress)
	enough()
	<-gone
	r.Seconds = time.Since(began).Seconds()
	r.Partings, r.Failures = c.partings.all(), c.failures.all()
	if err != nil {
		return r, err
	}
	left := time.Now()
	r.After, err = node.settle(ctx, before, progress)
	r.Settled = time.Since(left).Seconds()
	if err != nil {
		return r, err
	}
	return r, errors.Join(c.verdict(), c.present(ctx))
}

// watch prints a line every ten seconds until the clients are gone, and returns
// the highest figures.
func watch(node *server, began time.Time, gone <-chan struct{}, progress io.Writer) (peak figures, err error) {
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-gone:
			return peak, nil
		case <-ticker.C:
		}
		now, err := node.figures(context.Background())
		if err != nil {
			return peak, fmt.Errorf("the server does not answer any more: %w", err)
		}
		peak = peak.max(now)
		fmt.Fprintf(progress, "%-10v %v\n", time.Since(began).Round(time.Second), now)
	}
}

// print prints a report for people.
func (r *report) print(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%d clients for %.0f s\nbefore     %v\npeak       %v\nafter      %v (%.0f s later)\npartings   %v\nfailures   %v\n",
		r.Clients, r.Seconds, r.Before, r.Peak, r.After, r.Settled, r.Partings, r.Failures)
	return err
}
