package music

import (
	"bytes"

	"github.com/tutti-realtime/tutti"
)

// A person is somebody in the room, with one socket or more.
type person struct {
	id      string
	name    string // that others see
	key     string // of the presence
	seats   []*seat
	role    Role
	quality *quality // nil: not known
}

// A seat is a socket of a person.
type seat struct {
	member *tutti.Member
	person *person
	token  []byte // the claims of which role was made
	role   Role   // that the token gives
	events Bucket // what it sent, but for notes
	gone   bool
}

// sit takes a member in.
func (a *actor) sit(m *tutti.Member) *seat {
	id := a.set.identify(m)
	p := a.people[id]
	if p == nil {
		p = &person{id: id}
		a.people[id] = p
	}
	p.key = m.Key
	if name := shorten(joinText(m.Join, "name"), longestDisplay); name != "" {
		p.name = name
	}
	s := &seat{member: m, person: p, token: m.Claims.Raw, role: a.set.claimed(m)}
	p.seats = append(p.seats, s)
	a.seats[m.ID] = s
	a.load.add(1)
	return s
}

// welcome tells a member all, and the others of the member.
func (a *actor) welcome(s *seat) {
	p := s.person
	a.assign(p)
	a.greet(s)
	a.rosterChanged()
	if len(p.seats) == 1 {
		a.tables.attend(a, p)
	}
}

// rise lets a member go.
func (a *actor) rise(id string) {
	s := a.seats[id]
	if s == nil {
		return
	}
	delete(a.seats, id)
	s.gone = true
	a.load.add(-1)
	p := s.person
	for i, other := range p.seats {
		if other == s {
			p.seats = append(p.seats[:i:i], p.seats[i+1:]...)
		}
	}
	if len(p.seats) == 0 {
		delete(a.people, p.id)
		a.sound(p.id, a.stage.Leave(p.id, a.now()))
		a.tables.depart(a, p)
	} else {
		a.assign(p)
	}
	a.rosterChanged()
}

// renewed looks whether the claims of a member are others than before: the server
// changes them when a client sends another token.
func (a *actor) renewed(s *seat) {
	if raw := s.member.Claims.Raw; !bytes.Equal(raw, s.token) {
		s.token, s.role = raw, a.set.claimed(s.member)
		a.assign(s.person)
	}
}

// assign finds the role of a person.
func (a *actor) assign(p *person) {
	role, given := a.given[p.id]
	if !given {
		for _, s := range p.seats {
			role = max(role, s.role)
		}
		if a.tables.teaches(p.id) {
			role = Teacher
		}
		if role == Nobody {
			role = a.set.DefaultRole
		}
	}
	if p.role != role {
		p.role = role
		a.rosterChanged()
	}
}

// leads reports whether somebody leads the room.
func (a *actor) leads(id string) bool {
	p := a.people[id]
	return p != nil && p.role >= Assistant
}

// tell sends an event to all sockets of a person.
func (a *actor) tell(p *person, event string, payload []byte) {
	for _, s := range p.seats {
		a.room.Tell(s.member, event, payload)
	}
}

// tellLeaders sends an event to those who lead the room.
func (a *actor) tellLeaders(event string, payload []byte) {
	for _, m := range a.room.Members() { // in an order that is always the same
		if s := a.seats[m.ID]; s != nil && s.person.role >= Assistant {
			a.room.Tell(m, event, payload)
		}
	}
}

func (a *actor) now() Time { return clock(a.room.Now()) }
