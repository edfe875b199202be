package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-realtime/tutti/internal/load"
)

// topics measures what connections cost of which each has a topic of its own,
// on one node and on one of three, and what the others pay for them.
func (b *bench) topics(ctx context.Context) error {
	var rows [][]string
	for _, n := range []int{1, 3} {
		row, err := b.topicsOn(ctx, n)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	table("Idle connections with a topic each, all on one node",
		[]string{"nodes", "connections", "KB each, their node", "KB each, another node", "CPU their node, % of a core", "CPU another node, % of a core", "join p50, p99 ms"}, rows)
	return nil
}

func (b *bench) topicsOn(ctx context.Context, n int) (row []string, err error) {
	nodes, stop, err := b.start(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	k, err := key()
	if err != nil {
		return nil, err
	}
	last := nodes[n-1]
	own, err := nodes[0].used()
	if err != nil {
		return nil, err
	}
	far, err := last.used()
	if err != nil {
		return nil, err
	}
	connections := b.number(10_000)
	a := &load.Audience{URL: nodes[0].url, Key: k, ConnectRate: 2000}
	for i := range connections {
		a.Seats = append(a.Seats, load.Seat{Topic: fmt.Sprintf("realtime:room-%d", i), Payload: []byte(`{"config":{}}`)})
	}
	if err := a.Open(ctx); err != nil {
		return nil, err
	}
	defer a.Close()
	rest := func(d time.Duration) {
		until := time.Now().Add(d)
		a.Pump(ctx, func(now time.Time) (time.Time, bool) { return now.Add(50 * time.Millisecond), now.After(until) })
	}
	rest(b.length(5 * time.Second))
	ownCPU, farCPU, err := b.busy(nodes[0], last, func() { rest(b.length(10 * time.Second)) })
	if err != nil {
		return nil, err
	}
	ownNow, err := nodes[0].used()
	if err != nil {
		return nil, err
	}
	farNow, err := last.used()
	if err != nil {
		return nil, err
	}
	each := func(before, after usage) string {
		return fmt.Sprintf("%.2f", float64(after.rss-before.rss)/1024/float64(connections))
	}
	other, otherCPU := "-", "-"
	if n > 1 {
		other, otherCPU = each(far, farNow), farCPU
	}
	spread := a.Connect()
	return []string{
		fmt.Sprint(n), fmt.Sprint(a.Joined()), each(own, ownNow), other, ownCPU, otherCPU,
		fmt.Sprintf("%.1f, %.1f", spread.P50, spread.P99),
	}, nil
}

// busy returns how busy two nodes are while something goes on.
func (b *bench) busy(x, y *node, meanwhile func()) (ofX, ofY string, err error) {
	began := time.Now()
	x1, err := x.used()
	if err != nil {
		return "", "", err
	}
	y1, err := y.used()
	if err != nil {
		return "", "", err
	}
	meanwhile()
	passed := time.Since(began)
	x2, err := x.used()
	if err != nil {
		return "", "", err
	}
	y2, err := y.used()
	share := func(a, b usage) string { return fmt.Sprintf("%.1f", 100*float64(b.cpu-a.cpu)/float64(passed)) }
	return share(x1, x2), share(y1, y2), err
}

// idle measures what it costs that a node knows others, with nobody on any.
func (b *bench) idle(ctx context.Context) error {
	var rows [][]string
	for _, n := range []int{1, 3, 10, 20} {
		row, err := b.idleOf(ctx, n)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	table("Idle nodes", []string{"nodes", "MB each", "CPU each, % of a core", "envelopes a second, each"}, rows)
	return nil
}

func (b *bench) idleOf(ctx context.Context, n int) (row []string, err error) {
	nodes, stop, err := b.start(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	wait := func(d time.Duration) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	wait(b.length(3 * time.Second))
	before, err := nodes[0].status(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	cpu, _, err := b.busy(nodes[0], nodes[n-1], func() { wait(b.length(10 * time.Second)) })
	if err != nil {
		return nil, err
	}
	after, err := nodes[0].status(ctx)
	if err != nil {
		return nil, err
	}
	u, err := nodes[0].used()
	if err != nil {
		return nil, err
	}
	envelopes := float64(after.Cluster.Bus.Sent+after.Cluster.Bus.Received-before.Cluster.Bus.Sent-before.Cluster.Bus.Received) / time.Since(began).Seconds()
	return []string{fmt.Sprint(n), fmt.Sprintf("%.1f", float64(u.rss)/(1<<20)), cpu, fmt.Sprintf("%.0f", envelopes)}, nil
}
