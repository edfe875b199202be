package hub

import "github.com/tutti-realtime/tutti"

// A Listener hears the messages of one topic. Deliver is called on the
// listener's loop; it may make this very listener leave, and no other.
type Listener interface {
	Deliver(*Message)
}

// A Shard is the listeners of one event loop. It is not safe for concurrent
// use: the loop that owns it calls all of its methods.
type Shard struct {
	hub     *Hub
	index   int
	rooms   map[tutti.Topic]*room
	crowds  map[string]*group // by tenant
	watched map[tutti.Topic]*watched
	members int
}

// A room is the listeners of one topic on one loop.
type room struct {
	topic   tutti.Topic
	crowd   *group
	members []*Seat
}

// A group is how many listeners of a tenant there are on one loop. Rooms point to
// it, so that to join one that is there finds it without looking for it.
type group struct{ members int }

// A Seat is a listener's place in a room. Its zero value is nobody's.
type Seat struct {
	listener Listener
	room     *room
	at       int
}

// Join puts a listener into the room of a topic and returns the topic as all
// of the room share it, so that a thousand members hold one copy of its name.
func (s *Shard) Join(t tutti.Topic, seat *Seat, l Listener) tutti.Topic {
	r := s.rooms[t]
	if r == nil {
		r = &room{topic: t, crowd: s.crowd(t.Tenant)}
		s.rooms[t] = r
		if !s.wanted(t) {
			s.hub.setWanted(t, s.index, true)
		}
	}
	*seat = Seat{listener: l, room: r, at: len(r.members)}
	r.members = append(r.members, seat)
	s.members++
	r.crowd.members++
	return r.topic
}

// Leave takes a listener out of its room. A seat that is nobody's stays so.
func (s *Shard) Leave(seat *Seat) {
	r := seat.room
	if r == nil {
		return
	}
	last := len(r.members) - 1
	r.members[seat.at] = r.members[last]
	r.members[seat.at].at = seat.at
	r.members[last] = nil
	r.members = r.members[:last]
	if last == 0 {
		delete(s.rooms, r.topic)
		if !s.wanted(r.topic) {
			s.hub.setWanted(r.topic, s.index, false)
		}
	} else if cap(r.members) > 64 && last < cap(r.members)/4 {
		r.members = append(make([]*Seat, 0, 2*last), r.members...)
	}
	s.members--
	if r.crowd.members--; r.crowd.members == 0 {
		delete(s.crowds, r.topic.Tenant)
	}
	*seat = Seat{}
}

// Deliver hands a message to everyone in its room, and returns how many that
// are. It walks from the end, so that a listener may leave while it hears.
func (s *Shard) Deliver(m *Message) int {
	if len(s.watched) > 0 {
		s.show(m)
	}
	r := s.rooms[m.Topic]
	if r == nil {
		return 0
	}
	n := len(r.members)
	for i := n - 1; i >= 0; i-- {
		r.members[i].listener.Deliver(m)
	}
	return n
}

// Members returns how many listeners there are.
func (s *Shard) Members() int { return s.members }
