//go:build linux

package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/account"
	"github.com/tutti-realtime/tutti/internal/yard"
)

const (
	vault = "realtime:vault"
	// past is what a keeper has replayed, less than the 25 messages that there may be.
	past = 10 * time.Second
)

// A keeper listens to a private channel, and comes again and again. Each time it
// has the past replayed, so that it has to hear all of that and what comes, once.
type keeper struct {
	stage *stage
	sub   string

	mu    sync.Mutex // guards heard
	heard []*watch
}

// A watch is what a keeper heard in one session, guarded by its lock.
type watch struct {
	*session
	asked time.Time
	rows  []account.Arrival
}

func (k *watch) take(m *message, at time.Time) {
	var p struct {
		Event   string
		Payload struct{ ID int64 }
	}
	if m.event == "broadcast" && json.Unmarshal(m.payload, &p) == nil && p.Event == "row" {
		k.rows = append(k.rows, account.Arrival{ID: p.Payload.ID, At: at})
	}
}

// hearing returns what has to be balanced: everything since what was asked for.
// The database's stamp of a row is a little older than the row's commit.
func (k *watch) hearing() account.Hearing {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := account.Hearing{Ended: k.ended, Rows: k.rows}
	if !k.joined.IsZero() {
		h.Subscribed = k.asked.Add(time.Second - past)
	}
	if h.Ended.IsZero() {
		h.Ended = k.over
	}
	return h
}

// live comes and goes until ctx ends.
func (k *keeper) live(ctx context.Context, random *rand.Rand) {
	for at := yard.Place(0); ctx.Err() == nil; at = k.stage.next(at) {
		token, err := mint("authenticated", k.sub, time.Hour)
		if err == nil {
			err = k.come(ctx, at, token, 2*time.Second+time.Duration(random.Int64N(int64(6*time.Second))))
		}
		if err != nil {
			_ = pause(ctx, 300*time.Millisecond)
		}
	}
}

func (k *keeper) come(ctx context.Context, at yard.Place, token string, stays time.Duration) error {
	asked := time.Now()
	c, err := k.stage.connect(ctx, ticket{tenant: ours, at: at, topic: vault, token: token, config: map[string]any{
		"private": true, "broadcast": map[string]any{"replay": map[string]any{"since": asked.Add(-past).UnixMilli(), "limit": 25}},
	}})
	if err != nil {
		return err
	}
	one := &watch{session: c, asked: asked}
	c.hear = one.take
	k.mu.Lock()
	k.heard = append(k.heard, one)
	k.mu.Unlock()
	var run sync.WaitGroup
	run.Go(func() { c.run(ctx) })
	defer run.Wait()
	defer c.end()
	if err := c.enter(ctx); err != nil {
		return err
	}
	leave := time.NewTimer(stays)
	defer leave.Stop()
	select {
	case <-leave.C:
	case <-c.gone:
	}
	return nil
}

func (k *keeper) all() []*watch {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]*watch(nil), k.heard...)
}

// outsider tries to come into the private channel again and again, without the
// right to.
func (s *stage) outsider(ctx context.Context) {
	for at := yard.Place(0); ctx.Err() == nil; at = s.next(at) {
		s.intrude(ctx, at)
		_ = pause(ctx, time.Second)
	}
}

func (s *stage) intrude(ctx context.Context, at yard.Place) {
	token, err := mint("authenticated", stranger, time.Hour)
	if err != nil {
		return
	}
	c, err := s.connect(ctx, ticket{tenant: ours, at: at, topic: vault, token: token, config: map[string]any{"private": true}})
	if err != nil {
		return
	}
	var run sync.WaitGroup
	run.Go(func() { c.run(ctx) })
	defer run.Wait()
	defer c.end()
	err = c.enter(ctx)
	switch {
	case err == nil:
		s.book.fault(intruders, "somebody without the right joined a private channel on node %v", at)
	case strings.Contains(err.Error(), "Unauthorized"):
		s.book.seen(intruders, 1)
	}
}
