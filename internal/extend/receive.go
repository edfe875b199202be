package extend

import (
	"context"
	"encoding/binary"
	"time"
)

// Receive takes what another node tells. It does not block. An error says that it
// makes no sense.
func (h *Host) Receive(node string, message []byte) error {
	p := parser{rest: message}
	kind := p.byte()
	if kind == msgBeat {
		h.beaten(node, &p)
	} else {
		at, term := p.place(), p.number()
		if p.failed {
			return errMessage
		}
		switch kind {
		case msgPing:
			h.peers.met(node, time.Now())
			h.pinged(node, &p)
		case msgPong:
			h.peers.met(node, time.Now())
			h.ponged(&p)
		default:
			h.take(node, kind, at, term, &p)
		}
	}
	if p.failed {
		return errMessage
	}
	return nil
}

func (h *Host) take(node string, kind byte, at place, term uint64, p *parser) {
	r := h.find(at)
	if kind == msgKeep {
		h.inherit(node, r, at, p)
		return
	}
	if r == nil {
		if kind == msgEvent {
			if o, number := p.event(); !p.failed {
				h.giveBack(node, &at, term, o, number)
			}
		}
		if kind == msgList || kind == msgChange || kind == msgEvent {
			h.disown(node, at, term)
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch kind {
	case msgSeek:
		if r.tenure != nil {
			r.tell(node, r.message(msgOwn, r.tenure.term))
		}
	case msgList, msgChange, msgEvent:
		r.reported(node, kind, term, p)
	case msgOwn:
		r.follow(node, term)
	case msgEnd:
		if r.owner == node && r.term == term {
			r.owner = ""
		}
	case msgHeard:
		if s := p.standing(); !p.failed {
			r.landed(node, s)
		}
	case msgReturn:
		if o, number := p.event(); !p.failed {
			r.returned(node, term, o, number)
		}
	case msgTell, msgRefuse, msgSync:
		if r.owner == node && r.term == term {
			r.ordered(kind, p)
		}
	}
}

// reported takes what a follower tells the owner. The lock is held.
func (r *room) reported(node string, kind byte, term uint64, p *parser) {
	t := r.tenure
	if t == nil || t.term != term {
		if kind == msgEvent {
			if o, number := p.event(); !p.failed {
				r.host.giveBack(node, &r.place, term, o, number)
			}
		}
		r.tell(node, r.message(msgEnd, term))
		return
	}
	switch kind {
	case msgList:
		t.listed(node, p)
	case msgChange:
		if seq, c := p.change(); !p.failed {
			t.moved(node, seq, c)
		}
	case msgEvent:
		if o, number := p.event(); !p.failed {
			t.arrived(node, o, number)
		}
	}
}

// ordered does what the owner says. The lock is held.
func (r *room) ordered(kind byte, p *parser) {
	if kind == msgSync {
		r.list()
		return
	}
	id, name, payload := p.text(), p.text(), p.bytes()
	s := r.guests[id]
	switch {
	case p.failed || s == nil:
	case kind == msgTell:
		r.post(s, func() { s.guest.Hear(name, payload) })
	default:
		r.refuse(s, name)
	}
}

// inherit takes what a room of another node has kept.
func (h *Host) inherit(node string, r *room, at place, p *parser) {
	k, remaining := p.kept()
	e := h.extension(at.key)
	if p.failed || e == nil || r == nil && remaining <= 0 {
		return
	}
	if r == nil {
		r = h.room(at, e)
	}
	r.keep(node, k, remaining)
}

// disown says that this node does not run a room.
func (h *Host) disown(node string, at place, term uint64) {
	_ = h.Bus.Tell(node, binary.AppendUvarint(appendPlace([]byte{msgEnd}, &at), term)) // a beat will have it said again
}

// beaten compares how far followers are.
func (h *Host) beaten(node string, p *parser) {
	for len(p.rest) > 0 {
		at, term, seq := p.place(), p.number(), p.number()
		if p.failed {
			return
		}
		r := h.find(at)
		if r == nil {
			h.disown(node, at, term)
			continue
		}
		r.mu.Lock()
		t := r.tenure
		if t == nil || t.term != term {
			r.tell(node, r.message(msgEnd, term))
		} else if f := t.nodes[node]; f == nil || !f.known || f.seq != seq {
			t.sync(node)
		}
		r.mu.Unlock()
	}
}

// Answer answers what another node asks: it runs a room now, and wants to know what
// this one has of what was kept.
func (h *Host) Answer(_ context.Context, node string, question []byte) ([]byte, error) {
	p := parser{rest: question}
	kind, at, term := p.byte(), p.place(), p.number()
	if p.failed || kind != msgClaim {
		return nil, errMessage
	}
	r := h.find(at)
	if r == nil {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.follow(node, term)
	if r.kept.term == 0 {
		return nil, nil
	}
	return appendKept(nil, &r.kept, 0), nil
}
