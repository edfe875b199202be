package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-realtime/tutti/internal/load"
)

const (
	// glance is how often the clients' goroutine looks at what else goes on.
	glance = 5 * time.Millisecond
	// probing is how often is asked whether a message gets through yet.
	probing = 100 * time.Millisecond
)

// A play is a script that is being played.
type play struct {
	bench      *bench
	script     *script
	stage      *stage
	ledger     *ledger
	pen        *pen
	audience   *load.Audience
	subscribed int // seats that were told so
}

// play plays a script on a stage of its own.
func (b *bench) play(ctx context.Context, s *script) (_ *result, err error) {
	logf("%s: %s", s.name, s.what)
	st, err := b.place.open(ctx, s.statements)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	seats, err := s.seats()
	if err != nil {
		return nil, err
	}
	p := &play{bench: b, script: s, stage: st, ledger: newLedger(s, len(seats))}
	p.audience = &load.Audience{URL: st.url, Key: st.key, ConnectRate: connectRate, Seats: seats, Hear: p.hear}
	defer p.audience.Close()
	if p.pen, err = openPen(ctx, st.dsn, s, p.ledger); err != nil {
		return nil, err
	}
	defer p.pen.close()
	if err := p.gather(ctx); err != nil {
		return nil, err
	}
	r, err := p.measure(ctx)
	if err != nil {
		return nil, err
	}
	logf("%s: %v", s.name, r)
	return r, nil
}

// connectRate is how many clients come a second.
const connectRate = 2000

var subscribedMark = []byte(`"Subscribed to PostgreSQL"`)

func (p *play) hear(seat int, frame []byte, at time.Time) bool {
	if p.ledger.hear(seat, frame, at) {
		return true
	}
	if bytes.Contains(frame, subscribedMark) {
		p.subscribed++
		return true
	}
	return false
}

// gather waits until all clients are there and what is written reaches them.
func (p *play) gather(ctx context.Context) error {
	if err := p.audience.Open(ctx); err != nil {
		return err
	}
	if p.script.told {
		late := time.Now().Add(p.patience())
		p.audience.Pump(ctx, func(now time.Time) (time.Time, bool) {
			// Without some of its clients it is not this load.
			failed := len(p.audience.Failures()) > 0
			return now.Add(glance), p.subscribed >= p.ledger.seats || failed || now.After(late)
		})
		if p.subscribed < p.ledger.seats {
			return fmt.Errorf("%d of %d are subscribed; failures: %v", p.subscribed, p.ledger.seats, some(p.audience.Failures()))
		}
		return p.warm(ctx)
	}
	return p.probe(ctx)
}

// warm writes changes that do not count, so that what is made once is there.
func (p *play) warm(ctx context.Context) error {
	wanted := p.ledger.expected(0, p.script.warm)
	err := p.meanwhile(ctx, func(ctx context.Context) error { return p.pen.write(ctx, 0, p.script.warm) })
	if err != nil {
		return err
	}
	late := time.Now().Add(p.patience())
	p.audience.Pump(ctx, func(now time.Time) (time.Time, bool) {
		return now.Add(glance), p.ledger.warmed >= wanted || now.After(late)
	})
	if p.ledger.warmed < wanted {
		return fmt.Errorf("%d of %d deliveries came of the first changes; failures: %v", p.ledger.warmed, wanted, some(p.audience.Failures()))
	}
	return context.Cause(ctx)
}

// probe sends the first change again and again, until it has reached all.
func (p *play) probe(ctx context.Context) error {
	late := time.Now().Add(p.patience())
	for p.ledger.warmed < p.ledger.seats {
		if time.Now().After(late) {
			return fmt.Errorf("%d of %d hear messages; failures: %v", p.ledger.warmed, p.ledger.seats, some(p.audience.Failures()))
		}
		err := p.meanwhile(ctx, func(ctx context.Context) error { return p.pen.stroke(ctx, p.pen.conns[0], 0, 0) })
		if err != nil {
			return err
		}
		again := time.Now().Add(probing)
		p.audience.Pump(ctx, func(now time.Time) (time.Time, bool) {
			return again, !now.Before(again) || p.ledger.warmed >= p.ledger.seats
		})
	}
	return nil
}

