//go:build linux

package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/load"
)

// dearest is how much longer a broadcast may take to another node, at the median.
const dearest = time.Millisecond

// A broadcast goes to a client of the sender's node and to one of another node;
// the same messages are compared, on a cluster that does nothing else.
func TestBroadcastToAnotherNodeIsAsFast(t *testing.T) {
	s := newStage(t, plan{})
	sender := s.invite(1, wish{}, a)[0].session()
	near := s.invite(1, wish{}, a)[0].session()
	far := s.invite(1, wish{}, b)[0].session()
	// It is a moment until the sender's node knows that the other one listens.
	s.await("broadcasts arrive", patience, func() bool {
		_ = s.say(t.Context(), sender)
		return len(s.delays(far, 0)) > 0
	})
	best := time.Hour
	for round := range 5 {
		from := s.talk.count()
		s.sayMany(sender, 300)
		s.await("all have arrived", patience, func() bool {
			return len(s.delays(near, from)) == 300 && len(s.delays(far, from)) == 300
		})
		x, y := s.delays(near, from), s.delays(far, from)
		best = min(best, quantile(y, 50)-quantile(x, 50))
		t.Logf("round %d: on one node p50 %v p99 %v, to another node p50 %v p99 %v; p50 %v more",
			round+1, quantile(x, 50), quantile(x, 99), quantile(y, 50), quantile(y, 99), quantile(y, 50)-quantile(x, 50))
	}
	// The best of some rounds: whatever else this machine does makes it worse.
	if best > dearest {
		t.Errorf("a broadcast to another node costs %v more at the median, and may cost %v", best, dearest)
	}
}

// sayMany sends broadcasts at a rate that keeps nobody busy.
func (s *stage) sayMany(c *session, n int) {
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for range n {
		<-tick.C
		if err := s.say(s.Context(), c); err != nil {
			s.Fatal(err)
		}
	}
}

func (l *talk) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// delays returns how long broadcasts after a number took to a session, by length.
func (s *stage) delays(c *session, after int64) (all []time.Duration) {
	s.talk.mu.Lock()
	defer s.talk.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.words {
		if w.ID > after {
			all = append(all, w.At.Sub(s.talk.said[w.ID].at))
		}
	}
	slices.Sort(all)
	return all
}

// quantile returns the value that so many percent are not longer than.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*percent/100].Round(time.Microsecond)
}

// Commits reach clients of the node that reads the log, and those of the others.
func TestChangesToAnotherNodeAreAsFast(t *testing.T) {
	needPostgreSQL(t)
	s := newStage(t, plan{})
	all := s.invite(1, wish{rows: true}, a, b, c)
	stop := s.writer.start(t)
	s.pass(300 * time.Millisecond)
	from := time.Now()
	s.pass(either(2*time.Second, 10*time.Second))
	to := time.Now()
	stop()
	s.close()
	owner := s.mustRead()
	for _, g := range all {
		d := s.ledger.Latencies(g.session().hearing().Rows, from, to)
		role := "follower"
		if g.session().node == owner {
			role = "owner"
		}
		t.Logf("from commit to a client of the %s (node %v): p50 %v p99 %v of %d rows", role, g.session().node, quantile(d, 50), quantile(d, 99), len(d))
		if p50 := quantile(d, 50); p50 > 50*time.Millisecond {
			t.Errorf("the median of node %v is %v", g.session().node, p50)
		}
	}
}

// Rooms that have nothing to do with each other, as many on each of three nodes
// as on one that is alone.
func TestDisjointTopicsOnThreeNodes(t *testing.T) {
	single := newStage(t, plan{yard: newProxies(t), alone: true})
	s := newStage(t, plan{yard: newProxies(t)})
	var alone, one, three throughput
	// In turn, and the better of two: the writes to sockets, which are most of the
	// work, cost twice as much while something else keeps the machine busy.
	for range 2 {
		alone.better(single.disjoint(a))
		one.better(s.disjoint(a))
		three.better(s.disjoint(a, b, c))
	}
	t.Logf("a node that is alone:  %v", alone)
	t.Logf("one node of a cluster: %v", one)
	t.Logf("three nodes of it:     %v", three)
	if lost := alone.lost + one.lost + three.lost; lost > 0 {
		t.Errorf("%d broadcasts were lost", lost)
	}
	// What does not concern the other nodes costs little more, and nothing there.
	if one.micros > 2*alone.micros {
		t.Errorf("a delivery costs %.2f µs of processor in a cluster, and %.2f alone", one.micros, alone.micros)
	}
}

// A throughput is what some nodes did.
type throughput struct {
	deliveries int
	lost       int
	perSecond  float64
	micros     float64 // of the nodes' processor, for each delivery, beyond what they use when nothing happens
	idle       float64 // processors that they use then
}

// better keeps the cheaper of two, and what was lost of both.
func (s *throughput) better(o throughput) {
	o.lost += s.lost
	if s.deliveries == 0 || o.micros < s.micros {
		*s = o
	}
	s.lost = o.lost
}

// String writes them.
func (s throughput) String() string {
	return fmt.Sprintf("%d deliveries, %.0f a second, lost %d; %.2f µs of processor each, and %.2f processors idle", s.deliveries, s.perSecond, s.lost, s.micros, s.idle)
}

// disjoint plays rooms on nodes at once, the same number on each.
func (s *stage) disjoint(at ...place) (sum throughput) {
	s.Helper()
	var wg sync.WaitGroup
	reports := make([]*load.Report, len(at))
	idle := s.idle()
	before, began := s.busy(), time.Now()
	for i, p := range at {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
			defer cancel()
			command := load.Command{
				Kind: load.Rooms, URL: "http://" + s.nodes[p].http, Key: token(s.T, "anon", ""),
				Rooms: 8, Members: 10, Rate: 10, Duration: either(1500*time.Millisecond, 10*time.Second),
			}
			var err error
			if reports[i], err = command.Measure(ctx); err != nil {
				s.Error(err)
			}
		})
	}
	wg.Wait()
	spent := s.busy() - before - time.Duration(idle*float64(time.Since(began)))
	for _, r := range reports {
		if r == nil || r.Messages == nil {
			s.Fatal("there is no report")
		}
		sum.deliveries += r.Messages.Deliveries
		sum.lost += r.Messages.Lost
		sum.perSecond += r.Messages.PerSecond
	}
	sum.idle = idle
	sum.micros = float64(spent.Microseconds()) / float64(sum.deliveries)
	return sum
}

// idle returns how many processors all nodes use while nothing happens.
func (s *stage) idle() float64 {
	s.Helper()
	before, began := s.busy(), time.Now()
	s.pass(500 * time.Millisecond)
	return float64(s.busy()-before) / float64(time.Since(began))
}

// busy returns the processor time that all nodes have used.
func (s *stage) busy() (sum time.Duration) {
	s.Helper()
	for _, n := range s.nodes {
		if n != nil {
			sum += n.processor(s.T)
		}
	}
	return sum
}
