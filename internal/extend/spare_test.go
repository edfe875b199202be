package extend

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// opened returns how a node opened the room first, "" when it did not.
func (n *node) opened() string {
	for _, line := range n.journal.take() {
		if len(line) > 4 && line[:4] == "open" {
			return line
		}
	}
	return ""
}

// A class may be on one node with all its members, by chance or because the others
// were restarted one after another.
func TestARoomWithAllItsMembersOnOneNodeOutlivesIt(t *testing.T) {
	t.Parallel()
	for _, played := range []time.Duration{time.Second, 10 * time.Second, 5 * standardLinger} {
		for next := 1; next <= 2; next++ {
			several(t, func(w *web, a, _, _ *node) {
				a.enter("ann").say("keep")
				a.enter("bob")
				time.Sleep(played)
				w.kill(a)
				time.Sleep(3 * time.Second)
				o := w.nodes[next]
				o.enter("ann")
				w.settled(o, "ann")
				if got := o.opened(); got != `open {"n":1} true` {
					t.Errorf("after %v on %s: %q", played, o.name, got)
				}
			})
		}
	}
}

// However members come and go, and whichever two nodes do not hear each other for a
// while: no single loss makes a room begin anew.
func TestNoLossOfOneNodeMakesARoomBeginAnew(t *testing.T) {
	t.Parallel()
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) { lose(t, seed) })
	}
}

func lose(t *testing.T, seed uint64) {
	w := newWeb(t, seed, "a", "b", "c")
	defer w.end()
	random := rand.New(rand.NewPCG(seed, 2))
	upTo := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
	class := map[*node]*musician{}
	move := func(n *node) {
		switch class[n] {
		case nil:
			class[n] = n.enter(n.name)
		default:
			if len(class) > 1 {
				class[n].Leave()
				delete(class, n)
			}
		}
	}
	first := w.nodes[random.IntN(3)]
	move(first)
	class[first].say("keep")
	time.Sleep(2 * time.Second)
	for range 20 {
		at := random.IntN(3)
		n, o := w.nodes[at], w.nodes[(at+1)%3]
		switch random.IntN(4) {
		case 0:
			w.mu.Lock()
			w.cuts[[2]*node{n, o}] = true
			w.mu.Unlock()
			time.Sleep(time.Second)
			if random.IntN(2) == 0 {
				w.lose()
				time.Sleep(upTo(5 * time.Second))
			}
			w.heal()
		default:
			move(n)
		}
		time.Sleep(upTo(2 * standardLinger))
	}
	time.Sleep(2 * time.Second)
	for _, n := range w.nodes {
		delete(class, first)
		if first = n; class[n] != nil {
			break
		}
	}
	w.kill(first)
	for _, n := range w.nodes {
		if !n.dead && class[n] == nil {
			n.enter(n.name)
		}
	}
	time.Sleep(5 * time.Second)
	synctest.Wait()
	anew := 0
	for _, n := range w.nodes {
		for _, line := range n.journal.take() {
			if line == "open  false" {
				anew++
			}
		}
	}
	if anew != 1 { // the very first
		t.Errorf("seed %d: the room began %d times", seed, anew)
	}
}

// One node after another dies, and whoever was there goes to the next.
func TestARoomThatNodeAfterNodeLosesGoesOn(t *testing.T) {
	t.Parallel()
	several(t, func(w *web, a, b, c *node) {
		a.enter("ann").say("keep")
		time.Sleep(time.Second)
		w.kill(b) // it may have been the spare
		time.Sleep(2 * time.Second)
		w.kill(a)
		c.enter("ann")
		w.settled(c, "ann")
		if got := c.opened(); got != `open {"n":1} true` {
			t.Errorf("%q", got)
		}
	})
}

// A spare forgets a room when the others do.
func TestARoomThatEndedIsForgottenEverywhere(t *testing.T) {
	t.Parallel()
	several(t, func(w *web, a, b, c *node) {
		ann := a.enter("ann")
		ann.say("keep")
		time.Sleep(3 * standardLinger)
		ann.Leave()
		time.Sleep(standardLinger + 3*time.Second)
		synctest.Wait()
		for _, n := range w.nodes {
			if left := len(n.host.all()); left != 0 {
				t.Errorf("%s remembers %d rooms", n.name, left)
			}
		}
		b.enter("bob")
		w.settled(b, "bob")
		if got := b.opened(); got != "open  false" {
			t.Errorf("%q", got)
		}
	})
}

// A node that stops or is busy does not answer at once.
func TestAnOwnerAsksAgainWhatWasKept(t *testing.T) {
	t.Parallel()
	for unanswered := range 3 {
		several(t, func(w *web, a, b, c *node) {
			ann := a.enter("ann")
			ann.say("keep")
			time.Sleep(5 * time.Second)
			w.kill(a)
			time.Sleep(time.Second)
			w.mu.Lock()
			b.unheard = unanswered
			w.mu.Unlock()
			b.enter("bob")
			time.Sleep(10 * time.Second)
			c.enter("cat")
			w.settled(b, "bob", "cat")
			if got := b.opened(); got != `open {"n":1} true` {
				t.Errorf("%d questions unanswered: %q", unanswered, got)
			}
		})
	}
}

// An owner that has found nothing has nothing to say, in particular not to whoever
// would have had something.
func TestNothingDoesNotTakeThePlaceOfWhatWasKept(t *testing.T) {
	t.Parallel()
	several(t, func(w *web, a, b, c *node) {
		a.enter("ann").say("keep")
		time.Sleep(time.Second)
		b.enter("bob")
		time.Sleep(time.Second)
		c.enter("cat")
		w.settled(a, "ann", "bob", "cat")
		forgetful := b.host.all()[0]
		forgetful.mu.Lock()
		forgetful.kept = kept{}
		forgetful.mu.Unlock()
		w.mu.Lock()
		b.unheard = 3
		w.mu.Unlock()
		w.kill(a)
		w.settled(b, "bob", "cat")
		if got := b.opened(); got != "open  false" {
			t.Fatalf("the next owner knows what it cannot: %q", got)
		}
		w.kill(b)
		w.settled(c, "cat")
		if got := c.opened(); got != `open {"n":1} true` {
			t.Errorf("%q", got)
		}
	})
}
