package extend

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/cluster"
)

// A room is what a node has of one: its own members, what was kept, and who runs
// it. The node itself does while it has a tenure.
type room struct {
	place
	host      *Host
	extension *tutti.Extension
	lease     string // its name
	log       *slog.Logger

	mu      sync.Mutex // guards all below
	over    bool       // it is no longer one of the host's
	running bool       // it has its goroutine
	stop    context.CancelFunc
	guests  map[string]*Seat // of this node, by their ids
	entered uint64           // guests so far
	tenant  func() *tutti.Tenant
	tenure  *tenure // nil: another node runs it, or nobody
	owner   string  // the node that does; "" for nobody known, and for this one
	term    uint64  // of that owner, or of this node's last tenure
	parting int     // beats for which the owner is told that nobody is here any more
	seq     uint64  // of the last change of guests that the owner was told
	pending []occurrence
	flights []flight
	flown   uint64 // the number of the last
	kept    kept
	expires time.Time // of what was kept, while there are no guests
}

// kept is what an actor kept. Of two the one with the greater term and version is
// the newer.
type kept struct {
	state   []byte
	term    uint64
	version uint64
	final   bool   // the actor was closed in order after it
	keeper  string // the clock of the node that kept it; "" for not known
}

func (k *kept) newer(than *kept) bool {
	return k.term > than.term || k.term == than.term && k.version > than.version
}

// partingBeats is for how many beats a follower that has lost its last guest sees to
// it that the owner knows.
const partingBeats = 5

// maxPending is how many events wait on a node that does not know the owner.
const maxPending = 256

func newRoom(h *Host, p place, e *tutti.Extension) *room {
	return &room{
		place: p, host: h, extension: e, lease: p.lease(),
		guests: map[string]*Seat{},
		// Above those of a room that was here before and forgotten.
		seq: uint64(time.Now().UnixNano()), flown: uint64(time.Now().UnixNano()),
		log: h.Log.With("tenant", p.topic.Tenant, "topic", p.topic.Name, "extension", p.key),
	}
}

// lease returns the name of the lease of a room.
func (p *place) lease() string {
	kind := "public/" // no tenant's id has a slash, so that no two rooms share a name
	if p.topic.Private {
		kind = "private/"
	}
	return cluster.LeaseName("ext/" + p.key + "/" + kind + p.topic.Tenant + "/" + p.topic.Wire())
}

// A Guest is a channel that becomes a member of a room. Its functions are called on
// its event loop.
type Guest struct {
	tutti.Member // without its ID
	Loop         int
	// Hear takes what the member alone is sent.
	Hear func(event string, payload []byte)
	// Refuse ends the channel for a reason.
	Refuse func(reason string)
}

// A Seat is the place of a channel in a room. Its methods are called on the
// channel's event loop.
type Seat struct {
	room  *room
	guest Guest
	self  *tutti.Member // as Instant is shown it: the loop's alone

	// What follows is guarded by the room's lock.
	member tutti.Member
	order  uint64 // in which guests came
	gone   bool
}

// Enter makes a channel a member of the room that its topic is; nil when it is
// none. The tenant's handle says what it is like now. It does not block.
func (h *Host) Enter(t *tutti.Tenant, now func() *tutti.Tenant, topic tutti.Topic, g Guest) *Seat {
	e := h.match(t, topic)
	if e == nil {
		return nil
	}
	g.ID = h.newID()
	g.Join = withoutTokens(g.Join)
	self := g.Member
	s := &Seat{guest: g, self: &self, member: g.Member}
	for {
		s.room = h.room(place{e.Key, topic}, e)
		if s.room.enter(s, now) {
			return s
		}
	}
}

// enter takes a guest in. It reports false for a room that has ended.
func (r *room) enter(s *Seat, now func() *tutti.Tenant) bool {
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return false
	}
	r.tenant = now
	r.entered++
	s.order = r.entered
	r.guests[s.member.ID] = s
	r.changed(change{id: s.member.ID, member: s.member, joins: true}, s)
	launch := !r.running
	r.running = true
	r.mu.Unlock()
	if launch {
		r.host.launch(r)
	}
	return true
}

// A change is a member of one node that comes, has other claims, or goes.
type change struct {
	id     string
	member tutti.Member // unless it goes
	joins  bool         // or has other claims
}

// changed tells whoever runs the room of a change among the guests. The lock is
// held.
func (r *room) changed(c change, s *Seat) {
	r.seq++
	switch {
	case r.tenure != nil:
		r.tenure.change(r.host.Node, c, s)
	case r.owner != "":
		r.tell(r.owner, appendChange(r.message(msgChange, r.term), r.seq, c))
	}
}

// Leave takes the channel out of its room. It may be called more than once.
func (s *Seat) Leave() {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(s)
}

// remove is Leave. The lock is held.
func (r *room) remove(s *Seat) {
	if s.gone {
		return
	}
	s.gone = true
	delete(r.guests, s.member.ID)
	r.changed(change{id: s.member.ID}, s)
	if len(r.guests) == 0 && r.stop != nil {
		r.stop()
	}
}

