package extend

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// copies returns the nodes other than the owner that have what was kept.
func (w *web) copies() (some []*node) {
	synctest.Wait()
	for _, n := range w.nodes {
		for _, r := range n.host.all() {
			r.mu.Lock()
			if r.tenure == nil && len(r.kept.state) > 0 {
				some = append(some, n)
			}
			r.mu.Unlock()
		}
	}
	return some
}

// forgets has a node know no room, as if it were new.
func (n *node) forgets() {
	n.host.mu.Lock()
	defer n.host.mu.Unlock()
	clear(n.host.rooms)
}

func TestARoomOfOneNodeHasOneSpare(t *testing.T) {
	t.Parallel()
	several(t, func(w *web, a, b, c *node) {
		a.enter("ann").say("keep")
		time.Sleep(200 * time.Millisecond)
		one := w.copies()
		if len(one) != 1 {
			t.Fatalf("%d other nodes have it after 0.2 s", len(one))
		}
		one[0].forgets() // it is killed and started again
		a.host.Lost(one[0].name)
		a.host.peers.met(one[0].name, time.Now())
		time.Sleep(3 * time.Second)
		if len(w.copies()) == 0 {
			t.Error("nobody has it after the spare was lost")
		}
		b.forgets()
		c.forgets() // a copy may be lost on its way
		time.Sleep(standardLinger)
		if got := len(w.copies()); got != 1 {
			t.Errorf("%d other nodes have it a minute later", got)
		}
	})
}

func TestASpareRemembersNoLongerThanTheRoomDoes(t *testing.T) {
	t.Parallel()
	for _, linger := range []time.Duration{0, 3 * time.Second, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := newWebOf(t, 1, func(w *web) {
				for _, n := range w.nodes {
					n.host.Extensions[0].Linger = func(any) time.Duration { return linger }
				}
			}, "a", "b", "c")
			defer w.end()
			a, b := w.nodes[0], w.nodes[1]
			ann := a.enter("ann")
			ann.say("keep")
			time.Sleep(time.Hour)
			if got := len(w.copies()); got != 1 {
				t.Errorf("linger %v: %d other nodes have it after an hour", linger, got)
			}
			ann.Leave()
			time.Sleep(linger + 1100*time.Millisecond) // a beat until it is looked after
			b.enter("bob")
			w.settled(b, "bob")
			if got := b.opened(); got != "open  false" {
				t.Errorf("linger %v: %q", linger, got)
			}
		})
	}
}

func TestSparesSpreadOverTheNodesThatAreThere(t *testing.T) {
	t.Parallel()
	var p peers
	now := time.Unix(1000, 0)
	if got := p.spare("room", now); got != "" {
		t.Errorf("alone: %q", got)
	}
	for i := range 4 {
		p.met(fmt.Sprint("old", i), now.Add(-2*recent))
		p.met(fmt.Sprint("node", i), now)
	}
	p.met("gone", now)
	p.lost("gone")
	count := map[string]int{}
	for i := range 400 {
		count[p.spare(fmt.Sprint("room", i), now)]++
	}
	for i := range 4 {
		if n := count[fmt.Sprint("node", i)]; n < 40 {
			t.Errorf("node%d is the spare of %d rooms of 400: %v", i, n, count)
		}
	}
	if len(count) != 4 {
		t.Errorf("spares are %v", count)
	}
}
