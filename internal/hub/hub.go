// Package hub knows who on this node listens to a topic, and hands each of them
// the messages that arrive. internal/app feeds it, internal/channel listens,
// internal/socket lends it the event loops on which listeners live.
//
// A topic's listeners are kept apart by event loop: each loop walks its own, so
// a delivery takes no lock. The hub owns no goroutine and never blocks.
package hub

import (
	"hash/maphash"
	"math/bits"
	"sync"

	"github.com/tutti-realtime/tutti"
)

// MaxLoops is how many event loops a hub can tell apart.
const MaxLoops = 64

// A Loop is where the listeners of one shard live. Its methods never block.
type Loop interface {
	// Enqueue makes the loop call Shard.Deliver soon.
	Enqueue(*Message)
	// Post makes the loop call f soon, which sends as many frames as deliveries
	// says; bytes are held until then. When a client panics f is called again, to
	// go on behind it. It reports false when the loop has been stopped, and f will
	// not be called.
	Post(deliveries, bytes int, f func()) bool
}

// A Hub hands messages to the loops that have listeners for them.
type Hub struct {
	// Wanted is told on a loop that it has its first listener for a topic, or that its last one has left: as
	// often no as yes. It does not block. Nil: nobody is told. It is set before the
	// first listener comes.
	Wanted func(t tutti.Topic, yes bool)

	seed   maphash.Seed
	loops  []Loop
	shards []*Shard
	wanted [64]wanted
}

// wanted is a part of the knowledge of which loops want which topic.
type wanted struct {
	mu    sync.RWMutex // guards loops; nothing is called under it
	loops map[tutti.Topic]uint64
}

// New returns a hub for these loops, MaxLoops at most. It starts nothing.
func New(loops []Loop) *Hub {
	h := &Hub{seed: maphash.MakeSeed(), loops: loops}
	for i := range h.wanted {
		h.wanted[i].loops = make(map[tutti.Topic]uint64)
	}
	for i := range loops {
		h.shards = append(h.shards, &Shard{hub: h, index: i, rooms: make(map[tutti.Topic]*room), crowds: make(map[string]*group)})
	}
	return h
}

// Shard returns the listeners of loop i. Only that loop may use it.
func (h *Hub) Shard(i int) *Shard { return h.shards[i] }

// Deliver queues a message on every loop that has listeners for it. It never
// blocks. Messages of one caller keep their order.
func (h *Hub) Deliver(m tutti.Message) {
	loops := h.want(m.Topic)
	if loops == 0 {
		return
	}
	msg := &Message{Message: m}
	for ; loops != 0; loops &= loops - 1 {
		h.loops[bits.TrailingZeros64(loops)].Enqueue(msg)
	}
}

func (h *Hub) part(t tutti.Topic) *wanted {
	return &h.wanted[maphash.Comparable(h.seed, t)%uint64(len(h.wanted))]
}

func (h *Hub) want(t tutti.Topic) uint64 {
	w := h.part(t)
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.loops[t]
}

// setWanted says whether loop i has listeners for a topic.
func (h *Hub) setWanted(t tutti.Topic, i int, yes bool) {
	h.note(t, i, yes)
	if h.Wanted != nil {
		h.Wanted(t, yes)
	}
}

func (h *Hub) note(t tutti.Topic, i int, yes bool) {
	w := h.part(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	loops := w.loops[t]
	if yes {
		loops |= 1 << i
	} else {
		loops &^= 1 << i
	}
	if loops == 0 {
		delete(w.loops, t)
		return
	}
	w.loops[t] = loops
}

// Topics returns how many topics have a listener on this node.
func (h *Hub) Topics() int {
	n := 0
	for i := range h.wanted {
		w := &h.wanted[i]
		w.mu.RLock()
		n += len(w.loops)
		w.mu.RUnlock()
	}
	return n
}
