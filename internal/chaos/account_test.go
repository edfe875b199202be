//go:build linux

package chaos

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A recovery is how long after a fault things were as they should be. Zero is
// what was not looked at.
type recovery struct {
	detected time.Duration // the others do not hear the node any more
	taken    time.Duration // another node reads the slot
	clean    time.Duration // nobody sees the presences of the node's guests
	first    time.Duration // all of the others' guests have heard a row that was committed after it
}

// String writes what was looked at.
func (r recovery) String() string {
	var all []string
	for _, f := range []struct {
		what string
		d    time.Duration
	}{{"detected", r.detected}, {"feed taken over", r.taken}, {"presence clean", r.clean}, {"first change", r.first}} {
		if f.d != 0 {
			all = append(all, fmt.Sprintf("%s %v", f.what, f.d.Round(time.Millisecond)))
		}
	}
	return strings.Join(all, ", ")
}

// A watch says what to look at after a fault.
type watch struct {
	since  time.Time // the fault
	victim place     // the node that is gone
	guests []*guest  // all
	feed   bool      // the victim read the slot
	within time.Duration
}

// recover waits until the nodes that are left have got over the loss of one, and
// returns how long each step took. It fails where a step takes too long.
func (s *stage) recover(w watch) (r recovery) {
	s.Helper()
	left := others(w.victim)
	here := on(w.guests, left...)
	var all sync.WaitGroup
	until := func(d *time.Duration, is func(context.Context) bool) {
		all.Go(func() {
			ctx, cancel := context.WithDeadline(s.Context(), w.since.Add(w.within))
			defer cancel()
			if at, ok := poll(ctx, is); ok {
				*d = at.Sub(w.since)
			}
		})
	}
	until(&r.detected, func(ctx context.Context) bool {
		for _, p := range left {
			st, err := s.nodes[p].status(ctx)
			if err != nil || slices.Contains(st.hears(), w.victim.String()) {
				return false
			}
		}
		return true
	})
	if w.feed {
		until(&r.taken, func(ctx context.Context) bool {
			p, ok := s.reader(ctx)
			return ok && p != w.victim
		})
	}
	if s.dsn != "" {
		until(&r.first, func(context.Context) bool { return s.firstOf(here, w.since) > 0 })
	}
	var moved time.Time
	until(&r.clean, func(context.Context) bool {
		at, what := s.differ(here)
		moved = at
		return what == ""
	})
	all.Wait()
	if r.clean != 0 && moved.After(w.since) {
		r.clean = moved.Sub(w.since)
	}
	if s.dsn != "" && r.first != 0 {
		r.first = s.firstOf(here, w.since)
	}
	for what, missing := range map[string]bool{
		"the loss of the node was noticed": r.detected == 0, "another node read the slot": w.feed && r.taken == 0,
		"its presences were gone": r.clean == 0, "changes came": s.dsn != "" && r.first == 0,
	} {
		if missing {
			_, views := s.differ(here)
			s.Errorf("not within %v: %s (%v) %s", w.within, what, r, views)
		}
	}
	return r
}

// firstOf returns how long after a moment the last of the guests heard a row that
// was committed after it; 0 when one has not.
func (s *stage) firstOf(all []*guest, at time.Time) (longest time.Duration) {
	for _, g := range all {
		d, ok := s.ledger.FirstAfter(g.session().hearing().Rows, at)
		if !ok {
			return 0
		}
		longest = max(longest, d)
	}
	return longest
}

// poll asks every few milliseconds, and returns when it was so.
func poll(ctx context.Context, is func(context.Context) bool) (at time.Time, ok bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if is(ctx) {
			return time.Now(), true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return at, false
		}
	}
}

// pass lets time pass, for faults that last.
func (s *stage) pass(d time.Duration) {
	s.Helper()
	select {
	case <-time.After(d):
	case <-s.Context().Done():
		s.Fatal(s.Context().Err())
	}
}

