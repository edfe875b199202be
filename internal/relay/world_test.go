package relay

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/cluster"
)

// A world is nodes, what is between them, and a database with one slot.
type world struct {
	t    testing.TB
	seed uint64

	mu     sync.Mutex // guards all below
	rng    *rand.Rand
	nodes  []*node
	cut    map[[2]string]bool // from, to
	loss   int                // percent
	twice  int
	mixed  int // that overtake
	leases map[string]*simLease
	waits  []*simWait
	term   uint64
	slot   *simSlot
	losses bool // somebody may learn of a loss
	said   []string
	links  sync.WaitGroup
	keep   time.Duration
	ctx    context.Context // of the links
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), cut: map[[2]string]bool{}, leases: map[string]*simLease{},
	}
	w.slot = &simSlot{world: w, next: 1000}
	return w
}

func (w *world) note(format string, args ...any) {
	if w.t.Failed() {
		return // what led to it is what counts
	}
	w.said = append(w.said, fmt.Sprintf("%v ", time.Now().Format("04:05.000"))+fmt.Sprintf(format, args...))
}

// fail fails the test.
func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
}

func (w *world) luck(percent int) bool { return percent > 0 && w.rng.IntN(100) < percent }

func (w *world) random(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// locked calls f under the lock.
func (w *world) locked(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// hears reports whether what one node says reaches another. The lock is held.
func (w *world) hears(from, to *node) bool {
	return !from.dead && !to.dead && !w.cut[[2]string{from.name, to.name}]
}

// together reports whether two nodes hear each other, and can answer.
func (w *world) together(a, b *node) bool {
	return w.hears(a, b) && w.hears(b, a) && !a.frozen && !b.frozen
}

// A simBus is the bus of one life of a node.
type simBus struct{ n *node }

type mail struct {
	due     time.Time
	payload []byte
}

func (b simBus) Tell(to string, payload []byte) error {
	w := b.n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, other := range w.nodes {
		if other == b.n || to != "" && other.name != to || !w.hears(b.n, other) || w.luck(w.loss) {
			continue
		}
		copies := 1
		if w.luck(w.twice) {
			copies = 2
		}
		for range copies {
			b.n.links[other.name].put(mail{time.Now().Add(time.Millisecond + w.random(2*time.Millisecond)), payload}, w.luck(w.mixed))
		}
	}
	return nil
}

// A link carries mail from one node to another, in order, but for some.
type link struct {
	mu    sync.Mutex
	queue []mail
	bell  chan struct{}
}

func (l *link) put(m mail, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue = append(l.queue, m); first && len(l.queue) > 1 {
		slices.Reverse(l.queue[len(l.queue)-2:])
	}
	ring(l.bell)
}

func (l *link) take() (m mail, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return m, false
	}
	m, l.queue = l.queue[0], l.queue[1:]
	return m, true
}

func (w *world) carry(ctx context.Context, l *link, from, to string) {
	for {
		m, ok := l.take()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-l.bell:
			}
			continue
		}
		time.Sleep(time.Until(m.due))
		w.wake(ctx, from)
		w.wake(ctx, to)
		if n := w.node(to); n != nil {
			n.relay.Receive(from, m.payload)
		}
	}
}

