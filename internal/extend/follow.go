package extend

import (
	"context"
	"encoding/binary"
	"time"
)

// A follower is a node with members of a room that another node runs, as the owner
// knows it. Its members are told one change after another, with numbers; where one
// is missing, or a beat says so, all are told.
type follower struct {
	known bool // all its members were told
	seq   uint64
	parts map[string]change // of a list that is not complete; nil for none

	came uint64   // the number of the last of its events
	told standing // what it knows of that
}

// tell sends to another node. It reports false when there is no room for that. The
// lock is held.
func (r *room) tell(node string, message []byte) bool { return r.host.Bus.Tell(node, message) == nil }

// seek asks who runs the room, unless that is known.
func (r *room) seek() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owner == "" {
		r.tell("", r.message(msgSeek, 0))
	}
}

// appendBeat appends how far this follower is. The lock is held.
func (r *room) appendBeat(dst []byte) []byte {
	if len(dst) == 0 {
		dst = append(dst, msgBeat)
	}
	dst = binary.AppendUvarint(appendPlace(dst, &r.place), r.term)
	return binary.AppendUvarint(dst, r.seq)
}

// follow takes another node for the owner, unless a later one is known, and tells it
// all members. The term of one that is gone does not count: where a network was parted
// the later owner may be the one that is lost. The lock is held.
func (r *room) follow(node string, term uint64) {
	if r.owner != "" && term < r.term || r.tenure != nil && r.tenure.term >= term || node == r.owner && term == r.term {
		return
	}
	r.owner, r.term = node, term
	if r.tenure != nil {
		r.owner = "" // its lease is about to end
		return
	}
	if len(r.guests) > 0 {
		r.list()
	}
}

// list tells the owner all members, and the events that have waited for it. The
// lock is held.
func (r *room) list() {
	seats := r.inOrder()
	for first := true; first || len(seats) > 0; first = false {
		var members []byte
		n := 0
		for ; n < len(seats) && len(members) < maxChunk; n++ {
			members = appendMember(members, &seats[n].member)
		}
		flags := byte(0)
		if first {
			flags |= listBegins
		}
		if n == len(seats) {
			flags |= listEnds
		}
		seats = seats[n:]
		m := binary.AppendUvarint(r.message(msgList, r.term), r.seq)
		r.tell(r.owner, append(append(m, flags), members...))
	}
	pending := r.pending
	r.pending = nil
	for _, o := range pending {
		r.send(o)
	}
}

const (
	listBegins = 1 << 0
	listEnds   = 1 << 1
)

// listed takes a part of a follower's list. The lock is held.
func (t *tenure) listed(node string, p *parser) {
	seq, flags := p.number(), p.byte()
	f := t.nodes[node]
	if f == nil {
		f = &follower{}
		t.nodes[node] = f
	}
	if flags&listBegins != 0 {
		f.parts = map[string]change{}
	}
	if f.parts == nil || seq < f.seq {
		return // the first part was lost: a beat will tell
	}
	var order []string
	for len(p.rest) > 0 {
		m := p.member()
		if p.failed {
			return
		}
		f.parts[m.ID] = change{id: m.ID, member: m, joins: true}
		order = append(order, m.ID)
	}
	for _, id := range order {
		t.change(node, f.parts[id], nil)
	}
	if flags&listEnds == 0 {
		return
	}
	for id, m := range t.members {
		if _, there := f.parts[id]; m.node == node && !there {
			t.change(node, change{id: id}, nil)
		}
	}
	fresh := !f.known
	f.known, f.seq, f.parts = true, seq, nil
	if fresh && t.restore.term != 0 {
		t.room.tell(node, appendKept(t.room.message(msgKeep, t.term), &t.restore, t.memory()))
	}
}

// moved takes a change among a follower's members. The lock is held.
func (t *tenure) moved(node string, seq uint64, c change) {
	f := t.nodes[node]
	switch {
	case f != nil && f.known && seq == f.seq+1:
		f.seq = seq
		t.change(node, c, nil)
	case f != nil && f.known && seq <= f.seq:
	default:
		t.sync(node)
	}
}

