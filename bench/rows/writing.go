package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/load"
)

// overtime is how much longer than planned writing may take before it is given up.
const overtime = 10 * time.Second

// A pen writes what a script says, over some connections.
type pen struct {
	script *script
	ledger *ledger
	conns  []*pgx.Conn
	late   []time.Duration // by batch: how much later than due it was sent
}

// statement is the name of what a pen has prepared.
const statement = "write"

func openPen(ctx context.Context, dsn string, s *script, l *ledger) (*pen, error) {
	p := &pen{script: s, ledger: l, late: make([]time.Duration, s.total()/s.batch)}
	for range s.writers {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			p.close()
			return nil, fmt.Errorf("connect a writer: %w", err)
		}
		p.conns = append(p.conns, conn)
		if _, err := conn.Prepare(ctx, statement, s.insert); err != nil {
			p.close()
			return nil, fmt.Errorf("prepare a writer: %w", err)
		}
	}
	return p, nil
}

func (p *pen) close() {
	for _, conn := range p.conns {
		_ = conn.Close(context.Background())
	}
}

// write writes the changes from one number to, but not including, another: whole
// batches, each connection one after the other, at the rate of the script. The
// time of a change is taken when its statement, which commits by itself, is sent.
func (p *pen) write(ctx context.Context, from, to int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := time.Now()
	var wg sync.WaitGroup
	for i, conn := range p.conns {
		wg.Go(func() {
			if err := p.strokes(ctx, conn, i, start, from, to); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// strokes writes the batches of one connection.
func (p *pen) strokes(ctx context.Context, conn *pgx.Conn, writer int, start time.Time, from, to int) error {
	s := p.script
	enough := start.Add(s.length + overtime)
	for first := from; first < to; first += s.batch {
		if s.writer(first) != writer {
			continue
		}
		due := start.Add(time.Duration(float64(first-from) / s.rate * float64(time.Second)))
		if err := pause(ctx, time.Until(due)); err != nil {
			return err
		}
		if time.Now().After(enough) {
			return nil // what is not written is seen in the result
		}
		p.late[first/s.batch] = time.Since(due)
		if err := p.stroke(ctx, conn, first, first+s.batch-1); err != nil {
			return err
		}
	}
	return nil
}

// stroke writes some changes with one statement.
func (p *pen) stroke(ctx context.Context, conn *pgx.Conn, first, last int) error {
	p.ledger.send(first, last)
	if _, err := conn.Exec(ctx, statement, p.script.arguments(first, last)...); err != nil {
		return fmt.Errorf("write changes: %w", err)
	}
	return nil
}

// lateness says how late the writers were, of what was measured.
func (p *pen) lateness() load.Spread {
	var late load.Histogram
	for _, d := range p.late[p.script.warm/p.script.batch:] {
		late.Add(d)
	}
	return late.Spread()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