// onTheWay is how long broadcasts may be on their way.
const onTheWay = 500 * time.Millisecond

// close asks, when nothing is written any more, whether every session has heard
// what it should. What is on its way is waited for.
func (s *stage) close() {
	s.Helper()
	s.mu.Lock()
	sessions := slices.Clone(s.sessions)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	began := time.Now()
	level, ok := poll(ctx, func(context.Context) bool {
		return !slices.ContainsFunc(sessions, func(c *session) bool { return len(s.ledger.Audit(c.hearing()).Missing) > 0 && c.live() })
	})
	if !ok {
		level = time.Now()
	}
	s.pass(onTheWay - time.Since(began))
	heard, lost, doubled, told := 0, 0, 0, 0
	for _, c := range sessions {
		acc := s.ledger.Audit(c.hearing())
		heard += acc.Heard
		lost += len(acc.Missing)
		doubled += len(acc.Doubled)
		if f := acc.Faults(); f != "" {
			s.Errorf("%s on node %v (%s): %s", c.name, c.node, c.story(), f)
		}
		c.mu.Lock()
		for _, trouble := range c.troubles {
			if strings.Contains(trouble, changesLost) && !s.lossy {
				s.Errorf("%s on node %v was told %q, and nothing had to be", c.name, c.node, trouble)
			}
		}
		told += len(c.troubles)
		c.mu.Unlock()
	}
	words := s.words(sessions)
	s.Logf("%d rows, %d deliveries, lost %d, doubled %d, told of trouble %d; %s; level after %v",
		s.ledger.Count(), heard, lost, doubled, told, words, level.Sub(began).Round(time.Millisecond))
}

// story says how long the session lasted.
func (c *session) story() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended.IsZero() {
		return "it lasts"
	}
	return fmt.Sprintf("ended at %s: %d %s", c.ended.Format("15:04:05.000"), c.code, c.why)
}

// words counts broadcasts. None may come twice; how many were lost is said, and
// for the caller to judge.
func (s *stage) words(sessions []*session) string {
	s.Helper()
	s.talk.mu.Lock()
	defer s.talk.mu.Unlock()
	deliveries, doubled, lost := 0, 0, 0
	for _, c := range sessions {
		c.mu.Lock()
		times := map[int64]int{}
		for _, w := range c.words {
			times[w.ID]++
		}
		for id, n := range times {
			deliveries++
			if n > 1 {
				doubled++
				s.Errorf("%s on node %v heard broadcast %d from node %v %d times", c.name, c.node, id, s.talk.said[id].from.node, n)
			}
		}
		for id, w := range s.talk.said {
			if c.misses(id, w, times) {
				lost++
				if lost <= 20 && testing.Verbose() && os.Getenv("TUTTI_CHAOS_LOST") != "" {
					s.Logf("lost: %d of %s (node %v) to %s (node %v), sent %v after the join and %v ago", id, w.from.name, w.from.node, c.name, c.node, w.at.Sub(c.joined), time.Since(w.at))
				}
			}
		}
		c.mu.Unlock()
	}
	s.talk.lost = lost
	return fmt.Sprintf("%d broadcasts, %d deliveries, lost %d, doubled %d", len(s.talk.said), deliveries, lost, doubled)
}

// misses reports whether the session was there well before and after a broadcast,
// as the speaker was, and has not heard it.
func (c *session) misses(id int64, w word, heard map[int64]int) bool {
	const margin = time.Second
	there := w.from != c && w.from.topic == c.topic && !c.joined.IsZero() && w.at.After(c.joined.Add(margin)) &&
		(c.ended.IsZero() || w.at.Add(margin).Before(c.ended))
	if !there || heard[id] > 0 {
		return false
	}
	w.from.mu.Lock()
	defer w.from.mu.Unlock()
	// What is said to a node that hangs up meanwhile may not have come there.
	return w.from.ended.IsZero() || w.at.Add(margin).Before(w.from.ended)
}
