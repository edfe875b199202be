//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// soak is a run: start, look, play and break, rest, look again, judge.
func (o options) soak(ctx context.Context) (r *report, err error) {
	b := newBook()
	began := time.Now()
	s := newStage(o, b)
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	var watching sync.WaitGroup
	watched, unwatch := context.WithCancel(ctx)
	watching.Go(func() { s.watchTime(watched) })
	defer watching.Wait()
	defer unwatch()
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	s.say("%d nodes are one cluster (%v), seed %d", s.options.nodes, s.network, s.seed)
	before, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.play(ctx); err != nil {
		return nil, err
	}
	s.say("everybody has gone")
	defer s.linger(ctx)()
	s.empty(ctx)
	after, fault := s.settle(ctx, before, s.rest())
	b.seen(asBefore, len(s.nodes))
	if fault != nil {
		b.fault(asBefore, "%v", fault)
	}
	for _, n := range s.nodes {
		s.ended(n.stop(patience))
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	lines := b.lines()
	return &report{
		Seed: s.seed, Seconds: time.Since(began).Seconds(), Nodes: s.options.nodes, Network: s.network.String(), Lines: lines, Speeds: s.speed,
		Missed: s.missed, Before: before, After: after, Stall: milliseconds(time.Duration(s.stall.Load())), Remarks: b.remarks,
		Rows: s.rows.Count(), Words: s.words.Count(), Messages: s.vault.Count(), Green: !failed(lines),
	}, nil
}

// rest is how long the nodes have to be as they were: their timeouts, and where
// there is time the two minutes after which Go collects garbage that nobody asks
// room for, and gives it back.
func (s *stage) rest() time.Duration {
	if s.short {
		return 2 * (idle + ending)
	}
	return idle + ending + 5*time.Minute
}

// look returns what each node holds before anybody has come.
func (s *stage) look(ctx context.Context) (all []figures, err error) {
	for _, n := range s.nodes {
		f, err := n.figures(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// play has everybody come, breaks things, and has everybody go. Its error is one
// after which nothing can be judged.
func (s *stage) play(ctx context.Context) error {
	all, err := s.invite(ctx)
	if err != nil {
		return err
	}
	staying, dismiss := context.WithCancel(ctx)
	var stay sync.WaitGroup
	defer stay.Wait()
	defer dismiss()
	for i, g := range all {
		stay.Go(func() { g.live(staying, s.nodes[i%len(s.nodes)].at) })
	}
	if err := s.await(ctx, "everybody has come", func(context.Context) bool { return agree(all) == "" }); err != nil {
		return fmt.Errorf("%w: %s", err, agree(all))
	}
	s.say("%d guests are there, the others come", len(all))
	k, l := &keeper{stage: s, sub: all[0].sub}, newLesson(s)
	busy, tire := context.WithCancel(ctx)
	end := s.bustle(busy, all, k, l)
	defer end()
	defer tire()
	telling := time.Now().Add(s.length)
	end2 := s.tell(busy, telling)
	err = errors.Join(pause(ctx, margin), s.rage(ctx, all, telling))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		s.say("no more faults: %v", err)
	}
	_ = pause(ctx, margin)
	s.silent.Store(true)
	tire()
	end()
	end2()
	if err := s.settleRows(ctx); err != nil {
		return err
	}
	s.say("nobody writes any more")
	s.level(ctx, all)
	s.lie(all)
	s.audit(all, k)
	l.judge(s.book)
	return nil
}

// bustle starts all who write and all who come and go, until ctx ends. The
// function returned waits for them.
func (s *stage) bustle(ctx context.Context, all []*guest, k *keeper, l *lesson) (wait func()) {
	var wg sync.WaitGroup
	var subjects []string
	for _, g := range all {
		if g.tenant == ours {
			subjects = append(subjects, g.sub)
		}
	}
	for _, h := range s.hands(subjects) {
		wg.Go(func() { h.write(ctx) })
	}
	for i := range s.clients {
		random := rand.New(rand.NewPCG(s.seed, uint64(100+i)))
		wg.Go(func() { s.churn(ctx, random) })
	}
	wg.Go(func() { k.live(ctx, rand.New(rand.NewPCG(s.seed, 20))) })
	wg.Go(func() { s.outsider(ctx) })
	wg.Go(func() { s.visitors(ctx) })
	for i := range 2 {
		lazy := rand.New(rand.NewPCG(s.seed, uint64(40+i)))
		wg.Go(func() { s.laze(ctx, lazy) })
		random := rand.New(rand.NewPCG(s.seed, uint64(30+i)))
		wg.Go(func() { s.vanish(ctx, random) })
	}
	for i, n := range s.nodes {
		role := "student"
		if i == 0 {
			role = "teacher"
		}
		wg.Go(func() { l.attend(ctx, n.at, fmt.Sprintf("pupil-%d", i), role) })
	}
	return wg.Wait
}

// tell prints how things are, now and then. The function returned waits for it.
func (s *stage) tell(ctx context.Context, until time.Time) (wait func()) {
	var wg sync.WaitGroup
	every := 30 * time.Second
	if s.short {
		every = 5 * time.Second
	}
	wg.Go(func() {
		for pause(ctx, every) == nil {
			s.say("%d commits, %d broadcasts, %d lives of others, %v to go",
				s.rows.Count(), s.words.Count(), s.book.count(lives), max(0, time.Until(until)).Round(time.Second))
		}
	})
	return wg.Wait
}
