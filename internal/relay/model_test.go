package relay

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(postmastertest.With(m)) }

var (
	seeds = flag.Int("seeds", 15, "how many worlds the model is tried in")
	seed  = flag.Uint64("seed", 0, "the only one to try")
)

// Whatever happens to nodes and to what they say to each other: each reader that
// lives gets every commit once, in order, and is told of a loss only when there
// may be one.
func TestNothingIsLostAndNothingComesTwice(t *testing.T) {
	t.Parallel()
	try(t, time.Hour, storm)
}

// Where the slot goes, or nodes are away for longer than Keep, there are losses;
// those that are told of one get every commit behind it.
func TestLossesAreTold(t *testing.T) {
	t.Parallel()
	try(t, 3*time.Second, func(w *world) {
		w.losses = true
		storm(w)
	})
}

func try(t *testing.T, keep time.Duration, play func(*world)) {
	first, last := uint64(1), uint64(*seeds)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	for n := first; n <= last; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, n)
				w.keep = keep
				var end context.CancelFunc
				w.ctx, end = context.WithCancel(context.Background())
				for _, name := range names {
					w.start(name)
				}
				w.links.Go(func() { w.govern(w.ctx) })
				defer func() {
					if t.Failed() {
						w.locked(func() { t.Log(strings.Join(w.said[max(0, len(w.said)-60):], "\n")) })
					}
					w.heal()
					for _, n := range w.living() {
						w.finish(n, true)
					}
					end()
					w.links.Wait()
				}()
				play(w)
				w.settle()
			})
		})
	}
}

func (w *world) living() (all []*node) {
	w.locked(func() {
		for _, n := range w.nodes {
			if !n.dead {
				all = append(all, n)
			}
		}
	})
	return all
}

// storm writes for a while in which all kinds of things happen.
func storm(w *world) {
	time.Sleep(time.Second)
	for range 12 {
		w.befall()
		var rest time.Duration
		w.locked(func() { rest = 300*time.Millisecond + w.random(4*time.Second) })
		w.writeFor(rest)
	}
}

// befall makes one thing happen.
func (w *world) befall() {
	all := w.living()
	var what int
	var n, other *node
	w.locked(func() {
		what = w.rng.IntN(11)
		n, other = all[w.rng.IntN(len(all))], all[w.rng.IntN(len(all))]
	})
	switch what {
	case 0, 1:
		w.finish(n, what == 0)
		w.writeFor(50 * time.Millisecond)
		w.start(n.name)
		for _, other := range all {
			together := false
			w.locked(func() { together = other != n && w.together(w.nodes[len(w.nodes)-1], other) })
			if together {
				return
			}
		}
		w.heal() // one that starts and hears nobody knows of nobody
	case 2, 3:
		w.locked(func() {
			w.note("%s stands still", n.name)
			n.frozen = true
		})
	case 4, 5, 6:
		w.locked(func() {
			w.note("%s is not heard by %s", n.name, other.name)
			w.cut[[2]string{n.name, other.name}] = true
			if what < 6 {
				w.cut[[2]string{other.name, n.name}] = true
			}
		})
	case 7:
		w.locked(func() {
			w.loss, w.twice, w.mixed = w.rng.IntN(20), w.rng.IntN(20), w.rng.IntN(20)
			w.note("lost %d, doubled %d, mixed %d percent", w.loss, w.twice, w.mixed)
		})
	case 8:
		w.locked(func() {
			n.slow = w.random(100 * time.Millisecond)
			w.note("%s is slow by %v", n.name, n.slow)
		})
	case 9:
		w.heal()
	case 10:
		w.locked(func() {
			w.note("the connection breaks")
			w.slot.reader = nil
			if w.losses && w.luck(50) {
				w.note("the slot is dropped")
				w.slot.made = false
			}
		})
	}
}

// heal mends all that is broken.
func (w *world) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("all is well")
	clear(w.cut)
	w.loss, w.twice, w.mixed = 0, 0, 0
	for _, n := range w.nodes {
		n.frozen, n.slow = false, 0
	}
}

func (w *world) writeFor(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		var pause time.Duration
		w.locked(func() {
			changes := 1 + w.rng.IntN(4)
			if w.luck(3) {
				changes = 40
			}
			w.slot.write(changes)
			pause = w.random(60 * time.Millisecond)
		})
		time.Sleep(pause)
	}
}

// settle waits until all have got everything.
func (w *world) settle() {
	w.heal()
	w.writeFor(2 * time.Second)
	deadline := time.Now().Add(2 * time.Minute)
	for {
		var log []commit
		w.locked(func() { log = w.slot.log })
		total := 0
		for _, n := range w.living() {
			wrong, missing := n.check(log)
			if wrong != "" {
				w.fail("%s %s", n.name, wrong)
			}
			total += missing
		}
		if total == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, n := range w.living() {
				n.stream.mu.Lock()
				w.locked(func() {
					w.note("%s: owner %v, from %q, term %d, behind %v, at %+v", n.name, n.stream.owner != nil, n.stream.from, n.stream.term, n.stream.behind, n.stream.pos)
				})
				n.stream.mu.Unlock()
			}
			w.fail("%d transactions have not come", total)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
