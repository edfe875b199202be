//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/tutti-realtime/tutti/internal/yard"
)

// A kind is one of faults.
type kind string

// The faults.
const (
	databaseFast   kind = "database stopped and started"
	databaseKilled kind = "database killed and started"
	nodeKilled     kind = "node killed and started"
	nodeFrozen     kind = "node frozen for longer than it may be silent"
	nodeDrained    kind = "node drained and started"
	nodesCut       kind = "two nodes cut from each other"
	nodeAlone      kind = "node cut from everything"
)

var kinds = []kind{databaseFast, databaseKilled, nodeKilled, nodeFrozen, nodeDrained, nodesCut, nodeAlone}

// A fault is one that is planned.
type fault struct {
	kind   kind
	victim yard.Place
	other  yard.Place    // of a cut
	calm   time.Duration // before it
	hold   time.Duration // it lasts
}

// String says it in words.
func (f fault) String() string {
	switch f.kind {
	case databaseFast, databaseKilled:
		return string(f.kind)
	case nodesCut:
		return fmt.Sprintf("%s (%v, %v)", f.kind, f.victim, f.other)
	}
	return fmt.Sprintf("%s (%v)", f.kind, f.victim)
}

// nodes returns those that cannot do what they should meanwhile. Without its
// database a node broadcasts as ever.
func (f fault) nodes() []int {
	switch f.kind {
	case databaseFast, databaseKilled:
		return nil
	case nodesCut:
		return []int{int(f.victim), int(f.other)}
	}
	return []int{int(f.victim)}
}

// A plan is the faults of a run. The same seed gives the same ones.
type plan struct {
	random *rand.Rand
	count  int // nodes
	short  bool
	deck   []kind
}

func newPlan(seed uint64, count int, short bool) *plan {
	return &plan{random: rand.New(rand.NewPCG(seed, 1)), count: count, short: short}
}

// next returns the next fault: each kind comes once before any comes again.
func (p *plan) next() fault {
	if len(p.deck) == 0 {
		for _, k := range kinds {
			if p.count > 1 || (k != nodesCut && k != nodeAlone) {
				p.deck = append(p.deck, k)
			}
		}
		p.random.Shuffle(len(p.deck), func(i, j int) { p.deck[i], p.deck[j] = p.deck[j], p.deck[i] })
	}
	f := fault{kind: p.deck[0], victim: yard.Place(p.random.IntN(p.count))}
	p.deck = p.deck[1:]
	if p.count > 1 {
		f.other = others(f.victim, p.count)[p.random.IntN(p.count-1)]
	}
	f.calm, f.hold = 4*time.Second+p.upTo(4*time.Second), lost+p.upTo(2*lost)
	if p.short {
		f.calm, f.hold = 500*time.Millisecond, lost/2
		if f.kind == nodeFrozen {
			f.hold = lost + lost/4
		}
	}
	return f
}

func (p *plan) upTo(d time.Duration) time.Duration { return time.Duration(p.random.Int64N(int64(d))) }

// rage does what is planned, one fault after another, until the time is over. Its
// error is one after which nothing more can be learnt.
func (s *stage) rage(ctx context.Context, all []*guest, until time.Time) error {
	for p := newPlan(s.seed, len(s.nodes), s.short); ; {
		f := p.next()
		if time.Now().Add(f.calm).After(until) {
			return nil
		}
		if err := pause(ctx, f.calm); err != nil {
			return err
		}
		if err := s.endure(ctx, all, f); err != nil {
			return fmt.Errorf("%v: %w", f, err)
		}
	}
}

// endure has one fault happen, undoes it, and waits until all is well again.
func (s *stage) endure(ctx context.Context, all []*guest, f fault) error {
	began := time.Now()
	over := s.troubles.Begin(string(f.kind), began, f.nodes()...)
	if err := s.inflict(ctx, f); err != nil {
		s.book.fault(recovery(f.kind), "%v: %v", f, err)
		return err
	}
	mended := time.Now()
	var what string
	err := s.await(ctx, "all is well again", func(ctx context.Context) bool {
		what = s.unwell(ctx, all, mended)
		return what == ""
	})
	s.book.seen(recovery(f.kind), 1)
	s.book.seen(agreed, len(all))
	if err != nil {
		s.book.fault(recovery(f.kind), "%v later: %s", patience, what)
		return fmt.Errorf("%w: %s", err, what)
	}
	took := time.Since(mended)
	over(time.Now().Add(500 * time.Millisecond))
	s.book.took(recovery(f.kind), took)
	s.say("%v: %v, then all is well after %v", f, mended.Sub(began).Round(100*time.Millisecond), took.Round(time.Millisecond))
	return nil
}

// unwell says what is not as it should be since a moment.
func (s *stage) unwell(ctx context.Context, all []*guest, since time.Time) string {
	if !s.whole(ctx) {
		return "the nodes are not one cluster"
	}
	if what := agree(all); what != "" {
		return what
	}
	for _, g := range all {
		if g.tenant != ours {
			continue
		}
		if one := g.latest(); one == nil {
			return g.name + " is not back"
		} else if _, ok := s.rows.FirstAfter(one.hearing().Rows, since); !ok {
			return g.name + " has heard no row since"
		}
	}
	return ""
}

// inflict has a fault happen, last and end.
func (s *stage) inflict(ctx context.Context, f fault) error {
	n := s.nodes[f.victim]
	switch f.kind {
	case databaseFast:
		return s.server.Restart(ctx)
	case databaseKilled:
		if err := s.server.Kill(ctx); err != nil {
			return err
		}
		return errors.Join(pause(ctx, f.hold/2), s.server.Restart(ctx))
	case nodeKilled:
		s.ended(n.kill())
		return errors.Join(pause(ctx, f.hold), n.start())
	case nodeFrozen:
		if err := n.life.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		return errors.Join(pause(ctx, f.hold), n.life.Signal(syscall.SIGCONT))
	case nodeDrained:
		began := time.Now()
		s.ended(n.stop(patience))
		s.book.took(processes, time.Since(began))
		return n.start()
	default:
		return s.cut(ctx, f)
	}
}

// ended notes how a process has ended.
func (s *stage) ended(err error) {
	s.book.seen(processes, 1)
	if err != nil {
		s.book.fault(processes, "%v", err)
	}
}

// cut cuts ways, and mends them later.
func (s *stage) cut(ctx context.Context, f fault) error {
	from := []yard.Place{f.other}
	if f.kind == nodeAlone {
		from = append(others(f.victim, len(s.nodes)), yard.Services)
	}
	var errs []error
	for _, o := range from {
		errs = append(errs, s.network.Cut(f.victim, o), s.network.Cut(o, f.victim))
	}
	return errors.Join(append(errs, pause(ctx, f.hold), s.network.Mend())...)
}