// Renew gives the member the claims of another token.
func (s *Seat) Renew(claims tutti.Claims) {
	self := *s.self
	self.Claims = claims
	s.self = &self
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.gone {
		return
	}
	s.member.Claims = claims
	r.changed(change{id: s.member.ID, member: s.member, joins: true}, s)
}

// Hears reports whether an event is for the room's actor.
func (s *Seat) Hears(event string) (yes bool) {
	e := s.room.extension
	if e.Events == nil {
		return false
	}
	defer s.room.host.rescue(e)
	return e.Events(event)
}

// Answer answers an event at once, if the extension can. At is when its bytes were
// read. It keeps nothing.
func (s *Seat) Answer(name string, payload []byte, at time.Time) (event string, answer []byte, ok bool) {
	e := s.room.extension
	if e.Instant == nil {
		return "", nil, false
	}
	defer s.room.host.rescue(e)
	return e.Instant(&tutti.Event{Member: s.self, Name: name, Payload: payload, At: at}, at)
}

// An occurrence is an event of a member on its way to the actor.
type occurrence struct {
	id      string
	name    string
	payload []byte
	at      time.Time

	node   string // from which it came, with its number there; "" for this one
	number uint64
}

// Hear brings an event to the room's actor, wherever that is. It keeps payload,
// which must be a JSON object. An event that cannot get there is answered with
// tutti.ExtensionError.
func (s *Seat) Hear(name string, payload []byte, at time.Time) {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.gone {
		return
	}
	o := occurrence{id: s.member.ID, name: name, payload: payload, at: at}
	switch {
	case r.tenure != nil:
		r.tenure.hear(o)
	case r.owner != "":
		r.send(o)
	default:
		r.wait(o)
	}
}

// The reasons for which an event does not reach its actor.
var (
	overloaded = &tutti.Error{Code: tutti.ExtensionOverloaded, Reason: "the room has too much to do, please send less"}
	nowhere    = &tutti.Error{Code: tutti.ExtensionUnavailable, Reason: "the room cannot be reached for now, please try again"}
)

// deny tells a guest that an event got nowhere. The lock is held.
func (r *room) deny(s *Seat, event string, why *tutti.Error) {
	r.post(s, func() { s.guest.Hear(tutti.ExtensionError, broadcast.Denial(event, why)) })
}

// post calls f on the guest's loop, once, unless it is gone by then.
func (r *room) post(s *Seat, f func()) {
	done := false
	r.host.Loops[s.guest.Loop].Post(1, 0, func() {
		if done { // it panicked, and is called again
			return
		}
		done = true
		r.mu.Lock()
		gone := s.gone
		r.mu.Unlock()
		if !gone {
			f()
		}
	})
}

// inOrder returns the guests as they came. The lock is held.
func (r *room) inOrder() []*Seat {
	return slices.SortedFunc(maps.Values(r.guests), func(a, b *Seat) int { return cmp.Compare(a.order, b.order) })
}

// refuse ends the channel of a guest for a reason. The lock is held.
func (r *room) refuse(s *Seat, why string) {
	r.post(s, func() { s.guest.Refuse(why) })
}

// refuseAll ends the channels of all guests of this node.
func (r *room) refuseAll(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.guests {
		r.refuse(s, why.Error())
	}
}

// live is the room's goroutine, as long as it has guests.
func (r *room) live(ctx context.Context) {
	for {
		holding, ok := r.begin(ctx)
		if !ok {
			return
		}
		if abandoned := r.hold(holding); abandoned {
			return // another goroutine has taken over
		}
	}
}

// begin returns what ends when the last guest goes, and false when that was so: then
// the goroutine is to end.
func (r *room) begin(ctx context.Context) (context.Context, bool) {
	linger := r.host.linger(r.extension, r.currentTenant())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
	if len(r.guests) == 0 || ctx.Err() != nil {
		r.running = false
		r.pending, r.flights, r.parting = nil, nil, partingBeats
		r.expires = time.Now().Add(linger)
		return nil, false
	}
	ctx, r.stop = context.WithCancel(ctx)
	return ctx, true
}

// currentTenant returns the tenant as it is, nil when that is not known.
func (r *room) currentTenant() *tutti.Tenant {
	r.mu.Lock()
	now := r.tenant
	r.mu.Unlock()
	if now == nil {
		return nil
	}
	return now()
}

// hold waits until this node may run the room, and does. It reports whether its
// goroutine was abandoned meanwhile.
func (r *room) hold(ctx context.Context) (abandoned bool) {
	r.seek()
	lease, term, err := r.host.Bus.Hold(ctx, r.lease)
	if err != nil {
		if ctx.Err() == nil {
			r.log.Warn("a room could not be owned", "err", err)
			pause(ctx, beat)
		}
		return false
	}
	t := newTenure(r, lease, term)
	return t.serve(ctx)
}

// pause waits for a while, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// retire ends a room that nobody is in and that remembers nothing. Host.mu is held:
// the one exception to the order of locks, and nothing is called under both.
func (r *room) retire() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running || len(r.guests) > 0 || r.parting > 0 && r.owner != "" || time.Now().Before(r.expires) {
		return false
	}
	r.over = true
	return true
}