// wake waits until a node does not stand still.
func (w *world) wake(ctx context.Context, name string) {
	for ctx.Err() == nil {
		frozen := false
		w.locked(func() {
			for _, n := range w.nodes {
				frozen = frozen || n.name == name && n.frozen
			}
		})
		if !frozen {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// node returns the life of a node that goes on.
func (w *world) node(name string) *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.nodes {
		if n.name == name && !n.dead {
			return n
		}
	}
	return nil
}

func (b simBus) Ask(ctx context.Context, payload []byte) (replies []cluster.Reply, silent []string, err error) {
	w := b.n.world
	var asked []*node
	w.locked(func() {
		for _, other := range w.nodes {
			switch {
			case other == b.n || b.n.knows[other.name] != other && (other.left || !w.together(b.n, other)):
			case w.together(b.n, other) && !w.luck(w.loss):
				asked = append(asked, other)
			default:
				silent = append(silent, other.name)
			}
		}
	})
	if len(silent) > 0 {
		<-ctx.Done()
	} else {
		time.Sleep(2 * time.Millisecond)
	}
	for _, other := range asked {
		answer, err := other.relay.Answer(ctx, b.n.name, payload)
		replies = append(replies, cluster.Reply{Node: other.name, Payload: answer, Err: err})
	}
	return replies, silent, nil
}

// A simLease is a lease of one life of a node.
type simLease struct {
	node  *node
	name  string
	term  uint64
	ctx   context.Context
	stop  context.CancelCauseFunc
	over  bool
	quiet time.Duration // the node was
}

func (l *simLease) Context() context.Context { return l.ctx }

func (l *simLease) Valid() bool {
	w := l.node.world
	w.mu.Lock()
	defer w.mu.Unlock()
	return !l.over
}

func (l *simLease) Release() {
	w := l.node.world
	w.locked(func() {
		if !l.node.dead || l.node.left {
			l.end(context.Canceled)
		}
	})
	w.grant()
}

// end takes the lease away. The lock is held.
func (l *simLease) end(why error) {
	l.over = true
	l.stop(why)
	if w := l.node.world; w.leases[l.node.name] == l {
		delete(w.leases, l.node.name)
	}
}

type simWait struct {
	node *node
	name string
	got  chan *simLease
}

func (b simBus) Hold(ctx context.Context, name string) (cluster.Right, uint64, error) {
	w := b.n.world
	wait := &simWait{b.n, name, make(chan *simLease, 1)}
	w.locked(func() { w.waits = append(w.waits, wait) })
	w.grant()
	select {
	case l := <-wait.got:
		return l, l.term, nil
	case <-ctx.Done():
	}
	w.locked(func() { w.waits = slices.DeleteFunc(w.waits, func(o *simWait) bool { return o == wait }) })
	select {
	case l := <-wait.got:
		l.Release()
	default:
	}
	return nil, 0, context.Cause(ctx)
}

// grant gives the lease to those that can have it: where nobody has it whom they
// hear. Those who do not hear an owner have one of their own.
func (w *world) grant() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rng.Shuffle(len(w.waits), func(i, j int) { w.waits[i], w.waits[j] = w.waits[j], w.waits[i] })
	w.waits = slices.DeleteFunc(w.waits, func(o *simWait) bool {
		n := o.node
		if n.dead || n.frozen {
			return false
		}
		for _, l := range w.leases {
			if l.node.dead || l.node.frozen {
				if !l.over || l.quiet < lostAfter {
					return false
				}
				continue
			}
			if since := n.silent[l.node]; l.node == n || since.IsZero() || time.Since(since) < lostAfter {
				return false
			}
		}
		w.term++
		l := &simLease{node: n, name: o.name, term: w.term}
		l.ctx, l.stop = context.WithCancelCause(context.Background())
		w.leases[n.name] = l
		o.got <- l
		w.note("%s owns under %d", n.name, l.term)
		return true
	})
}

// lostAfter is how long a node may be silent.
const lostAfter = 5 * time.Second

const look = 100 * time.Millisecond

// govern looks at leases and members as the cluster's room would.
func (w *world) govern(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(look)
		w.locked(func() {
			for _, l := range w.leases {
				switch {
				case l.node.dead || l.node.frozen:
					l.quiet += look
				case l.over:
					l.end(cluster.ErrLapsed)
				default:
					l.quiet = 0
				}
				if l.quiet >= lostAfter*6/10 {
					l.over = true // a node that stands still learns of it when it goes on
				}
				if l.node.dead && l.quiet >= lostAfter {
					l.end(cluster.ErrLapsed)
				}
				for _, other := range w.leases {
					if other.term > l.term && w.together(other.node, l.node) {
						w.note("%s loses its lease to %s", l.node.name, other.node.name)
						l.end(cluster.ErrLapsed)
					}
				}
			}
		})
		w.grant()
		w.members()
	}
}

// members tells nodes of each other.
func (w *world) members() {
	var tell []func()
	w.locked(func() {
		for _, n := range w.nodes {
			for _, other := range w.nodes {
				if n == other || n.dead || n.frozen || other.left && n.knows[other.name] != other {
					continue
				}
				if w.hears(other, n) && !other.frozen {
					n.silent[other] = time.Time{}
					if before := n.knows[other.name]; before != other {
						n.knows[other.name] = other
						if before != nil {
							tell = append(tell, func() { n.relay.Left(other.name) })
						}
						tell = append(tell, func() { n.relay.Joined(other.name, other.epoch) })
					}
					continue
				}
				if n.silent[other].IsZero() {
					n.silent[other] = time.Now()
				}
				if n.knows[other.name] == other && time.Since(n.silent[other]) >= lostAfter {
					delete(n.knows, other.name)
					tell = append(tell, func() { n.relay.Lost(other.name) })
				}
			}
		}
	})
	for _, f := range tell {
		f()
	}
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
