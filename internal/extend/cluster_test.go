package extend

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// present returns who is in the room as the actor that plays now knows it.
func (n *node) present() []string {
	n.mu.Lock()
	if len(n.players) == 0 {
		n.mu.Unlock()
		return nil
	}
	p := n.players[len(n.players)-1]
	n.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.here))
}

func several(t *testing.T, test func(w *web, a, b, c *node)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWeb(t, 1, "a", "b", "c")
		defer w.end()
		test(w, w.nodes[0], w.nodes[1], w.nodes[2])
	})
}

// settled waits until the network is quiet, and compares who is in the room.
func (w *web) settled(owner *node, want ...string) {
	owner.t.Helper()
	time.Sleep(5 * time.Second)
	synctest.Wait()
	if all := w.owners(); len(all) != 1 || all[0] != owner {
		owner.t.Fatalf("%d nodes run the room", len(all))
	}
	if got := owner.present(); !slices.Equal(got, want) {
		owner.t.Fatalf("the actor knows %q, want %q", got, want)
	}
}

func TestMembersOfOtherNodesAreHeardAndTold(t *testing.T) {
	t.Parallel()
	several(t, func(w *web, a, b, c *node) {
		a.enter("ann")
		time.Sleep(time.Second)
		bob := b.enter("bob")
		cat := c.enter("cat")
		bob.say("echo") // before anybody knows who runs the room
		w.settled(a, "ann", "bob", "cat")
		if !slices.Equal(bob.heard, []string{`echo {"n":1}`}) {
			t.Errorf("bob heard %q", bob.heard)
		}
		eve := c.enter("unwanted")
		cat.Leave()
		w.settled(a, "ann", "bob")
		if eve.refused != "you are not wanted here" {
			t.Errorf("eve was told %q", eve.refused)
		}
	})
}

func TestARoomMovesWhenItsNodeHasNobodyInIt(t *testing.T) {
	t.Parallel()
	several(t, func(w *web, a, b, _ *node) {
		ann := a.enter("ann")
		time.Sleep(time.Second)
		bob := b.enter("bob")
		bob.say("keep")
		w.settled(a, "ann", "bob")
		ann.Leave()
		bob.say("echo")
		w.settled(b, "bob")
		if got := b.journal.take(); !slices.Equal(got, []string{`open {"n":1} false`, "join bob", "hear bob echo"}) &&
			!slices.Equal(got, []string{`open {"n":1} false`, "join bob"}) { // it was heard before the move
			t.Errorf("%q", got)
		}
	})
}

func TestARoomWhoseNodeStopsGoesOnWithWhatWasKept(t *testing.T) {
	t.Parallel()
	several(t, func(w *web, a, b, c *node) {
		ann := a.enter("ann")
		time.Sleep(time.Second)
		ann.say("keep")
		synctest.Wait()
		ann.Leave() // her client is hung up on
		time.Sleep(time.Second)
		a.stop()
		<-a.ended
		time.Sleep(time.Second)
		c.enter("ann")
		w.settled(c, "ann")
		if got := c.journal.take(); !slices.Equal(got, []string{`open {"n":1} false`, "join ann"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestARoomWhoseNodeIsLostGoesOnWithWhatWasCopied(t *testing.T) {
	t.Parallel()
	several(t, func(w *web, a, b, c *node) {
		a.enter("ann").say("keep")
		time.Sleep(time.Second)
		b.enter("bob")
		time.Sleep(time.Second)
		w.kill(a)
		c.enter("cat")
		w.settled(b, "bob", "cat")
		if got := b.journal.take(); len(got) == 0 || got[0] != `open {"n":1} true` {
			t.Errorf("%q", got)
		}
	})
}

func TestPartsOfANetworkGoOnAloneAndComeTogether(t *testing.T) {
	t.Parallel()
	several(t, func(w *web, a, b, c *node) {
		a.enter("ann")
		time.Sleep(time.Second)
		b.enter("bob")
		c.enter("cat")
		w.settled(a, "ann", "bob", "cat")
		w.part(a)
		time.Sleep(5 * time.Second)
		if got := a.present(); !slices.Equal(got, []string{"ann"}) {
			t.Errorf("on the one side is %q", got)
		}
		sides := w.owners()
		if len(sides) != 2 {
			t.Fatalf("%d nodes run the room", len(sides))
		}
		other := sides[1]
		if got := other.present(); !slices.Equal(got, []string{"bob", "cat"}) {
			t.Errorf("on the other side is %q", got)
		}
		w.heal()
		w.settled(other, "ann", "bob", "cat")
	})
}

// seeds is how many networks a test of a property tries.
const seeds = 60

func TestTheActorKnowsExactlyThoseWhoAreThere(t *testing.T) {
	t.Parallel()
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { wander(t, uint64(seed)) })
		})
	}
}

// wander does at random what happens to rooms, lets the network come to rest, and
// compares.
func wander(t *testing.T, seed uint64) {
	w := newWeb(t, seed, "a", "b", "c")
	defer w.end()
	random := rand.New(rand.NewPCG(seed, 2))
	w.mu.Lock()
	w.loss = []float64{0, 0.05, 0.3}[random.IntN(3)]
	w.mu.Unlock()
	crowd := map[*musician]*node{}
	names := map[*musician]string{}
	count := 0
	for range 60 {
		n := w.nodes[random.IntN(len(w.nodes))]
		switch k := random.IntN(20); {
		case n.dead:
		case k < 8:
			count++
			name := fmt.Sprintf("%03d", count)
			m := n.enter(name)
			crowd[m], names[m] = n, name
		case k < 13:
			for m := range crowd {
				if names[m] != "" {
					m.Leave()
					delete(crowd, m)
					break
				}
			}
		case k < 15:
			for m := range crowd {
				m.say([]string{"echo", "keep", "panic", "all"}[random.IntN(4)])
				break
			}
		case k == 15:
			w.part(n)
		case k == 16:
			w.heal()
		case k == 17 && random.IntN(3) == 0:
			w.kill(n)
			for m, at := range crowd {
				if at == n {
					delete(crowd, m)
				}
			}
		default:
			time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
		}
	}
	w.mu.Lock()
	w.loss = 0
	w.mu.Unlock()
	w.heal()
	time.Sleep(30 * time.Second)
	synctest.Wait()
	var want []string
	for m := range crowd {
		if m.refused == "" {
			want = append(want, names[m])
		}
	}
	slices.Sort(want)
	owners := w.owners()
	if len(want) == 0 {
		if len(owners) != 0 {
			t.Errorf("%d nodes run a room that nobody is in", len(owners))
		}
		return
	}
	if len(owners) != 1 {
		t.Fatalf("%d nodes run the room of %q", len(owners), want)
	}
	if got := owners[0].present(); !slices.Equal(got, want) {
		t.Errorf("the actor on %s knows %q, want %q\n%s", owners[0].name, got, want, w.dump())
	}
}
