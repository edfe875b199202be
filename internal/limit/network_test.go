package limit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A network is some nodes in virtual time that tell each other late, in order
// and not always. It must be used in a bubble.
type network struct {
	delay time.Duration // the longest
	nodes []*node

	mu   sync.Mutex // guards all below, and what is marked so in a node
	luck *rand.Rand
	loss int // percent
}

// A node is one of them, in all its lives.
type node struct {
	*network
	name    string
	m       *Meters
	t       *Tenant
	stop    context.CancelFunc
	ended   chan struct{}
	entered []time.Time // users, of this life

	up      bool                 // guarded
	lives   int                  // guarded
	arrive  map[string]time.Time // guarded; by sender: when the last message comes
	heard   map[string]time.Time // guarded; by sender: when the last one that came was sent
	happens map[string]time.Time // guarded; by node: when the last event comes
	strange map[string]bool      // guarded; by node: it is said to be gone
}

func newNetwork(t *testing.T, nodes int, delay time.Duration, seed uint64) *network {
	w := &network{luck: rand.New(rand.NewPCG(seed, 0)), delay: delay}
	for i := range nodes {
		n := &node{network: w, name: fmt.Sprint("node", i), arrive: map[string]time.Time{}, happens: map[string]time.Time{}}
		w.nodes = append(w.nodes, n)
		n.start(t.Context())
	}
	for _, n := range w.nodes {
		n.meet(0)
	}
	return w
}

// start begins a life of a node.
func (n *node) start(ctx context.Context) {
	ctx, n.stop = context.WithCancel(ctx)
	n.ended, n.entered = make(chan struct{}), nil
	n.mu.Lock()
	n.up, n.heard, n.strange = true, map[string]time.Time{}, map[string]bool{}
	n.lives++
	life, m := n.lives, &Meters{}
	n.mu.Unlock()
	m.Tell = func(to string, message []byte) error { n.post(life, to, message); return nil }
	n.m, n.t = m, m.Of("acme")
	ended := n.ended
	go func() {
		defer close(ended)
		_ = m.Run(ctx)
	}()
	synctest.Wait()
}

// meet has a node and all that are up see each other within a time.
func (n *node) meet(within time.Duration) {
	for _, other := range n.nodes {
		if other != n && other.up {
			n.later(n, other.name, within, func() { n.meets(other) })
			n.later(other, n.name, within, func() { other.meets(n) })
		}
	}
}

func (n *node) meets(other *node) {
	n.mu.Lock()
	n.strange[other.name] = false
	n.mu.Unlock()
	n.m.Joined(other.name)
}

// parts makes a node forget what it heard.
func (n *node) parts(other *node) {
	n.m.Left(other.name)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.strange[other.name] = true
	delete(n.heard, other.name)
}

// crash ends a life. Others are told that within a time.
func (n *node) crash(within time.Duration) {
	n.end()
	for _, other := range n.nodes {
		if other != n && other.up {
			n.later(other, n.name, within, func() { other.parts(n) })
		}
	}
}

func (n *node) end() {
	if n.up {
		n.stop()
		<-n.ended
		n.mu.Lock()
		n.up = false
		n.mu.Unlock()
	}
}

func (w *network) end() {
	for _, n := range w.nodes {
		n.end()
	}
	time.Sleep(time.Minute) // what is on its way
	synctest.Wait()
}

// later has a node hear about another within a time, if it still lives.
func (w *network) later(n *node, about string, within time.Duration, do func()) {
	if within == 0 {
		do()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	life := n.lives
	// What happens to a member is told in order.
	at := time.Now().Add(time.Duration(w.luck.Int64N(int64(within))))
	if last := n.happens[about]; !at.After(last) {
		at = last.Add(1)
	}
	n.happens[about] = at
	time.AfterFunc(time.Until(at), func() {
		if n.lived(life) {
			do()
		}
	})
}

// lived reports whether a node is in that life of its.
func (n *node) lived(life int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.up && n.lives == life
}

// post sends a message on its way.
func (n *node) post(life int, to string, message []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sent := time.Now()
	for _, other := range n.nodes {
		if other == n || to != "" && to != other.name || n.luck.IntN(100) < n.loss {
			continue
		}
		at := sent.Add(time.Duration(n.luck.Int64N(int64(n.delay) + 1)))
		if last := other.arrive[n.name]; !at.After(last) {
			at = last.Add(1)
		}
		other.arrive[n.name] = at
		theirs := other.lives
		time.AfterFunc(at.Sub(sent), func() {
			if other.lived(theirs) {
				_ = other.m.Receive(n.name, message)
				other.note(n, life, sent, message)
			}
		})
	}
}

// note notes when a message that says something was sent.
func (n *node) note(from *node, life int, sent time.Time, message []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if message[2]&flagAsk == 0 && life == from.lives && !n.strange[from.name] {
		n.heard[from.name] = sent
	}
}

// hears returns when the last message that came from a node was sent.
func (n *node) hears(from *node) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.heard[from.name]
}

// lose sets how many percent are lost.
func (w *network) lose(percent int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loss = percent
}

// pass lets time pass in all of the network.
func (w *network) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// users returns how many there are on all nodes.
func (w *network) users() (all int) {
	for _, n := range w.nodes {
		if n.up {
			all += n.t.Users()
		}
	}
	return all
}

// enter lets users in and returns how many it were.
func (n *node) enter(count, most int) (let int) {
	for range count {
		if n.t.EnterUser(most) {
			n.entered = append(n.entered, time.Now())
			let++
		}
	}
	return let
}

// since returns how many entered not before a moment.
func (n *node) since(moment time.Time) (count int) {
	for _, at := range n.entered {
		if !at.Before(moment) {
			count++
		}
	}
	return count
}
