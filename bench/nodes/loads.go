package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// percentile returns that of times, which it sorts.
func percentile(times []time.Duration, p float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(len(times)-1, int(p*float64(len(times))))]
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000)
}

// hop compares how long a message takes to a client of the same node and to
// one of another: the same messages, in one run.
func (b *bench) hop(ctx context.Context) (err error) {
	nodes, stop, err := b.start(ctx, 2)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var crowds []*crowd
	for _, n := range []*node{nodes[0], nodes[0], nodes[1]} {
		c, err := gather(ctx, n, "hop", 1)
		if err != nil {
			return err
		}
		defer c.Close()
		crowds = append(crowds, c)
	}
	live(ctx, b.length(time.Second), 20, "hop", crowds...) // until nodes know who listens
	for _, c := range crowds {
		c.heard = nil
	}
	live(ctx, b.length(20*time.Second), 100, "hop", crowds...)
	here, there := crowds[1].heard, crowds[2].heard
	if len(here) == 0 || len(here) != len(there) {
		return fmt.Errorf("%d were heard on the same node, %d on the other", len(here), len(there))
	}
	row := func(where string, times []time.Duration) []string {
		return []string{where, fmt.Sprint(len(times)), milliseconds(percentile(times, 0.5)), milliseconds(percentile(times, 0.99))}
	}
	table("A hop: 100 messages a second, client to client",
		[]string{"to a client of", "messages", "p50 ms", "p99 ms"}, [][]string{row("the same node", here), row("another node", there)})
	return nil
}

// fan measures what a message costs the node that sends it and one that hears it.
func (b *bench) fan(ctx context.Context) error {
	var rows [][]string
	for _, n := range []int{1, 2, 3, 5} {
		row, err := b.fanTo(ctx, n)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	table("A message: 256 B, 2,000 a second, to one client on each of the other nodes (on one node: to one more client there)",
		[]string{"nodes", "messages heard", "CPU-µs per message, node that sends", "CPU-µs per message, each node that hears", "lost"}, rows)
	return nil
}

func (b *bench) fanTo(ctx context.Context, n int) (row []string, err error) {
	nodes, stop, err := b.start(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var crowds []*crowd
	for i, node := range nodes {
		clients := 1
		if i == 0 && n == 1 {
			clients = 2
		}
		c, err := gather(ctx, node, "fan", clients)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		crowds = append(crowds, c)
	}
	live(ctx, b.length(time.Second), 20, "fan", crowds...)
	before := make([]usage, n)
	for i, node := range nodes {
		crowds[i].count = 0
		if before[i], err = node.used(); err != nil {
			return nil, err
		}
	}
	const rate = 2000
	messages := max(1, live(ctx, b.length(8*time.Second), rate, "fan", crowds...))
	var sender, others time.Duration
	heard := 0
	for i, node := range nodes {
		after, err := node.used()
		if err != nil {
			return nil, err
		}
		if i == 0 {
			sender = after.cpu - before[i].cpu
		} else {
			others += after.cpu - before[i].cpu
		}
		heard += crowds[i].count
	}
	each := "-"
	if n > 1 {
		each = perMessage(others/time.Duration(n-1), messages)
	}
	want := messages * max(1, n-1)
	return []string{fmt.Sprint(n), fmt.Sprint(heard), perMessage(sender, messages), each, fmt.Sprint(max(0, want-heard))}, nil
}

func perMessage(cpu time.Duration, messages int) string {
	return fmt.Sprintf("%.1f", float64(cpu.Nanoseconds())/1000/float64(messages))
}
