package limit

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A step is what happens to one of the nodes, and how long it is until the next.
type step struct {
	node, enter, leave int
	crash, restart     bool
	wait               time.Duration
}

// A story is drawn first and played then, in a bubble.
type story struct {
	nodes, max, loss int
	delay            time.Duration
	seed             uint64
	steps            []step
}

func drawStory(t *rapid.T, rough bool) story {
	s := story{
		nodes: rapid.IntRange(2, 4).Draw(t, "nodes"),
		max:   rapid.IntRange(1, 200).Draw(t, "max"),
		delay: time.Duration(rapid.IntRange(0, 60).Draw(t, "delay")) * time.Millisecond,
		seed:  rapid.Uint64().Draw(t, "seed"),
	}
	if rough {
		s.loss = rapid.IntRange(0, 60).Draw(t, "loss")
	}
	s.steps = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		chance := 0
		if rough {
			chance = rapid.IntRange(0, 20).Draw(t, "chance")
		}
		return step{
			node:  rapid.IntRange(0, s.nodes-1).Draw(t, "node"),
			enter: rapid.IntRange(0, 60).Draw(t, "enter"),
			leave: rapid.IntRange(0, 30).Draw(t, "leave"),
			crash: chance == 20, restart: chance >= 15,
			wait: time.Duration(rapid.SampledFrom([]int{0, 1, 5, 20, 50, 300, 2000}).Draw(t, "wait")) * time.Millisecond,
		}
	}), 1, 40).Draw(t, "steps")
	return s
}

// play returns what was wrong.
func (s *story) play(t *testing.T, look func(*network, *node) error) (wrong error) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t, s.nodes, s.delay, s.seed)
		defer w.end()
		w.lose(s.loss)
		for _, now := range s.steps {
			n := w.nodes[now.node]
			switch {
			case !n.up && now.restart:
				n.start(t.Context())
				n.meet(time.Second)
			case n.up && now.crash:
				n.crash(time.Second)
			case n.up:
				if wrong = s.act(w, n, now, look); wrong != nil {
					return
				}
			}
			w.pass(now.wait)
		}
		w.lose(0)
		w.pass(time.Second + (roundEvery+1)*time.Second + s.delay + time.Nanosecond*time.Duration(len(s.steps)))
		for _, n := range w.nodes {
			if n.up && n.t.ClusterUsers() != w.users() {
				wrong = fmt.Errorf("at last %s sees %d users, there are %d", n.name, n.t.ClusterUsers(), w.users())
			}
		}
	})
	return wrong
}

func (s *story) act(w *network, n *node, now step, look func(*network, *node) error) error {
	for range now.leave {
		if n.t.Users() > 0 {
			n.t.LeaveUser()
		}
	}
	for range now.enter {
		if n.enter(1, s.max) == 1 {
			if err := look(w, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestUsersAreOverMaxByWhatOthersLetInSinceTheirLastTelling(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawStory(r, false)
		wrong := s.play(t, func(w *network, n *node) error {
			often, soon := time.Now().Add(-usersEvery-s.delay), time.Now().Add(-soonest-s.delay)
			unheard := 0
			for _, other := range w.nodes {
				if other != n {
					// The message that is told as soon as many have come waits a
					// nanosecond when another is under way.
					unheard += min(other.since(often.Add(-100)), s.max/many+other.since(soon.Add(-100)))
				}
			}
			if users := w.users(); users > s.max+unheard {
				return fmt.Errorf("%d users, of at most %d and %d unheard", users, s.max, unheard)
			}
			return nil
		})
		if wrong != nil {
			r.Fatal(wrong)
		}
	})
}

func TestUsersAreRightAfterLossesAndCrashes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawStory(r, true)
		wrong := s.play(t, func(w *network, n *node) error {
			unheard := 0
			for _, other := range w.nodes {
				if other != n && other.up {
					unheard += other.since(n.hears(other))
				}
			}
			if users := w.users(); users > s.max+unheard {
				return fmt.Errorf("%d users, of at most %d and %d unheard", users, s.max, unheard)
			}
			return nil
		})
		if wrong != nil {
			r.Fatal(wrong)
		}
	})
}

func TestRatesAreThoseOfTheLastTicks(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		nodes := rapid.IntRange(2, 4).Draw(r, "nodes")
		delay := time.Duration(rapid.IntRange(0, 900).Draw(r, "delay")) * time.Millisecond
		seed := rapid.Uint64().Draw(r, "seed")
		adds := rapid.SliceOfN(rapid.IntRange(0, 5000), 10, 90).Draw(r, "adds")
		wait := time.Duration(rapid.IntRange(0, 2000).Draw(r, "wait")) * time.Millisecond
		var wrong error
		synctest.Test(t, func(t *testing.T) {
			w := newNetwork(t, nodes, delay, seed)
			defer w.end()
			for i, n := range adds {
				w.nodes[i%nodes].t.Events.Add(i, int64(n))
				w.pass(wait)
				if wrong = w.ratesHold(delay); wrong != nil {
					return
				}
			}
			w.nodes[0].crash(0)
			wrong = w.ratesHold(delay)
		})
		if wrong != nil {
			r.Fatal(wrong)
		}
	})
}

// ratesHold lets the longest delay pass and compares each average to those of
// the nodes before and after.
func (w *network) ratesHold(delay time.Duration) error {
	before := w.rates()
	w.pass(delay + time.Microsecond)
	least, most := 0.0, 0.0
	for i, after := range w.rates() {
		least, most = least+min(before[i], after), most+max(before[i], after)
	}
	rounding := float64(len(w.nodes)) / rateUnit / 2
	for _, n := range w.nodes {
		if got := n.t.Events.Average(); n.up && (got < least-rounding || got > most+rounding) {
			return fmt.Errorf("%s has an average of %v, want %v to %v", n.name, got, least, most)
		}
	}
	return nil
}

func (w *network) rates() []float64 {
	rates := make([]float64, len(w.nodes))
	for i, n := range w.nodes {
		if n.up {
			rates[i] = n.t.Events.Local()
		}
	}
	return rates
}

func TestAStampedeOnThreeNodes(t *testing.T) {
	const most, delay = 300, 2 * time.Millisecond
	for name, tt := range map[string]struct {
		each  int           // sockets that come to a node at once
		every time.Duration // then
		want  int           // users at most
	}{
		"all at the same moment":              {1000, time.Second, 3 * most},
		"ten each millisecond on each node":   {10, time.Millisecond, most + 2*(10*(22+1)+most/many)},
		"one each millisecond on each node":   {1, time.Millisecond, most + 2*(1*(22+1))},
		"one each ten milliseconds each node": {1, 10 * time.Millisecond, most + 2*3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newNetwork(t, 3, delay, 1)
				defer w.end()
				for waiting := 1500; waiting > 0; waiting -= tt.each {
					for _, n := range w.nodes {
						n.enter(tt.each, most)
					}
					w.pass(tt.every)
				}
				users := w.users()
				if users < most || users > tt.want {
					t.Errorf("%d users, want %d to %d", users, most, tt.want)
				}
				t.Logf("%d users of %d, %.0f%%", users, most, math.Round(100*float64(users)/most))
			})
		})
	}
}
