package extend

import (
	"context"
	"log/slog"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/cluster"
)

// A tenure is this node's time as the owner of a room. All but what says otherwise
// is guarded by the room's lock; lives come one after another.
type tenure struct {
	room  *room
	lease cluster.Right
	term  uint64
	bell  chan struct{} // rings when there is something to do

	members map[string]*member
	known   []*member // whose join was heard, in that order
	nodes   map[string]*follower
	queue   []item
	events  int // in the queue
	bytes   int // of these
	wake    bool
	due     time.Time // when the actor wants to be woken; zero for never
	alarm   alarm
	current *life // nil while there is none

	version uint64 // of what was kept last
	restore kept   // what the next life is given
	lost    bool   // by a node that was lost
	stale   bool   // followers have not had the last
	copied  time.Time
	spare   string        // who was given it as well; "" for nobody
	linger  time.Duration // how long it is remembered after the room

	failures int // lives that ended badly, in a row
}

// A member is one of a room, wherever it is connected.
type member struct {
	data    tutti.Member
	node    string
	seat    *Seat // nil on another node
	refused bool  // nothing more is heard of it
	known   bool
}

// An itemKind says what an actor is to be told.
type itemKind uint8

const (
	itemJoin itemKind = iota
	itemLeave
	itemRenew
	itemEvent
	itemThen  // what Room.Go returned
	itemFault // a panic in it
)

type item struct {
	kind   itemKind
	member *member
	claims tutti.Claims
	event  occurrence
	life   *life // of then and fault
	then   func()
	fault  any
}

// How many events may wait for an actor, and what they may weigh in bytes; a single
// one always may.
const (
	maxEvents = 1024
	maxBytes  = 4 << 20
)

func newTenure(r *room, lease cluster.Right, term uint64) *tenure {
	t := &tenure{
		room: r, lease: lease, term: term, bell: make(chan struct{}, 1),
		members: map[string]*member{}, nodes: map[string]*follower{},
	}
	t.alarm.ring = t.awake
	return t
}

// serve runs the room until ctx ends or the lease lapses, and gives it away. It
// reports whether its goroutine was abandoned.
func (t *tenure) serve(ctx context.Context) (abandoned bool) {
	r := t.room
	linger := r.host.linger(r.extension, r.currentTenant())
	r.mu.Lock()
	t.linger = linger
	r.tenure, r.owner, r.term = t, "", t.term
	t.restore = r.kept
	for _, s := range r.inOrder() {
		t.change(r.host.Node, change{id: s.member.ID, member: s.member, joins: true}, s)
	}
	for _, o := range r.pending {
		t.hear(o)
	}
	r.pending = nil
	r.mu.Unlock()
	t.claim(ctx)
	return t.resume(ctx)
}

// resume is serve from where an abandoned goroutine was.
func (t *tenure) resume(ctx context.Context) (abandoned bool) {
	if t.drive(ctx) {
		return true
	}
	t.end()
	t.lease.Release()
	return false
}

// over reports whether the room is to be given away.
func (t *tenure) over(ctx context.Context) bool {
	return ctx.Err() != nil || t.lease.Context().Err() != nil
}

// drive lets one actor live after another. It reports whether its goroutine was
// abandoned.
func (t *tenure) drive(ctx context.Context) (abandoned bool) {
	for !t.over(ctx) {
		if !t.occupied() {
			t.await(ctx, long) // for the last that was refused to go
			continue
		}
		switch t.live(ctx) {
		case abandonedLife:
			return true
		case endedLife:
			return false
		case failedLife:
			t.recover(ctx)
		}
	}
	return false
}

// occupied reports whether there are members, or will be.
func (t *tenure) occupied() bool {
	t.room.mu.Lock()
	defer t.room.mu.Unlock()
	return len(t.members) > 0
}

// The pauses between a life that ended badly and the next.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
	// peace is how long an actor must have lived for its failure to count as the
	// first.
	peace = 30 * time.Second
)

// recover waits before the next life. After a storm of failures it closes the room.
func (t *tenure) recover(ctx context.Context) {
	r := t.room
	r.mu.Lock()
	failures := t.failures
	storm := failures >= r.host.storm()
	if storm {
		t.failures = 0
		t.version++
		t.restore = kept{term: t.term, version: t.version} // it may be what makes it fail
		r.kept = t.restore
		t.copyKept(t.memory())
	}
	r.mu.Unlock()
	if storm {
		t.log().Error("a room fails again and again and was closed", "code", tutti.ExtensionPanicked, "failures", failures)
		t.refuseAll(&tutti.Error{Code: tutti.ExtensionPanicked, Reason: "the room failed again and again and was closed; please join again later"})
		return
	}
	wait := min(firstPause<<min(failures-1, 10), lastPause)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-t.lease.Context().Done():
	}
}