// meanwhile lets the clients live until work is done.
func (p *play) meanwhile(ctx context.Context, work func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	var failure error
	ended := false
	p.audience.Pump(ctx, func(now time.Time) (time.Time, bool) {
		select {
		case failure = <-done:
			ended = true
		default:
		}
		return now.Add(glance), ended
	})
	if !ended {
		failure = <-done
	}
	return errors.Join(failure, context.Cause(ctx))
}

// measure writes what counts, waits for what it leads to, and says what that
// was.
func (p *play) measure(ctx context.Context) (*result, error) {
	s, l := p.script, p.ledger
	expected := l.expected(s.warm, s.total()) // now, as it takes a while
	before, err := p.stage.load.sample()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := p.meanwhile(ctx, func(ctx context.Context) error { return p.pen.write(ctx, s.warm, s.total()) }); err != nil {
		return nil, err
	}
	written := time.Since(start)
	r := &result{Load: s.name, What: s.what, Subscribers: l.seats, Identities: max(1, s.users), Asked: s.rate}
	r.Expected = expected - l.unsent(s.warm, s.total())
	p.drain(ctx, r.Expected)
	after, err := p.stage.load.sample()
	if err != nil {
		return nil, err
	}
	r.spend(after.minus(before), time.Since(start))
	p.linger(ctx)
	p.count(r, start, written)
	r.Memory, err = peak(p.stage.load.server)
	r.judge(s, p.bench.short)
	return r, errors.Join(err, context.Cause(ctx))
}

// patience is how long it may take until all are subscribed, and how long the
// last deliveries may take after the last change.
func (p *play) patience() time.Duration {
	if p.bench.short {
		return 10 * time.Second
	}
	return 2 * time.Minute
}

// quiet is the silence after which deliveries that have not come are lost.
func (p *play) quiet() time.Duration {
	if p.bench.short {
		return 3 * time.Second
	}
	return 15 * time.Second
}

// drain waits for the deliveries that are still on their way.
func (p *play) drain(ctx context.Context, expected int) {
	began := time.Now()
	p.audience.Pump(ctx, func(now time.Time) (time.Time, bool) {
		last := p.ledger.lastCame
		if last.Before(began) {
			last = began
		}
		finished := p.ledger.deliveries >= expected || now.Sub(last) > p.quiet() || now.Sub(began) > p.patience()
		return now.Add(glance), finished
	})
}

// linger waits for what should not come any more.
func (p *play) linger(ctx context.Context) {
	until := time.Now().Add(p.quiet() / 60)
	p.audience.Pump(ctx, func(now time.Time) (time.Time, bool) { return until, !now.Before(until) })
}

// count puts what the ledger knows into the result.
func (p *play) count(r *result, start time.Time, written time.Duration) {
	s, l := p.script, p.ledger
	for n := s.warm; n < s.total(); n++ {
		if l.sent[n].Load() != 0 {
			r.Written++
		}
	}
	r.Missing = s.total() - s.warm - r.Written
	r.Deliveries, r.Lost = l.deliveries, r.Expected-l.deliveries
	r.FirstLost = l.lost(10)
	r.Duplicates, r.Disordered, r.Strays = l.duplicates, l.disordered, l.strays
	r.Seconds = written.Seconds()
	r.PerSecond = float64(r.Written) / max(s.length.Seconds(), r.Seconds)
	if took := l.lastCame.Sub(start).Seconds(); took > 0 {
		r.DeliveriesPerSecond = float64(r.Deliveries) / took
	}
	if s.total()-s.warm == s.batch {
		r.Note = fmt.Sprintf("the one statement took %.2f s with its commit, and the last change came %.2f s after that.",
			written.Seconds(), (l.lastCame.Sub(start) - written).Seconds())
	}
	r.Latency, r.LateBy = l.latency.Spread(), p.pen.lateness()
	r.Failures = p.audience.Failures()
	r.share()
}
