//go:build linux

package main

import (
	"context"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/yard"
)

// late is how long after the end of a token its channel may be open.
const late = 15 * time.Second

// visitors come with tokens that end soon, until ctx ends. Every other one gets a
// new token in time.
func (s *stage) visitors(ctx context.Context) {
	for at, renews := yard.Place(0), false; ctx.Err() == nil; at, renews = s.next(at), !renews {
		if s.expire(ctx, at, renews) != nil {
			_ = pause(ctx, 500*time.Millisecond)
		}
	}
}

// expire is one visit. Times of tokens are whole seconds.
func (s *stage) expire(ctx context.Context, at yard.Place, renews bool) error {
	const lasts = 3 * time.Second
	token, err := mint("authenticated", stranger, lasts)
	if err != nil {
		return err
	}
	ends := time.Now().Truncate(time.Second).Add(lasts)
	c, err := s.connect(ctx, ticket{tenant: ours, at: at, topic: "realtime:visit", token: token})
	if err != nil {
		return err
	}
	var run sync.WaitGroup
	run.Go(func() { c.run(ctx) })
	defer run.Wait()
	defer c.end()
	if err := c.enter(ctx); err != nil {
		return err
	}
	if renews {
		return s.renew(ctx, c, ends)
	}
	over, ended, err := c.outlast(ctx, ends.Add(late))
	if err != nil {
		return err
	}
	switch {
	case !over.IsZero() && !over.Before(ends.Add(-time.Second)):
		s.book.seen(expiry, 1)
		s.book.took(expiry, max(0, over.Sub(ends)))
	case over.IsZero() && ended.IsZero() && s.calm(ctx, ends, at):
		s.book.fault(expiry, "a channel on node %v is open %v after its token has ended", at, late)
	}
	return nil
}

// renew sends a new token, and looks whether the channel outlives the old one.
func (s *stage) renew(ctx context.Context, c *session, ends time.Time) error {
	token, err := mint("authenticated", stranger, time.Hour)
	if err != nil {
		return err
	}
	sent := time.Now()
	if _, err := c.push("access_token", map[string]any{"access_token": token}); err != nil {
		return err
	}
	over, ended, err := c.outlast(ctx, ends.Add(2*time.Second))
	if err != nil {
		return err
	}
	switch {
	case over.IsZero() && ended.IsZero():
		s.book.seen(renewal, 1)
	case sent.Before(ends.Add(-time.Second)) && ended.IsZero() && s.calm(ctx, sent, c.at):
		s.book.fault(renewal, "a channel on node %v was closed though its client had sent a new token", c.at)
	}
	return nil
}

// outlast waits until a channel is over, but not beyond a moment, and returns when it
// and its socket ended, if they did.
func (c *session) outlast(ctx context.Context, most time.Time) (over, ended time.Time, err error) {
	waiting, cancel := context.WithDeadline(ctx, most)
	defer cancel()
	_ = c.until(waiting, func() bool { return !c.over.IsZero() })
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over, c.ended, ctx.Err()
}
