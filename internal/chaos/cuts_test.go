//go:build linux

package chaos

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// cutOff cuts a node off from places, in both directions.
func (s *stage) cutOff(p place, from ...place) {
	for _, o := range from {
		s.cut(p, o)
		s.cut(o, p)
	}
}

// The bus parts between the owner and all others, and everybody reaches
// PostgreSQL: either side may read, and only one does.
func TestOwnerCutFromTheOthers(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{})
	all, end := s.play(2)
	owner, _ := s.ownerAnd()
	since := time.Now()
	s.cutOff(owner, others(owner)...)
	r := s.recover(watch{since: since, victim: owner, guests: all, feed: s.dsn != "", within: soon})
	s.Logf("owner %v cut from the others: %v", owner, r)
	s.mended(since, all)
	end()
}

func TestNodeCutFromEverything(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{})
	all, end := s.play(2)
	owner, _ := s.ownerAnd()
	since := time.Now()
	s.cutOff(owner, append(others(owner), services)...)
	r := s.recover(watch{since: since, victim: owner, guests: all, feed: s.dsn != "", within: soon})
	s.Logf("owner %v cut from everything: %v", owner, r)
	s.mended(since, all)
	end()
}

// Two nodes do not hear each other, and both hear the third.
func TestTwoNodesCut(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{})
	all, end := s.play(2)
	owner, follower := s.ownerAnd()
	since := time.Now()
	s.cutOff(owner, follower)
	s.awayFor(since, all)
	end()
}

// What the owner says to one follower is lost, and what that one says is not.
func TestOneDirectionCut(t *testing.T) {
	for name, back := range map[string]bool{"from the owner to a follower": false, "from a follower to the owner": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, plan{})
			all, end := s.play(2)
			from, to := s.ownerAnd()
			if back {
				from, to = to, from
			}
			since := time.Now()
			s.cut(from, to)
			s.awayFor(since, all)
			end()
		})
	}
}

// awayFor lets a cut last and mends it. What happens meanwhile is not promised,
// and said.
func (s *stage) awayFor(since time.Time, all []*guest) {
	s.Helper()
	s.pass(either(4*time.Second, 8*time.Second))
	for _, p := range trio {
		if heard := s.firstOf(on(all, p), time.Now().Add(-time.Second)); s.dsn != "" {
			s.Logf("after %v of the cut: guests of node %v heard a row of the last second: %t", time.Since(since).Round(time.Second), p, heard > 0)
		}
	}
	s.mended(since, all)
}

// mended mends all, some seconds after the cut, and waits until all is as it was.
func (s *stage) mended(since time.Time, all []*guest) {
	s.Helper()
	s.pass(time.Until(since.Add(either(4*time.Second, 8*time.Second))))
	at := time.Now()
	s.mend()
	s.healed(all, at)
}

// A slow link is slow, and nothing else.
func TestSlowLinks(t *testing.T) {
	t.Parallel()
	y := newProxies(t)
	y.Slow(100*time.Millisecond, 50*time.Millisecond, 1_000_000/8)
	s := newStage(t, plan{yard: y})
	all, end := s.play(2)
	s.pass(either(3*time.Second, 15*time.Second))
	s.agree(all, patience)
	end()
	if s.talk.lost > 0 {
		t.Errorf("%d broadcasts were lost on slow links", s.talk.lost)
	}
}

// Who is told that he has joined hears what is said from then on, whichever node
// it is said on.
func TestWhoHasJoinedHears(t *testing.T) {
	t.Parallel()
	s := newStage(t, plan{})
	speaker := s.invite(1, wish{}, a)[0]
	const times = 40
	missed := 0
	for i := range times {
		topic := fmt.Sprintf("realtime:room-%d", i)
		mouth := &guest{stage: s, name: "mouth", sub: stranger, token: speaker.token}
		ear := &guest{stage: s, name: "ear", sub: stranger, token: speaker.token}
		for _, err := range []error{mouth.comeTo(t.Context(), a, topic), ear.comeTo(t.Context(), c, topic), s.say(t.Context(), mouth.session())} {
			if err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		heard := ear.session()
		if heard.until(ctx, func() bool { return len(heard.words) > 0 }) != nil {
			missed++
		}
		cancel()
		heard.end()
		mouth.session().end()
	}
	if missed > 0 {
		t.Errorf("%d of %d clients did not hear what was said on another node after they had joined", missed, times)
	}
}
