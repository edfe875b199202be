package extend

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
)

// A flight is an event that was sent to the node that runs the room, of which it is not
// known yet whether the actor has heard it. The owner says from time to time up to which
// number events have come and were heard, and sends back those that it cannot take, or
// that wait when it gives the room away: no actor has heard these, so that they are sent
// to the next owner. What became of the rest, when an owner is lost, nobody knows. Their
// senders are told so, and nothing is sent twice.
type flight struct {
	number   uint64
	id, name string
	to       string // the node
	began    time.Time
	came     bool // it waits there for the actor, for as long as that takes
}

// A standing is how far a follower's events are at the owner: the number of the last that
// came, and that up to which none waits for the actor any more.
type standing struct{ came, heard uint64 }

const (
	// heardEvery is after how many events their follower is told that they came, if not
	// before, by the beat.
	heardEvery = 64
	// patience is how long a flight may take until it has come. A node that is lost is known to be after
	// that, or soon.
	patience = 10 * time.Second
)

// moved is the reason for which an event may not have reached its actor.
var moved = &tutti.Error{
	Code:   tutti.ExtensionRoomMoved,
	Reason: "the room went to another node while the event was on its way, and may not have heard it; please send it again if it matters",
}

// send sends an event to the owner. The lock is held.
func (r *room) send(o occurrence) {
	r.flown++
	message := binary.AppendUvarint(appendOccurrence(r.message(msgEvent, r.term), o), r.flown)
	if !r.tell(r.owner, message) {
		r.denyMember(o.id, o.name, overloaded)
		return
	}
	r.flights = append(r.flights, flight{number: r.flown, id: o.id, name: o.name, to: r.owner, began: time.Now()})
	if len(r.flights) > maxEvents { // more do not wait for an actor: what is so long ago was heard
		r.flights = slices.Delete(r.flights, 0, 1)
	}
}

// wait keeps an event until the owner is known. The lock is held.
func (r *room) wait(o occurrence) {
	if len(r.pending) >= maxPending {
		r.denyMember(o.id, o.name, nowhere)
		return
	}
	r.pending = append(r.pending, o)
}

// denyMember tells a guest that an event got nowhere. The lock is held.
func (r *room) denyMember(id, event string, why *tutti.Error) {
	if s := r.guests[id]; s != nil {
		r.deny(s, event, why)
	}
}

// landed forgets flights to a node whose events were heard, and notes which have come. The
// lock is held.
func (r *room) landed(node string, s standing) {
	r.flights = slices.DeleteFunc(r.flights, func(f flight) bool { return f.to == node && f.number <= s.heard })
	for i := range r.flights {
		if f := &r.flights[i]; f.to == node && f.number <= s.came {
			f.came = true
		}
	}
}

// returned takes back an event that the node to which it was sent under a term has
// not let any actor hear. The lock is held.
func (r *room) returned(node string, term uint64, o occurrence, number uint64) {
	at := slices.IndexFunc(r.flights, func(f flight) bool { return f.to == node && f.number == number })
	if at < 0 {
		return // its sender has been told, or it came twice
	}
	r.flights = slices.Delete(r.flights, at, at+1)
	switch {
	case r.guests[o.id] == nil:
	case r.tenure != nil:
		r.tenure.hear(o)
	case r.owner == "" || r.owner == node && r.term == term: // it will be another
		r.wait(o)
	default:
		r.send(o)
	}
}

// strand gives up the flights to a node that is lost, or that have taken too long. The
// lock is held.
func (r *room) strand(node string, now time.Time) {
	r.flights = slices.DeleteFunc(r.flights, func(f flight) bool {
		if f.to != node && (f.came || now.Sub(f.began) < patience) {
			return false
		}
		r.denyMember(f.id, f.name, moved)
		return true
	})
}

// giveBack sends an event back that came to a node which does not run the room.
func (h *Host) giveBack(node string, at *place, term uint64, o occurrence, number uint64) {
	back := binary.AppendUvarint(appendPlace([]byte{msgReturn}, at), term)
	_ = h.Bus.Tell(node, binary.AppendUvarint(appendOccurrence(back, o), number)) // else it is given up
}

// arrived takes an event of a follower. The lock is held.
func (t *tenure) arrived(node string, o occurrence, number uint64) {
	if t.members[o.id] == nil { // its join was lost on the way, and will be told again
		t.room.tell(node, appendTold(t.room.message(msgTell, t.term), o.id, tutti.ExtensionError, broadcast.Denial(o.name, moved)))
	}
	o.node, o.number = node, number
	t.hear(o)
	f := t.nodes[node]
	if f == nil {
		f = &follower{}
		t.nodes[node] = f
	}
	f.came = max(f.came, number)
	if f.came-f.told.came >= heardEvery {
		t.confirm(node, f)
	}
}

// confirmAll tells followers which events have come. The lock is held.
func (t *tenure) confirmAll() {
	for node, f := range t.nodes {
		t.confirm(node, f)
	}
}

// confirm tells a follower how far its events are, unless it knows. The lock is held.
func (t *tenure) confirm(node string, f *follower) {
	s := standing{came: f.came, heard: f.came}
	for i := range t.queue {
		if q := &t.queue[i]; q.kind == itemEvent && q.event.node == node { // the first that waits
			s.heard = min(s.heard, q.event.number-1)
			break
		}
	}
	if s == f.told {
		return
	}
	f.told = s
	t.room.tell(node, binary.AppendUvarint(binary.AppendUvarint(t.room.message(msgHeard, t.term), s.came), s.heard))
}

// handOver gives what the actor has not heard to who can bring it to the next. The lock is
// held.
func (t *tenure) handOver() {
	r := t.room
	for i := range t.queue {
		q := &t.queue[i]
		switch {
		case q.kind != itemEvent:
		case q.member.seat != nil:
			r.wait(q.event)
		case q.event.node != "":
			r.host.giveBack(q.event.node, &r.place, t.term, q.event, q.event.number)
		}
	}
	t.queue = nil // nothing waits here any more
	t.confirmAll()
}
