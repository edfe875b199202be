package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/load"
)

// A comparison is one load and the budgets that it is held to.
type comparison struct {
	name    string
	measure func(context.Context) ([]row, error)
}

func (b *bench) loads() []comparison {
	return []comparison{
		{"fanout", b.fanout},
		{"idle", b.idle},
		{"burst", b.burst},
		{"rooms", b.rooms},
	}
}

// settle is how long a server rests between its start and the load.
const settle = time.Second

// play starts a server, puts a load on it and stops it.
func (b *bench) play(ctx context.Context, name string, c load.Command) (report *load.Report, err error) {
	p, err := b.start(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	c.URL, c.Key, c.PID, c.ConnectRate = p.url, b.key, p.cmd.Process.Pid, 4000
	if !b.short {
		if err := pause(ctx, settle); err != nil {
			return nil, err
		}
	}
	report, err = c.Measure(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if report.Interrupted {
		return nil, context.Canceled
	}
	logf("%s %s: %s", c.Kind, name, summary(report))
	return report, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// summary is a line about one run, for whoever waits.
func summary(r *load.Report) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d of %d joined", r.Joined, r.Connections)
	if r.Process != nil {
		fmt.Fprintf(&text, ", %.2f cores, %.2f µs per delivery, %.0f bytes per connection", r.Process.Cores, r.Process.MicrosPerDelivery, r.Process.BytesPerConnection)
	}
	if m := r.Messages; m != nil {
		fmt.Fprintf(&text, ", %.0f deliveries/s, %d lost, p99 %.1f ms, load generator late by %.1f ms", m.PerSecond, m.Lost, m.Latency.P99, r.LateBy.P99)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(&text, "; %d × %s", f.Count, f.Reason)
	}
	return text.String()
}

// interleaved plays a load on each server in turn, for all rounds, and returns
// the median of a figure for each.
func (b *bench) interleaved(ctx context.Context, names []string, c load.Command, figure func(*load.Report) float64) (map[string]float64, error) {
	all := map[string][]float64{}
	for range b.rounds {
		for _, name := range names {
			report, err := b.play(ctx, name, c)
			if err != nil {
				return nil, err
			}
			all[name] = append(all[name], figure(report))
		}
	}
	medians := map[string]float64{}
	for name, figures := range all {
		medians[name] = median(figures)
	}
	return medians, nil
}

func median(figures []float64) float64 {
	s := slices.Sorted(slices.Values(figures))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// fanout compares the processor time of a delivery with that of a bare system
// call, at a rate at which nothing is coalesced.
func (b *bench) fanout(ctx context.Context) ([]row, error) {
	c := load.Command{Kind: load.Fanout, Connections: 1000, Rate: 60, Duration: 10 * time.Second}
	if b.short {
		c.Connections, c.Duration = 50, 500*time.Millisecond
	}
	m, err := b.interleaved(ctx, []string{limit, tutti, rival}, c, func(r *load.Report) float64 {
		return r.Process.MicrosPerDelivery
	})
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("CPU-seconds per million deliveries, one topic, %d subscribers, 256 B", c.Connections)
	ratio := m[tutti] / m[limit]
	return []row{
		{what, figure("%.2f", m[tutti]), figure("%.2f, nothing but system calls", m[limit]), figure("%.2f", ratio), "≤ 1.35", b.verdict(ratio <= 1.35)},
		{"the same", figure("%.2f", m[tutti]), figure("%.2f, "+b.library, m[rival]), figure("%.2f", m[tutti]/m[rival]), "", ""},
	}, nil
}

// idle is what a connection costs that joined one channel and is silent.
func (b *bench) idle(ctx context.Context) ([]row, error) {
	c := load.Command{Kind: load.Idle, Connections: 15_000, Duration: 5 * time.Second}
	if b.short {
		c.Connections, c.Duration = 200, 200*time.Millisecond
	}
	m, err := b.interleaved(ctx, []string{tutti, rival}, c, func(r *load.Report) float64 {
		return r.Process.BytesPerConnection / 1024
	})
	if err != nil {
		return nil, err
	}
	return []row{{
		fmt.Sprintf("memory per idle connection with one joined channel, %d connections", c.Connections),
		figure("%.2f KB", m[tutti]), figure("%.2f KB, "+b.library, m[rival]), figure("%.2f", m[tutti]/m[rival]), "≤ 2 KB", b.verdict(m[tutti] <= 2),
	}}, nil
}

// burst finds how many deliveries a second a server sustains when messages come
// 16 at a time: the last step before it loses some or falls behind.
func (b *bench) burst(ctx context.Context) ([]row, error) {
	c := load.Command{Kind: load.Fanout, Connections: 1000, Burst: 16, Duration: 5 * time.Second}
	steps := []float64{50, 75, 100, 125, 150, 200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 1000} // messages a second
	if b.short {
		c.Connections, c.Duration, steps = 50, 300*time.Millisecond, []float64{200}
	}
	best := map[string]float64{}
	for _, name := range []string{rival, tutti} {
		for _, c.Rate = range steps {
			r, err := b.play(ctx, name, c)
			if err != nil {
				return nil, err
			}
			if !sustained(r) {
				break
			}
			best[name] = r.Messages.PerSecond
		}
	}
	ratio := best[tutti] / best[rival]
	return []row{{
		fmt.Sprintf("deliveries/s sustained, %d subscribers, bursts of %d", c.Connections, c.Burst),
		figure("%.0f", best[tutti]), figure("%.0f, "+b.library, best[rival]), figure("%.2f", ratio), "≥ 3", b.verdict(ratio >= 3),
	}}, nil
}

// sustained reports whether a server kept up: all came, and soon.
func sustained(r *load.Report) bool {
	m := r.Messages
	return m.Lost == 0 && m.HeldBack == 0 && m.Latency.P99 <= 250
}

// rooms is a school: many rooms in which everybody speaks, at a pace that takes
// half of the machine here, and once a second. At the second the load generator
// and the server want more than the machine has: how late the generator itself
// was stands in the row.
func (b *bench) rooms(ctx context.Context) ([]row, error) {
	c := load.Command{Kind: load.Rooms, Rooms: 450, Members: 21, Duration: 12 * time.Second}
	if b.short {
		c.Rooms, c.Members, c.Duration = 5, 5, 500*time.Millisecond
	}
	var rows []row
	for _, c.Rate = range []float64{0.4, 1} {
		school := map[string][]*load.Report{}
		for range b.rounds {
			for _, name := range []string{tutti, rival} {
				r, err := b.play(ctx, name, c)
				if err != nil {
					return nil, err
				}
				school[name] = append(school[name], r)
			}
		}
		rows = append(rows, b.school(c, school)...)
	}
	return rows, nil
}

// school puts what came of one pace into words.
func (b *bench) school(c load.Command, reports map[string][]*load.Report) []row {
	of := func(name string, figure func(*load.Report) float64) float64 {
		var all []float64
		for _, r := range reports[name] {
			all = append(all, figure(r))
		}
		return median(all)
	}
	p50 := func(r *load.Report) float64 { return r.Messages.Latency.P50 }
	p99 := func(r *load.Report) float64 { return r.Messages.Latency.P99 }
	late := func(r *load.Report) float64 { return r.LateBy.P99 }
	busy := func(r *load.Report) float64 { return 100 * r.Process.Cores / float64(runtime.NumCPU()) }
	lost := func(r *load.Report) float64 { return float64(r.Messages.Lost) }
	what := fmt.Sprintf("%d rooms of %d, %.0f messages/s in all: ", c.Rooms, c.Members, float64(c.Rooms*c.Members)*c.Rate)
	latency := func(name string) string {
		return figure("p50 %.1f ms, p99 %.1f ms (generator late by %.1f ms)", of(name, p50), of(name, p99), of(name, late))
	}
	return []row{
		{what + "latency", latency(tutti), latency(rival) + ", " + b.library, figure("%.3f", of(tutti, p99)/of(rival, p99)), "p99 ≤ 20 ms", b.verdict(of(tutti, p99) <= 20)},
		{what + "share of the machine", figure("%.0f %%", of(tutti, busy)), figure("%.0f %%, %s", of(rival, busy), b.library), figure("%.2f", of(tutti, busy)/of(rival, busy)), "≤ 50 %", b.verdict(of(tutti, busy) <= 50)},
		{what + "lost deliveries", figure("%.0f", of(tutti, lost)), figure("%.0f, %s", of(rival, lost), b.library), "", "0", b.verdict(of(tutti, lost) == 0)},
	}
}
