package extend

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// skewed lets the clocks of nodes be ahead of the bubble's.
func (w *web) skewed(ahead map[*node]time.Duration) {
	for n, d := range ahead {
		n.host.Now = func() time.Time { return time.Now().Add(d) }
	}
}

// skew returns what the actor that plays now is told.
func (n *node) skew() (ahead, bound time.Duration, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, known := n.players[len(n.players)-1].room.Skew()
	return s.Ahead, s.Bound, known
}

// honest fails when the truth is not within what was said.
func (n *node) honest(truth time.Duration) {
	n.t.Helper()
	ahead, bound, known := n.skew()
	if off := max(ahead-truth, truth-ahead); !known || off > bound || bound > 12*time.Millisecond {
		n.t.Errorf("the clock is ahead by %v; said was %v and at most %v more or less, %v", truth, ahead, bound, known)
	}
}

func TestANextOwnerKnowsHowFarTheClocksAreApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWebOf(t, 1, func(w *web) {
			w.skewed(map[*node]time.Duration{w.nodes[0]: -40 * time.Millisecond, w.nodes[1]: 25 * time.Millisecond, w.nodes[2]: time.Hour})
		}, "a", "b", "c")
		defer w.end()
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		a.enter("ann").say("keep")
		time.Sleep(time.Second)
		if _, _, known := a.skew(); known {
			t.Error("a room that is new was kept by somebody")
		}
		bob := b.enter("bob")
		w.settled(a, "ann", "bob")
		time.Sleep(time.Minute) // so that some answers come soon
		w.kill(a)
		w.settled(b, "bob")
		b.honest(65 * time.Millisecond)
		cat := c.enter("cat")
		bob.say("keep")
		time.Sleep(time.Minute) // as above: of the first answers none may be quick
		bob.Leave()
		w.settled(c, "cat")
		c.honest(time.Hour - 25*time.Millisecond)
		cat.say("wake")
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		c.journal.take()
		time.Sleep(200 * time.Millisecond)
		c.expect("wake") // by its own clock, which is an hour ahead
	})
}

func TestAClockThatIsSetIsMeasuredAnew(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var c clocks
	c.note("b", comparison{ahead: 5 * time.Millisecond, bound: time.Microsecond, measured: now})
	now = now.Add(time.Second)
	c.note("b", comparison{ahead: 6 * time.Millisecond, bound: 3 * time.Millisecond, measured: now}) // a slow answer
	if s, _ := c.skew("b", now); s.Ahead != 5*time.Millisecond || s.Bound != 101*time.Microsecond {
		t.Errorf("it is %+v", s)
	}
	c.note("b", comparison{ahead: time.Second, bound: 3 * time.Millisecond, measured: now})
	if s, _ := c.skew("b", now); s.Ahead != time.Second {
		t.Errorf("after it was set it is %+v", s)
	}
	c.ask(now.Add(maxAge + time.Second))
	if _, known := c.skew("b", now); known {
		t.Error("a clock is remembered that has not answered for long")
	}
}

// Whatever the roads are like, as long as clocks part by no more than they may.
func TestTheTruthIsWithinTheBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var c clocks
		start := time.Now()
		skew := time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "skew"))
		ppm := rapid.Int64Range(-maxDrift, maxDrift).Draw(t, "ppm")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		truth := func(at time.Duration) time.Duration { return skew + at*time.Duration(ppm)/1_000_000 }
		for at := time.Duration(0); at < 20*time.Second; at += time.Duration(random.Int64N(int64(3 * time.Second))) {
			there, back := time.Duration(random.ExpFloat64()*2e6), time.Duration(random.ExpFloat64()*2e6)
			trip := there + back
			theirs := at + there - truth(at+there)
			middle := at + trip - trip/2
			c.note("b", comparison{ahead: middle - theirs, bound: (trip + 1) / 2, measured: start.Add(at + trip)})
			later := at + trip + time.Duration(random.Int64N(int64(time.Second)))
			s, _ := c.skew("b", start.Add(later))
			if off := s.Ahead - truth(later); max(off, -off) > s.Bound+time.Microsecond {
				t.Fatalf("after %v: %v off, said was %v", later, off, s.Bound)
			}
		}
	})
}
