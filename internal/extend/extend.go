// Package extend is the host of extensions: it knows which tenant has which with
// what settings, and runs the actors of their rooms. internal/channel brings
// members and events (Host.Enter), internal/app lends it the bus, the event loops
// and the databases. What goes wrong in a room stays there.
//
// # Rooms
//
// A room is run by one node: the one that holds its lease. Each node with members
// of the room waits for that, so that another is there when the owner goes. Members
// on other nodes are told to the owner (follow.go), which hears them as its own;
// what the actor keeps is copied to their nodes, or to a spare where there are none
// (spare.go). A node without members gives the room away, or closes it where nobody
// has any, and remembers what it kept for a while. Whatever a message between nodes
// says holds under the term of a lease only: one of an earlier owner counts for
// nothing.
//
// # Goroutines
//
// A node has one for each room with members: it waits for the lease, and then is
// the actor's. One that is in a call for too long is left behind, counted, and
// another takes its place; the abandoned one can do nothing any more. What Room.Go
// runs has goroutines of its own, four at a time for each room. Host.Run awaits all
// but the abandoned.
//
// # Locks
//
// Host.mu guards which rooms there are, room.mu all of a room. Under the latter only
// queues are filled: those of the bus, of event loops and of the clock. Neither is
// held while the other is taken, and nothing of an extension is called under any.
package extend

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
)

// A Loop is an event loop, on which members live. hub.Loop is one.
type Loop interface {
	Post(deliveries, bytes int, f func()) bool
}

// Databases is where rooms get the databases of their tenants from.
type Databases interface {
	// Of returns the database of a tenant, which always is the one that the tenant
	// has now; nil when it has none.
	Of(tenant func() *tutti.Tenant) tutti.ExtensionDatabase
	// Prepare sees to it that the migrations of an extension have run. It blocks. An
	// error is for clients when there is a *tutti.Error in it, and has been logged.
	Prepare(ctx context.Context, t *tutti.Tenant, e *tutti.Extension) error
}

// A Host runs the rooms of a node. Its exported fields are set before it is used
// and not changed; those that say so have a standard.
type Host struct {
	Extensions []tutti.Extension
	Node       string // its name
	Epoch      uint64 // of its start
	Bus        cluster.Link
	Loops      []Loop // by their numbers
	Log        *slog.Logger

	// Publish sends a message to all in its topic, and counts it.
	Publish func(*tutti.Tenant, tutti.Message) error
	// Presence returns who is present in a topic, as a JSON object.
	Presence func(tutti.Topic) []byte
	// Databases may be nil: no tenant has one.
	Databases Databases

	// Portable does without what only some systems have: rooms may wake a millisecond
	// late.
	Portable bool

	Now   func() time.Time // the clock of the node, with Go's reading of time that only grows; time.Now
	Stall time.Duration    // a call of an actor that takes longer is left behind; 5 s
	Storm int              // failures in a row after which a room is closed; 8

	catalog catalog
	alarms  alarms
	crew    crew
	clocks  clocks
	peers   peers
	lastID  atomic.Uint64
	panics  atomic.Int64
	stalls  atomic.Int64
	forged  forgeries

	mu    sync.Mutex // guards all below
	ctx   context.Context
	start time.Time // from which calls of actors are timed
	over  bool
	rooms map[place]*room
	fresh []*room // entered before Run
}

const (
	standardStall  = 5 * time.Second
	standardStorm  = 8
	standardLinger = time.Minute
)

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// now returns what time it is by the clock that rooms are shown.
func (h *Host) now() time.Time {
	if h.Now == nil {
		return time.Now()
	}
	return h.Now()
}

func (h *Host) stall() time.Duration { return or(h.Stall, standardStall) }
func (h *Host) storm() int           { return or(h.Storm, standardStorm) }

// A place is what tells rooms apart.
type place struct {
	key   string // of the extension
	topic tutti.Topic
}

// beat is how often rooms are looked after, and followers tell their owner how far
// they are.
const beat = time.Second

// Run runs rooms until ctx ends, and closes them then: other nodes are given what
// they kept. It returns when all goroutines have ended that are not abandoned.
func (h *Host) Run(ctx context.Context) error {
	if len(h.Extensions) == 0 {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	h.alarms.coarse, h.alarms.now = h.Portable, h.Now
	fresh := h.begin(ctx)
	var below sync.WaitGroup
	below.Go(func() { h.alarms.run(running) })
	below.Go(func() { h.look(running) })
	for _, r := range fresh {
		h.crew.start(func() { r.live(ctx) })
	}
	pulse := time.NewTicker(beat)
	defer pulse.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-pulse.C:
			h.tick(time.Now())
		}
	}
	h.end()
	h.crew.wait()
	h.bequeath()
	stop()
	below.Wait()
	return context.Cause(ctx)
}

// begin lets rooms run, and returns those that have members already.
func (h *Host) begin(ctx context.Context) (fresh []*room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ctx, h.start = ctx, time.Now()
	fresh, h.fresh = h.fresh, nil
	return fresh
}

func (h *Host) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
}

// launch runs a room, if the host does, or as soon as it will.
func (h *Host) launch(r *room) {
	h.mu.Lock()
	ctx := h.ctx
	if ctx == nil {
		h.fresh = append(h.fresh, r)
	}
	over := h.over
	h.mu.Unlock()
	if ctx != nil && !over {
		h.crew.start(func() { r.live(ctx) })
	}
}

// room returns the room of a place, a new one where there is none.
func (h *Host) room(p place, e *tutti.Extension) *room {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[p]
	if r == nil {
		if h.rooms == nil {
			h.rooms = map[place]*room{}
		}
		r = newRoom(h, p, e)
		h.rooms[p] = r
	}
	return r
}

// find returns the room of a place, nil where there is none.
func (h *Host) find(p place) *room {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[p]
}

// all returns the rooms.
func (h *Host) all() []*room {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*room, 0, len(h.rooms))
	for _, r := range h.rooms {
		all = append(all, r)
	}
	return all
}

// forget drops a room that has ended for good.
func (h *Host) forget(r *room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rooms[r.place] == r && r.retire() {
		delete(h.rooms, r.place)
	}
}

// extension returns the one with a key, nil if there is none.
func (h *Host) extension(key string) *tutti.Extension {
	for i := range h.Extensions {
		if h.Extensions[i].Key == key {
			return &h.Extensions[i]
		}
	}
	return nil
}

// newID returns a name for a member that no other has in the cluster.
func (h *Host) newID() string {
	return strconv.FormatUint(h.Epoch, 36) + "-" + h.Node + "-" + strconv.FormatUint(h.lastID.Add(1), 36)
}

// Stats is what a host does, as of now.
type Stats struct {
	Rooms     int   // that this node runs
	Members   int   // on this node
	Panics    int64 // since the start
	Stalls    int64 // since the start
	Abandoned int   // goroutines that were left behind and have not ended yet
}

// Stats returns the numbers.
func (h *Host) Stats() Stats {
	s := Stats{Panics: h.panics.Load(), Stalls: h.stalls.Load(), Abandoned: h.crew.abandoned()}
	for _, r := range h.all() {
		r.mu.Lock()
		if r.tenure != nil {
			s.Rooms++
		}
		s.Members += len(r.guests)
		r.mu.Unlock()
	}
	return s
}
