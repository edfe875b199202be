package relay

import "time"

// This file is what a stream hears of other nodes while this one is the owner, and
// what it does now and then whoever is.

// follower takes what a node says of where it is.
func (s *Stream) follower(node string, f *follow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != nil {
		s.owner.follow(node, f)
		ring(s.owner.level)
	}
}

// acked takes what a follower says that it has taken. It reports false when the
// node is none.
func (s *Stream) acked(node string, n note) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.owner
	if o == nil || n.term != o.term {
		return false
	}
	f := o.followers[node]
	if f == nil || !f.active {
		return false
	}
	f.heard = time.Now()
	for len(f.flight) > 0 && f.flight[0].seq <= n.seq {
		f.bytes -= f.flight[0].bytes
		f.flight = f.flight[1:]
	}
	if f.bytes == 0 {
		f.waited = 0
	}
	if n.seq+1 >= f.first { // else it is of the time before it followed anew
		f.confirmed = max(f.confirmed, n.flushed)
	}
	ring(o.level)
	o.settle()
	return true
}

// forget is told that a node wants no more of the stream, or is no more, up to one
// of its lives.
func (s *Stream) forget(node string, epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.owner
	if o == nil {
		return
	}
	if f := o.followers[node]; f != nil && f.epoch <= epoch {
		delete(o.followers, node)
	}
	if d, found := o.unknown[node]; found && d.epoch <= epoch {
		d.until = time.Now().Add(lifeTime) // another life may be about to join
		o.unknown[node] = d
	}
	ring(o.level)
	o.settle()
}

// lost is told that a node is silent.
func (s *Stream) lost(node string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.owner
	if o == nil {
		return
	}
	until := now.Add(s.relay.keep())
	if f := o.followers[node]; f != nil {
		if f.active || f.lacks {
			f.rest(until)
		}
		ring(o.level)
	} else if d, found := o.unknown[node]; found {
		o.unknown[node] = doubt{until, d.epoch}
	}
}

// lifeTime is how long it takes to hear of the next life of a node.
const lifeTime = 2 * time.Second

// joined is told that a node is there. It may be the owner; or it may have
// followed another, of which this one does not know.
func (s *Stream) joined(node string, epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.owner != nil:
		if f := s.owner.followers[node]; f == nil || f.epoch < epoch {
			s.owner.unknown[node] = doubt{time.Now().Add(s.relay.keep()), epoch}
		}
	case s.running && s.behind:
		s.wait = 0
		ring(s.bell)
	}
}

// tick looks after what is due. It reports whether there are nodes to be asked
// where they are.
func (s *Stream) tick(now time.Time, beats map[string][]note) (unsure bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.owner != nil:
		return s.owner.tick(now, beats)
	case s.from == "" || s.behind:
	case s.relay.quiet(s.from, now, deaf):
		s.fallBehind(0)
	case now.Sub(s.ackedAt) >= refreshAcks:
		s.announce = true
		s.relay.mark(s)
	}
	return false
}
