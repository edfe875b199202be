// Package relay lets the nodes of a cluster share one replication stream of a
// tenant's database. One node owns it, which a lease says, reads the slot, and
// hands all that comes to the nodes that follow; each takes exactly what it has
// not had. internal/feed reads a Stream as it would a wal.Feed, internal/app lends
// it the bus.
//
// It owns one goroutine besides that of Relay.Run for what asks other nodes, and
// for each Stream that runs two: one that waits for the lease, and one that sends
// while the node is the owner.
//
// # What is kept
//
// For readers of a node that stays up no change is lost and none comes twice,
// whoever owns the stream meanwhile. Each node knows its position, down to the
// change within a transaction, and leaves out what it has had. The slot stands
// where all of them are at least: the database is told of no position before all
// have confirmed it. So whoever opens the slot anew, at where it stands, brings
// everything that anybody lacks. That is the whole repair, whatever was lost on
// the way: a follower that misses something says where it is, and the owner reads
// again from there (a rewind).
//
// A node that is missing, or so slow that it was left behind, holds the slot for
// Keep. A new owner does not know where a missing node is, and confirms nothing as
// long. Beyond that the node learns that changes were lost, as it does when the
// slot was gone.
//
// # Who may read the slot
//
// Leases of both sides of a parted network may be held at once, and a node that
// stood still may not know that its own has lapsed. So the term of the lease
// stands in the name of the connection that reads the slot: the later puts the
// earlier out (internal/wal). What an owner that was put out still has to hand on
// is right all the same: it is what the log says, and everybody compares it with
// his position.
package relay

import (
	"context"
	"hash/fnv"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
)

// A Relay is the streams that a node shares with others. Its exported fields are
// set before it is used and not changed; those that say so have a standard.
type Relay struct {
	Node  string // this node's name
	Epoch uint64 // tells this life of the node from others, as cluster.Member has it
	Bus   cluster.Link
	Log   *slog.Logger

	// Keep is how long the database keeps its log for a node that is missing or
	// was left behind; 2 minutes.
	Keep time.Duration
	// Window is how many bytes may be on their way to a follower; 4 MB.
	Window int
	// Patience is how long the others wait for a follower whose window is full,
	// before it is left behind; 2 seconds.
	Patience time.Duration

	mu      sync.Mutex // guards all below; a Stream's may be held while it is taken
	streams map[line]*Stream
	heard   map[string]time.Time // nodes
	present map[string]uint64    // nodes, and their epochs
	missing map[string]absence
	left    map[string]uint64 // the last epoch that a node has ended
	dirty   map[*Stream]bool  // with acks to send
	bell    chan struct{}     // rings when there are some
	asking  chan struct{}     // rings when others are to be asked
	counts  counts
}

// An absence is a node that fell silent.
type absence struct {
	epoch uint64
	since time.Time
}

const (
	standardKeep     = 2 * time.Minute
	standardWindow   = 4 << 20
	standardPatience = 2 * time.Second
)

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (r *Relay) keep() time.Duration     { return or(r.Keep, standardKeep) }
func (r *Relay) window() int             { return or(r.Window, standardWindow) }
func (r *Relay) patience() time.Duration { return or(r.Patience, standardPatience) }

// begin makes what is needed. The lock is held.
func (r *Relay) begin() {
	if r.streams == nil {
		r.streams, r.dirty = map[line]*Stream{}, map[*Stream]bool{}
		r.heard, r.present = map[string]time.Time{}, map[string]uint64{}
		r.missing, r.left = map[string]absence{}, map[string]uint64{}
		r.bell, r.asking = make(chan struct{}, 1), make(chan struct{}, 1)
	}
}

func (r *Relay) bells() (acks, asks chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
	return r.bell, r.asking
}

// ring fills a bell that holds one.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// beat is how often an owner is heard by those who follow it, and how often
// everything is looked after.
const beat = time.Second

// Run sends what nodes tell each other of their streams, until the context ends.
// Streams run while it does. It returns the context's cause.
func (r *Relay) Run(ctx context.Context) error {
	acks, _ := r.bells()
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	asking.Go(func() { r.askAgain(ctx) })
	pulse := time.NewTicker(beat)
	defer pulse.Stop()
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-acks:
			if due == nil {
				due = time.After(ackEvery)
			}
		case <-due:
			due = nil
			r.sendAcks()
		case <-pulse.C:
			r.tick(time.Now())
		}
	}
}

// all returns the streams.
func (r *Relay) all() []*Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*Stream, 0, len(r.streams))
	for _, s := range r.streams {
		all = append(all, s)
	}
	return all
}

func (r *Relay) stream(l line) *Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.streams[l]
}

// tick looks after all streams, and lets the followers of this node's know that
// it lives.
func (r *Relay) tick(now time.Time) {
	r.mu.Lock()
	missing := len(r.missing) > 0
	r.mu.Unlock()
	if missing { // who has just come may not have heard it
		_ = r.Bus.Tell("", appendGaps([]byte{kindGaps}, r.gaps(now)))
	}
	beats := map[string][]note{}
	unsure := false
	for _, s := range r.all() {
		unsure = s.tick(now, beats) || unsure
	}
	for node, notes := range beats {
		for len(notes) > notesAtOnce {
			_ = r.Bus.Tell(node, notesOf(kindBeat, notes[:notesAtOnce]...))
			notes = notes[notesAtOnce:]
		}
		_ = r.Bus.Tell(node, notesOf(kindBeat, notes...)) // the next says it again
	}
	if unsure {
		_, asks := r.bells()
		ring(asks)
	}
	r.sendAcks()
}

// ackEvery is how long acks wait for each other, notesAtOnce how many are one
// message.
const (
	ackEvery    = 50 * time.Millisecond
	notesAtOnce = 1000
)

// mark says that a stream has something to acknowledge. The stream's lock may be
// held.
func (r *Relay) mark(s *Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
	r.dirty[s] = true
	ring(r.bell)
}

func (r *Relay) sendAcks() {
	r.mu.Lock()
	dirty := r.dirty
	r.dirty = map[*Stream]bool{}
	r.mu.Unlock()
	acks := map[string][]note{}
	for s := range dirty {
		if node, n, ok := s.ack(); ok {
			acks[node] = append(acks[node], n)
		}
	}
	for node, notes := range acks {
		for len(notes) > 0 {
			n := min(len(notes), notesAtOnce)
			_ = r.Bus.Tell(node, notesOf(kindAcks, notes[:n]...)) // they are sent again now and then
			notes = notes[n:]
		}
	}
}

// Owner returns the node that owns a tenant's stream, as far as this one knows;
// "" when it does not.
func (r *Relay) Owner(tenant string) string {
	for _, s := range r.all() {
		if s.line.tenant == tenant {
			if node := s.owned(); node != "" {
				return node
			}
		}
	}
	return ""
}

// Key returns what stands for a database and a slot in it: streams of nodes are
// one when it is the same.
func Key(d *tutti.Database, slot string) uint64 {
	h := fnv.New64a()
	for _, part := range []string{d.Host, strconv.Itoa(int(d.Port)), d.Name, d.Publication, slot, strconv.FormatBool(d.Temporary)} {
		_, _ = h.Write(appendText(nil, part))
	}
	return h.Sum64()
}
