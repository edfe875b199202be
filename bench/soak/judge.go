//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/account"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// level waits until those who are there have heard all that they should, at most
// as long as patience. What is missing then the audit finds.
func (s *stage) level(ctx context.Context, all []*guest) {
	_ = s.await(ctx, "all is heard", func(context.Context) bool {
		return !slices.ContainsFunc(all, func(g *guest) bool {
			one := g.latest()
			if one == nil {
				return false
			}
			rows, words := s.rows.Audit(one.hearing()), s.words.Audit(one.attendance(), s.troubles)
			return len(rows.Missing) > 0 && g.tenant == ours || len(words.Lost) > 0
		})
	})
}

// audit closes the books of rows and words.
func (s *stage) audit(all []*guest, k *keeper) {
	var speed latencies
	for _, g := range all {
		for i, one := range g.all() {
			who := fmt.Sprintf("%s, stay %d, node %v", g.name, i+1, one.at)
			if g.tenant == ours {
				s.auditRows(who, s.rows.Audit(one.hearing()))
				s.auditTold(who, one)
			}
			s.auditWords(who, s.words.Audit(one.attendance(), s.troubles))
			s.auditEnd(who, one)
			speed.take(s, one)
		}
	}
	for i, one := range k.all() {
		b := s.vault.Audit(one.hearing())
		b.Disordered = nil // what is new may come before the past
		s.book.seen(replayed, 1)
		if f := b.Faults(); f != "" {
			s.book.fault(replayed, "join %d, node %v: %s", i+1, one.at, f)
		}
	}
	s.speed = speed.report()
}

func (s *stage) auditRows(who string, b account.Balance) {
	for _, one := range []struct {
		promise promise
		ids     []int64
	}{{rowsLost, b.Missing}, {rowsDoubled, b.Doubled}, {rowsStrange, b.Strange}, {rowsOrder, b.Disordered}} {
		s.book.seen(one.promise, b.Heard)
		if len(one.ids) > 0 {
			s.book.fault(one.promise, "%s: %d rows %v", who, len(one.ids), one.ids[:min(len(one.ids), 8)])
		}
	}
}

func (s *stage) auditTold(who string, one *stay) {
	one.mu.Lock()
	defer one.mu.Unlock()
	s.book.seen(toldLost, 1)
	for _, said := range one.told {
		if strings.Contains(said, changesLost) {
			s.book.fault(toldLost, "%s: %s", who, said)
		}
	}
}

func (s *stage) auditWords(who string, b account.WordBalance) {
	s.missed += b.Missed
	for _, one := range []struct {
		promise promise
		seen    int
		ids     []int64
	}{{wordsLost, b.Due, b.Lost}, {wordsAcked, b.Acked, b.Swallowed}, {wordsDoubled, b.Heard, b.Doubled}, {wordsStrange, b.Heard, b.Strange}} {
		s.book.seen(one.promise, one.seen)
		if len(one.ids) > 0 {
			s.book.fault(one.promise, "%s: %d broadcasts %v", who, len(one.ids), one.ids[:min(len(one.ids), 8)])
		}
	}
}

// auditEnd asks why a stay is over: only a node in trouble may end it.
func (s *stage) auditEnd(who string, one *stay) {
	one.mu.Lock()
	defer one.mu.Unlock()
	s.book.seen(kept, 1)
	ended := one.ended
	if ended.IsZero() || !one.over.IsZero() && one.over.Before(ended) {
		ended = one.over
	}
	if !one.joined.IsZero() && !ended.IsZero() && s.troubles.Calm(ended.Add(-margin), ended, int(one.at)) {
		s.book.fault(kept, "%s: %s", who, cmp.Or(one.why, "the channel was closed"))
	}
}

// latencies is how long things took, in calm and in trouble.
type latencies struct{ rows, words [2][]time.Duration }

// take adds what a stay heard.
func (l *latencies) take(s *stage, one *stay) {
	state := func(at time.Time) int {
		if s.troubles.Calm(at, at.Add(margin)) {
			return 0
		}
		return 1
	}
	for _, came := range one.hearing().Rows {
		if r, ok := s.rows.Get(came.ID); ok && !r.Begun.IsZero() {
			l.rows[state(r.Begun)] = append(l.rows[state(r.Begun)], came.At.Sub(r.Begun))
		}
	}
	for _, came := range one.attendance().Words {
		if w, ok := s.words.Get(came.ID); ok {
			l.words[state(w.At)] = append(l.words[state(w.At)], came.At.Sub(w.At))
		}
	}
}

// A speed is how long something took, in milliseconds. Nothing is promised of it
// here: a busy machine is no fault.
type speed struct {
	What  string  `json:"what"`
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
}

func (l *latencies) report() (all []speed) {
	for i, state := range []string{"in calm", "in trouble"} {
		for _, one := range []struct {
			what  string
			times []time.Duration
		}{{"commit to client, ", l.rows[i]}, {"broadcast to client, ", l.words[i]}} {
			slices.Sort(one.times)
			all = append(all, speed{one.what + state, len(one.times), milliseconds(quantile(one.times, 50)), milliseconds(quantile(one.times, 99))})
		}
	}
	return all
}

// empty asks every node who is present in every room, when everybody has gone.
// What is about to leave has as long as patience.
func (s *stage) empty(ctx context.Context) {
	topics := []string{room}
	for i := range rooms {
		topics = append(topics, fmt.Sprintf("realtime:soak-%d", i))
	}
	for _, n := range s.nodes {
		for _, topic := range topics {
			var last string
			err := s.await(ctx, "nobody is present", func(ctx context.Context) bool {
				last = s.present(ctx, n, topic)
				return last == "{}"
			})
			s.book.seen(stuck, 1)
			if err != nil {
				s.book.fault(stuck, "node %v, %s: %.200s", n.at, topic, last)
				return // the others would take as long
			}
		}
	}
}

// present returns who is in a room, as a node tells one who comes.
func (s *stage) present(ctx context.Context, n *node, topic string) string {
	token, err := mint("anon", "", time.Hour)
	if err != nil {
		return err.Error()
	}
	c, err := s.connect(ctx, ticket{tenant: ours, at: n.at, topic: topic, token: token, config: map[string]any{"presence": map[string]any{"enabled": true}}})
	if err != nil {
		return err.Error()
	}
	var state string
	c.hear = func(m *message, _ time.Time) {
		if m.event == phoenix.EventPresenceState {
			var compact map[string]json.RawMessage
			_ = json.Unmarshal(m.payload, &compact)
			text, _ := json.Marshal(compact) // cannot fail: it was JSON
			state = string(text)
		}
	}
	var run sync.WaitGroup
	run.Go(func() { c.run(ctx) })
	defer run.Wait()
	defer c.end()
	waiting, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	if err := c.until(waiting, func() bool { return state != "" }); err != nil {
		return err.Error()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return state
}