// sync asks a follower for all its members. The lock is held.
func (t *tenure) sync(node string) { t.room.tell(node, t.room.message(msgSync, t.term)) }

// lose drops a follower with all its members. The lock is held.
func (t *tenure) lose(node string) {
	delete(t.nodes, node)
	if t.spare == node {
		t.spare = "" // it may be back under its name before long, and know nothing
	}
	for id, m := range t.members {
		if m.node == node {
			t.change(node, change{id: id}, nil)
		}
	}
}

const (
	// claimWithin bounds how long a new owner waits for what other nodes have kept.
	claimWithin = time.Second
	// claimTries is how often it asks, if it knows of nothing and not all have answered:
	// they may have too much to do, as when many rooms move at once.
	claimTries = 3
	claimPause = 250 * time.Millisecond
)

// claim tells all nodes that this one runs the room now, and takes the last that any
// of them has of what was kept. An owner that has found nothing has nothing to say: it
// does not take the place of what others may have.
func (t *tenure) claim(ctx context.Context) {
	for try := 1; ; try++ {
		if whole := t.inquire(ctx); whole || t.restore.term != 0 || try == claimTries || t.over(ctx) {
			break
		}
		pause(ctx, claimPause)
	}
	r := t.room
	r.mu.Lock()
	defer r.mu.Unlock()
	t.lost = len(t.restore.state) > 0 && !t.restore.final
	if t.restore.term == 0 {
		return
	}
	// From now on it is this owner's, who may be lost as well.
	t.version++
	t.restore = kept{state: t.restore.state, keeper: t.restore.keeper, term: t.term, version: t.version}
	r.kept, t.stale = t.restore, true
}

// inquire is claim's question. It reports whether all have answered it.
func (t *tenure) inquire(ctx context.Context) (whole bool) {
	r := t.room
	quick, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	defer context.AfterFunc(t.lease.Context(), cancel)()
	replies, silent, err := r.host.Bus.Ask(quick, r.message(msgClaim, t.term))
	whole = err == nil && len(silent) == 0
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, reply := range replies {
		if reply.Err != nil {
			whole, silent = false, append(silent, reply.Node)
			continue
		}
		r.host.peers.met(reply.Node, time.Now())
		if len(reply.Payload) == 0 {
			continue
		}
		p := parser{rest: reply.Payload}
		if k, _ := p.kept(); !p.failed && k.newer(&t.restore) {
			t.restore = k
		}
	}
	if !whole {
		r.log.Warn("not all nodes said what a room had kept", "nodes", silent, "err", err)
	}
	return whole
}

// keep takes what the owner of a room has kept, or a node that stops, and remembers it
// for a while, though nobody is here. The owner is always right; what ended in order is
// remembered no longer than it says.
func (r *room) keep(node string, k kept, remaining time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tenure != nil || r.kept.newer(&k) && r.owner != node {
		return
	}
	r.kept = k
	if until := time.Now().Add(remaining); k.final || until.After(r.expires) {
		r.expires = until
	}
}

// bequeath gives all other nodes what rooms have kept: this one stops.
func (h *Host) bequeath() {
	now := time.Now()
	for _, r := range h.all() {
		r.mu.Lock()
		if left := r.expires.Sub(now); left > 0 && len(r.kept.state) > 0 {
			r.tell("", appendKept(r.message(msgKeep, r.kept.term), &r.kept, left))
		}
		r.mu.Unlock()
	}
}

// Lost is told of a node that has gone, in order or not.
func (h *Host) Lost(node string) {
	h.peers.lost(node)
	for _, r := range h.all() {
		r.mu.Lock()
		if r.tenure != nil {
			r.tenure.lose(node)
		}
		if r.owner == node {
			r.owner = ""
		}
		r.strand(node, time.Now())
		r.mu.Unlock()
	}
}
