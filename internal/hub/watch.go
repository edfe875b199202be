package hub

import (
	"iter"

	"github.com/tutti-realtime/tutti"
)

// A Watcher sees what passes in a topic, and is no listener of it: nobody counts
// it, and nobody knows of it. Its methods are called on the loop that it watches.
// They do not block, and keep nothing of what they are given but the Message.
type Watcher interface {
	// Deliver is given each message of the topic that comes to the loop.
	Deliver(*Message)
	// Note is given what single listeners of the loop are sent beside the messages
	// of the topic, such as changes of rows: kind is the event's name.
	Note(kind string, payload []byte)
}

// A watched topic is one with watchers on a loop.
type watched struct {
	all   []Watcher
	wants int // of them that want the messages
}

// Watch lets a watcher see a topic on this loop. Messages come here for it only
// if it wants them, or if there are listeners: of the loops of all nodes one should
// be wanted, since each of them is given every message.
func (s *Shard) Watch(t tutti.Topic, w Watcher, wants bool) {
	if s.watched == nil {
		s.watched = make(map[tutti.Topic]*watched)
	}
	at := s.watched[t]
	if at == nil {
		at = &watched{}
		s.watched[t] = at
	}
	at.all = append(at.all, w)
	if !wants {
		return
	}
	at.wants++
	if at.wants == 1 && s.rooms[t] == nil {
		s.hub.setWanted(t, s.index, true)
	}
}

// Unwatch takes back one Watch with the same values.
func (s *Shard) Unwatch(t tutti.Topic, w Watcher, wanted bool) {
	at := s.watched[t]
	if at == nil {
		return
	}
	for i, other := range at.all {
		if other != w {
			continue
		}
		at.all = append(at.all[:i:i], at.all[i+1:]...)
		break
	}
	if wanted {
		at.wants--
		if at.wants == 0 && s.rooms[t] == nil {
			s.hub.setWanted(t, s.index, false)
		}
	}
	if len(at.all) == 0 {
		delete(s.watched, t)
	}
}

// Watched reports whether anybody watches a topic on this loop. It costs next to
// nothing while nobody watches anything.
func (s *Shard) Watched(t tutti.Topic) bool { return len(s.watched) > 0 && s.watched[t] != nil }

// Note tells the watchers of a topic what a listener of it is sent.
func (s *Shard) Note(t tutti.Topic, kind string, payload []byte) {
	if !s.Watched(t) {
		return
	}
	for _, w := range s.watched[t].all {
		w.Note(kind, payload)
	}
}

// wanted reports whether messages of a topic without listeners are wanted here.
func (s *Shard) wanted(t tutti.Topic) bool { return s.Watched(t) && s.watched[t].wants > 0 }

// show gives a message to those who watch its topic.
func (s *Shard) show(m *Message) {
	at := s.watched[m.Topic]
	if at == nil {
		return
	}
	for _, w := range at.all {
		w.Deliver(m)
	}
}

// Listeners goes through those who listen to a topic on this loop, in no order.
func (s *Shard) Listeners(t tutti.Topic) iter.Seq[Listener] {
	return func(yield func(Listener) bool) {
		r := s.rooms[t]
		if r == nil {
			return
		}
		for _, seat := range r.members {
			if !yield(seat.listener) {
				return
			}
		}
	}
}

// Count returns how many listen to a topic on this loop.
func (s *Shard) Count(t tutti.Topic) int {
	if r := s.rooms[t]; r != nil {
		return len(r.members)
	}
	return 0
}

// Crowd returns how many listeners of a tenant there are on this loop.
func (s *Shard) Crowd(tenant string) int {
	if c := s.crowds[tenant]; c != nil {
		return c.members
	}
	return 0
}

// crowd returns the group of a tenant, for a room that somebody is about to join.
func (s *Shard) crowd(tenant string) *group {
	c := s.crowds[tenant]
	if c == nil {
		c = &group{}
		s.crowds[tenant] = c
	}
	return c
}

// All goes through the topics that somebody listens to on this node, in no order.
// It may be called by anybody. The topics are looked at in parts, so that nobody
// waits long for it; between two parts they may change.
func (h *Hub) All() iter.Seq[tutti.Topic] {
	return func(yield func(tutti.Topic) bool) {
		for i := range h.wanted {
			for _, t := range h.wanted[i].topics() {
				if !yield(t) {
					return
				}
			}
		}
	}
}

func (w *wanted) topics() []tutti.Topic {
	w.mu.RLock()
	defer w.mu.RUnlock()
	all := make([]tutti.Topic, 0, len(w.loops))
	for t := range w.loops {
		all = append(all, t)
	}
	return all
}
