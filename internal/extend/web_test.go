package extend

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti/internal/cluster"
)

// A web is a network of nodes in virtual time, which delays, loses and parts.
type web struct {
	mu       sync.Mutex
	random   *rand.Rand
	loss     float64 // of what is told
	nodes    []*node
	cuts     map[[2]*node]bool
	term     uint64
	held     []*right
	waiting  []*wish
	pipes    map[[2]*node]chan []byte
	over     bool
	carrying sync.WaitGroup
}

// A node is one of a web.
type node struct {
	*stage
	web  *web
	name string
	dead bool

	unheard int // its questions that nobody will hear; the web's lock guards it
}

// A right is a lease.
type right struct {
	web    *web
	node   *node
	name   string
	term   uint64
	ctx    context.Context
	cancel context.CancelFunc
}

func (r *right) Context() context.Context { return r.ctx }
func (r *right) Valid() bool              { return r.ctx.Err() == nil }

func (r *right) Release() {
	r.cancel()
	r.web.mu.Lock()
	defer r.web.mu.Unlock()
	r.web.settle()
}

type wish struct {
	node *node
	name string
	got  chan *right
}

// connected reports whether two nodes hear each other. The lock is held.
func (w *web) connected(a, b *node) bool {
	return a == b && !a.dead || !a.dead && !b.dead && !w.cuts[[2]*node{a, b}] && !w.cuts[[2]*node{b, a}]
}

// near reports whether two nodes hear each other, or another node hears both. The lock
// is held.
func (w *web) near(a, b *node) bool {
	return slices.ContainsFunc(w.nodes, func(o *node) bool { return w.connected(a, o) && w.connected(o, b) })
}

// settle lets each part of the network have one owner of each name. The lock is
// held.
func (w *web) settle() {
	w.held = slices.DeleteFunc(w.held, func(r *right) bool { return r.ctx.Err() != nil })
	for _, r := range w.held {
		for _, o := range w.held {
			if r.name == o.name && r.term < o.term && w.connected(r.node, o.node) {
				r.cancel()
			}
		}
	}
	w.waiting = slices.DeleteFunc(w.waiting, func(x *wish) bool {
		for _, r := range w.held {
			if r.name == x.name && r.ctx.Err() == nil && w.near(r.node, x.node) {
				return false
			}
		}
		w.term++
		r := &right{web: w, node: x.node, name: x.name, term: w.term}
		r.ctx, r.cancel = context.WithCancel(context.Background())
		w.held = append(w.held, r)
		x.got <- r
		return true
	})
}

// Hold implements Bus.
func (n *node) Hold(ctx context.Context, name string) (cluster.Right, uint64, error) {
	w := n.web
	x := &wish{n, name, make(chan *right, 1)}
	w.mu.Lock()
	w.waiting = append(w.waiting, x)
	w.settle()
	w.mu.Unlock()
	select {
	case r := <-x.got:
		return r, r.term, nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	w.waiting = slices.DeleteFunc(w.waiting, func(o *wish) bool { return o == x })
	w.mu.Unlock()
	select {
	case r := <-x.got:
		r.Release()
	default:
	}
	return nil, 0, context.Cause(ctx)
}

// Tell implements Bus.
func (n *node) Tell(to string, payload []byte) error {
	w := n.web
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.nodes {
		if w.over || o == n || to != "" && to != o.name || w.random.Float64() < w.loss {
			continue
		}
		select {
		case w.pipes[[2]*node{n, o}] <- payload:
		default: // it is full: the message is lost
		}
	}
	return nil
}

// carry hands on what one node tells another, in order.
func (w *web) carry(from, to *node, pipe chan []byte) {
	for payload := range pipe {
		w.mu.Lock()
		wait := time.Duration(w.random.IntN(20)) * time.Millisecond
		w.mu.Unlock()
		time.Sleep(wait)
		w.mu.Lock()
		heard := w.connected(from, to)
		w.mu.Unlock()
		if heard {
			if err := to.host.Receive(from.name, payload); err != nil {
				to.journal.say("%v", err)
			}
		}
	}
}

// Ask implements Bus.
func (n *node) Ask(ctx context.Context, payload []byte) (replies []cluster.Reply, silent []string, err error) {
	w := n.web
	w.mu.Lock()
	mute := n.unheard > 0
	if mute {
		n.unheard--
	}
	w.mu.Unlock()
	for _, o := range w.nodes {
		if o == n {
			continue
		}
		w.mu.Lock()
		heard := !mute && w.connected(n, o) && w.random.Float64() >= w.loss
		w.mu.Unlock()
		if !heard {
			silent = append(silent, o.name)
			continue
		}
		answer, err := o.host.Answer(ctx, n.name, payload)
		replies = append(replies, cluster.Reply{Node: o.name, Payload: answer, Err: err})
	}
	if len(silent) > 0 {
		<-ctx.Done()
	}
	return replies, silent, nil
}

// newWeb returns nodes that run.
func newWeb(t testT, seed uint64, names ...string) *web {
	return newWebOf(t, seed, func(*web) {}, names...)
}

// newWebOf is newWeb for nodes that something is done with before they run.
func newWebOf(t testT, seed uint64, prepare func(*web), names ...string) *web {
	w := &web{random: rand.New(rand.NewPCG(seed, 1)), cuts: map[[2]*node]bool{}, pipes: map[[2]*node]chan []byte{}}
	for _, name := range names {
		n := &node{web: w, name: name}
		n.stage = newStage(t, name, n)
		w.nodes = append(w.nodes, n)
	}
	prepare(w)
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if a != b {
				pipe := make(chan []byte, 1000)
				w.pipes[[2]*node{a, b}] = pipe
				w.carrying.Go(func() { w.carry(a, b, pipe) })
			}
		}
		a.run()
	}
	return w
}

// end stops all nodes.
func (w *web) end() {
	for _, n := range w.nodes {
		n.end()
	}
	w.mu.Lock()
	w.over = true
	for _, pipe := range w.pipes {
		close(pipe)
	}
	for _, r := range w.held {
		r.cancel()
	}
	w.mu.Unlock()
	w.carrying.Wait()
	synctest.Wait()
}

// part cuts some nodes off from the others, who lose them after a while.
func (w *web) part(some ...*node) {
	w.mu.Lock()
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if slices.Contains(some, a) != slices.Contains(some, b) {
				w.cuts[[2]*node{a, b}] = true
			}
		}
	}
	w.mu.Unlock()
	time.Sleep(time.Second)
	w.lose()
}

// lose tells nodes whom they do not hear.
func (w *web) lose() {
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			w.mu.Lock()
			lost := a != b && !a.dead && !w.connected(a, b)
			w.mu.Unlock()
			if lost {
				a.host.Lost(b.name)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
}

// heal puts the network together again.
func (w *web) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cuts)
	w.settle()
}

// kill ends a node without a word: nobody hears it ever again.
func (w *web) kill(n *node) {
	w.mu.Lock()
	n.dead = true
	for _, r := range w.held {
		if r.node == n {
			r.cancel()
		}
	}
	w.mu.Unlock()
	time.Sleep(time.Second)
	w.lose()
}

// owners returns the nodes that run the room "band", among those that live.
func (w *web) owners() (all []*node) {
	for _, n := range w.nodes {
		if !n.dead && n.host.Stats().Rooms > 0 {
			all = append(all, n)
		}
	}
	return all
}
