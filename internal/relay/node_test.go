package relay

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// A node is one life of a node, with one reader.
type node struct {
	world  *world
	name   string
	epoch  uint64
	relay  *Relay
	stream *Stream
	stop   context.CancelFunc
	done   sync.WaitGroup
	links  map[string]*link // to other nodes

	// Guarded by the world's lock.
	dead   bool
	left   bool // it said goodbye
	frozen bool
	slow   time.Duration // of its reader
	knows  map[string]*node
	silent map[*node]time.Time

	mu  sync.Mutex // guards all below, and what the node's feed knows
	got []event
}

// An event is a change that a reader got, or a state.
type event struct {
	commit uint64
	at     int
	end    uint64
	state  wal.State
}

var names = []string{"a", "b", "c"}

// start begins a life of a node.
func (w *world) start(name string) *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := &node{
		world: w, name: name, epoch: uint64(time.Now().UnixNano()), links: map[string]*link{},
		knows: map[string]*node{}, silent: map[*node]time.Time{},
	}
	n.relay = &Relay{Node: name, Epoch: n.epoch, Bus: simBus{n}, Log: quietLog(), Keep: w.keep, Window: 2000, Patience: time.Second}
	n.stream = n.relay.Open("acme", 7)
	n.stream.Deliver, n.stream.State = n.take, n.hear
	n.stream.Make = func(r Reading) Source {
		return &simFeed{Reading: r, slot: w.slot, node: n, table: &tutti.Table{OID: 1, Schema: "public", Name: "t", Columns: []tutti.Column{{Name: "id"}}}}
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	for _, other := range names {
		if other != name {
			l := &link{bell: make(chan struct{}, 1)}
			n.links[other] = l
			w.links.Go(func() { w.carry(w.ctx, l, name, other) })
		}
	}
	n.done.Go(func() { _ = n.relay.Run(ctx) })
	n.done.Go(func() {
		if err := n.stream.Run(ctx); ctx.Err() == nil {
			w.t.Errorf("seed %d: Run ended with %v", w.seed, err)
		}
	})
	w.nodes = append(w.nodes, n)
	w.note("%s starts", name)
	return n
}

// finish ends a life: by a crash, or with a goodbye.
func (w *world) finish(n *node, goodbye bool) {
	w.locked(func() {
		w.note("%s ends, goodbye %v", n.name, goodbye)
		n.dead, n.left, n.frozen = !goodbye, goodbye, false
	})
	n.stop()
	n.done.Wait()
	if !goodbye {
		return
	}
	n.stream.Close()
	time.Sleep(10 * time.Millisecond)
	var told []*node
	w.locked(func() {
		n.dead = true
		for _, other := range w.nodes {
			if !other.dead && other.knows[n.name] == n && !w.cut[[2]string{n.name, other.name}] {
				delete(other.knows, n.name)
				told = append(told, other)
			}
		}
	})
	for _, other := range told {
		other.relay.Left(n.name)
	}
}

// pause waits while the node stands still.
func (n *node) pause() { n.world.wake(n.world.ctx, n.name) }

func (n *node) take(ctx context.Context, tx tutti.Transaction) error {
	n.pause()
	var slow time.Duration
	n.world.locked(func() {
		if slow = n.slow; n.world.luck(5) {
			slow += n.world.random(20 * time.Millisecond)
		}
	})
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(slow):
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range tx.Changes {
		at, _ := strconv.Atoi(string(tx.Changes[i].New[0].Text))
		n.got = append(n.got, event{commit: tx.CommitLSN, at: at})
	}
	if tx.EndLSN != 0 {
		n.got = append(n.got, event{commit: tx.CommitLSN, end: tx.EndLSN})
		time.AfterFunc(slow+5*time.Millisecond, func() { n.stream.Confirm(tx.EndLSN) })
	}
	return nil
}

func (n *node) hear(s wal.State) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got = append(n.got, event{state: s})
	if l, ok := s.(wal.Lost); ok {
		n.world.locked(func() {
			n.world.note("%s is told of a loss from %d to %d", n.name, l.From, l.To)
			if !n.world.losses {
				n.world.t.Errorf("seed %d: %s is told of a loss", n.world.seed, n.name)
			}
		})
	}
}

// taken returns how far the reader has come.
func (n *node) taken() uint64 {
	n.stream.mu.Lock()
	defer n.stream.mu.Unlock()
	return n.stream.pos.reach()
}

// check compares what a reader got with the log. It returns what is wrong, and
// how many transactions are missing at the end.
func (n *node) check(log []commit) (wrong string, missing int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, next, begun := 0, 0, false // in the log, and in the transaction
	seek := func(lsn uint64) {
		at, next = 0, 0
		for at < len(log) && log[at].commit < lsn {
			at++
		}
	}
	for i, e := range n.got {
		switch s := e.state.(type) {
		case wal.Live:
			if !begun {
				begun = true
				seek(s.Since)
			}
			continue
		case wal.Lost:
			seek(s.To)
			continue
		case wal.State:
			continue
		}
		switch {
		case at == len(log) || e.commit != log[at].commit:
			return fmt.Sprintf("got %d, not what is next: %v", e.commit, n.got[max(0, i-6):i+1]), 0
		case e.end != 0 && next == log[at].changes:
			at, next = at+1, 0
		case e.end == 0 && e.at == next:
			next++
		default:
			return "got change " + strconv.Itoa(e.at) + " of " + strconv.FormatUint(e.commit, 10) + ", not " + strconv.Itoa(next), 0
		}
	}
	if !begun {
		return "", len(log)
	}
	return "", len(log) - at
}

func value(i int) []tutti.Value {
	return []tutti.Value{{Kind: tutti.Text, Text: strconv.AppendInt(nil, int64(i), 10)}}
}