// long is as good as for ever.
const long = time.Hour

// await waits until there is something to do, or for a while.
func (t *tenure) await(ctx context.Context, d time.Duration) {
	var over <-chan time.Time
	if d < long { // most rooms wait for something to come
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-t.bell:
	case <-over:
	case <-ctx.Done():
	case <-t.lease.Context().Done():
	}
}

func (t *tenure) log() *slog.Logger { return t.room.log }

// end gives the room up: followers are told what was kept, and that nobody owns it.
func (t *tenure) end() {
	r := t.room
	r.mu.Lock()
	defer r.mu.Unlock()
	r.host.alarms.set(&t.alarm, time.Time{})
	r.tenure, t.current = nil, nil
	if t.lease.Valid() && t.restore.term != 0 {
		t.restore.final = true
		t.version++
		t.restore.term, t.restore.version = t.term, t.version
		r.kept = t.restore
		t.copyKept(t.linger)
	}
	t.handOver()
	for node := range t.nodes {
		r.tell(node, r.message(msgEnd, t.term))
	}
}

// put queues what the actor is to be told. The lock is held.
func (t *tenure) put(i item) {
	t.queue = append(t.queue, i)
	ring(t.bell)
}

// change takes a change among the members of a node; s is the guest's, nil on
// another node. The lock is held.
func (t *tenure) change(node string, c change, s *Seat) {
	m := t.members[c.id]
	switch {
	case !c.joins && m != nil:
		delete(t.members, c.id)
		t.put(item{kind: itemLeave, member: m})
	case !c.joins:
	case m != nil:
		t.put(item{kind: itemRenew, member: m, claims: c.member.Claims})
	default:
		m = &member{data: c.member, node: node, seat: s}
		t.members[c.id] = m
		t.put(item{kind: itemJoin, member: m})
	}
}

// hear takes an event of a member, or refuses it. The lock is held.
func (t *tenure) hear(o occurrence) {
	m := t.members[o.id]
	switch {
	case m == nil:
	case t.events > 0 && (t.events >= maxEvents || t.bytes+len(o.payload) > maxBytes):
		t.sendTo(m, tutti.ExtensionError, broadcast.Denial(o.name, overloaded))
	default:
		t.events++
		t.bytes += len(o.payload)
		t.put(item{kind: itemEvent, member: m, event: o})
	}
}

// take returns what the actor is to be told next. The lock is held.
func (t *tenure) take() (i item, some bool) {
	if len(t.queue) == 0 {
		return i, false
	}
	i = t.queue[0]
	t.queue[0] = item{}
	t.queue = t.queue[1:]
	if len(t.queue) == 0 {
		t.queue = nil
	}
	if i.kind == itemEvent {
		t.events--
		t.bytes -= len(i.event.payload)
	}
	return i, true
}

// awake is called when the time has come that Wake named.
func (t *tenure) awake() {
	r := t.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.due.IsZero() || r.host.now().Before(t.due) {
		return // it was put off at this very moment
	}
	t.wake, t.due = true, time.Time{}
	ring(t.bell)
}

// sendTo sends an event to one member. The lock is held.
func (t *tenure) sendTo(m *member, event string, payload []byte) {
	r := t.room
	if s := m.seat; s != nil {
		r.post(s, func() { s.guest.Hear(event, payload) })
		return
	}
	r.tell(m.node, appendTold(r.message(msgTell, t.term), m.data.ID, event, payload))
}

// turnAway ends the channel of a member for a reason, and forgets it. The lock is
// held.
func (t *tenure) turnAway(m *member, why string) {
	r := t.room
	if t.members[m.data.ID] == m {
		delete(t.members, m.data.ID)
	}
	m.refused = true
	t.unknow(m)
	if s := m.seat; s != nil {
		r.refuse(s, why)
		return
	}
	r.tell(m.node, appendTold(r.message(msgRefuse, t.term), m.data.ID, why, nil))
}

// unknow takes a member off those whose join was heard, if it is one. The lock is
// held.
func (t *tenure) unknow(m *member) {
	if !m.known {
		return
	}
	m.known = false
	for i, k := range t.known {
		if k == m {
			t.known = append(t.known[:i], t.known[i+1:]...)
			break
		}
	}
}

// refuseAll ends the channels of all members, those included that are about to
// come.
func (t *tenure) refuseAll(why error) {
	r := t.room
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range t.members {
		t.turnAway(m, why.Error())
	}
	t.queue, t.events, t.bytes = nil, 0, 0
}
