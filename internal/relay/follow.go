package relay

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tutti-realtime/tutti/internal/wal"
)

// This file is a stream that follows another node.

// open works on a letter. When the context ends meanwhile what was not delivered
// counts as missing.
func (s *Stream) open(ctx context.Context, l *letter) error {
	if l.accept != nil {
		s.begin(l)
		return nil
	}
	body := l.frame.body
	if len(s.loose) > 0 || l.frame.more {
		s.loose = append(s.loose, body...)
		body = s.loose
	}
	if !l.frame.more {
		s.loose = nil
		err := s.shelf.each(body, func(r *record) error { return s.record(ctx, r) })
		switch broken, ok := errors.AsType[*deliveryError](err); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case ok:
			return broken.err
		case err != nil:
			s.log.Warn("what another node sent makes no sense, it is asked for again", "node", l.node, "err", err)
			s.miss()
			return nil
		}
	}
	s.took(l)
	return nil
}

// A deliveryError is the reader's, and ends the stream.
type deliveryError struct{ err error }

func (e *deliveryError) Error() string { return "hand over a transaction: " + e.err.Error() }
func (e *deliveryError) Unwrap() error { return e.err }

func (s *Stream) record(ctx context.Context, r *record) error {
	switch st := r.state.(type) {
	case wal.Live:
		s.live(st)
	case wal.Lost:
		s.lose(st)
	case wal.Down:
		s.hear(st)
	case nil:
		if r.pass != 0 {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.pos.pass(r.pass)
			return nil
		}
		err := s.deliver(ctx, r.tx, r.offset)
		if err != nil && !errors.Is(err, errMissing) {
			return &deliveryError{err}
		}
		return err
	}
	return nil
}

// begin takes note that an owner has accepted this node.
func (s *Stream) begin(l *letter) {
	a := l.accept
	s.loose, s.shelf = nil, s.shelves(l)
	s.mu.Lock()
	from, lost := s.pos.reach(), false
	switch {
	case !a.opened:
	case !s.pos.known:
		s.pos.begin(a.start)
	case s.pos.covers(&a.read):
	case a.lost:
		lost = true
		s.pos.begin(a.start)
	default: // it was elsewhere when it said where it is
		s.mu.Unlock()
		s.miss()
		return
	}
	s.taken = a.seq - 1
	s.untold, s.announce = 0, true
	s.relay.mark(s)
	s.mu.Unlock()
	if lost {
		s.hear(wal.Lost{From: from, To: a.start})
	}
}

// shelves returns the tables that the owner has described before, if this node
// has heard of any.
func (s *Stream) shelves(l *letter) shelf {
	if s.shelf.term == l.accept.term && s.shelf.node == l.node {
		return s.shelf
	}
	return shelf{node: l.node, term: l.accept.term}
}

// took acknowledges a frame, at once when much was taken.
func (s *Stream) took(l *letter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from != l.node || s.term != l.frame.term {
		return
	}
	s.taken = max(s.taken, l.frame.seq)
	s.untold += l.size
	s.announce = true
	if s.untold < s.relay.window()/4 {
		s.relay.mark(s)
		return
	}
	n := s.acknowledge(time.Now())
	_ = s.relay.Bus.Tell(s.from, notesOf(kindAcks, n)) // it is said again
}

// acknowledge returns an ack. The lock is held.
func (s *Stream) acknowledge(now time.Time) note {
	s.untold, s.announce, s.ackedAt = 0, false, now
	return note{line: s.line, term: s.term, seq: s.taken, flushed: s.pos.flushed()}
}

// ack returns what is to be told the owner, if anything.
func (s *Stream) ack() (node string, n note, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from == "" || s.behind || !s.announce || s.owner != nil {
		return "", n, false
	}
	return s.from, s.acknowledge(time.Now()), true
}

// miss makes the stream follow anew, once it has worked on what has come.
func (s *Stream) miss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inbox, s.waiting = nil, 0
	s.fallBehind(0)
}

// fallBehind says that frames are missing. The lock is held.
func (s *Stream) fallBehind(wait time.Duration) {
	if !s.behind {
		s.behind, s.wait = true, askSpace
		if wait > 0 {
			s.asked, s.wait = time.Now(), wait
		}
	}
	ring(s.bell)
}

// arrived takes a frame.
func (s *Stream) arrived(node string, f *frame, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.running || s.owner != nil || s.behind || node != s.from || f.term != s.term || f.seq < s.next:
		return
	case f.seq > s.next || s.waiting > 2*s.relay.window()+2*maxFrame:
		s.fallBehind(0)
		return
	}
	s.next++
	s.inbox = append(s.inbox, letter{frame: *f, node: node, size: size})
	s.waiting += size
	ring(s.bell)
}

// accepted takes the answer of an owner to where this node is.
func (s *Stream) accepted(node string, a *accept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running || s.owner != nil || s.nonce == 0 || a.nonce != s.nonce {
		return
	}
	s.nonce, s.behind, s.wait = 0, false, 0
	s.from, s.term, s.next = node, a.term, a.seq
	s.inbox = append(s.inbox, letter{accept: a, node: node})
	ring(s.bell)
}

// where answers an owner that asks where this node is.
func (s *Stream) where(node string, term uint64) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.owner == nil && s.from == node && s.term == term && !s.behind:
		return answer{status: answerFollowing}
	case s.owner != nil && s.owner.term > term,
		s.owner == nil && s.from != "" && s.term > term && !s.behind && !s.relay.quiet(s.from, time.Now(), deaf):
		return answer{status: answerElsewhere}
	}
	s.nonce = rand.Uint64() | 1
	if s.behind {
		s.asked, s.wait = time.Now(), askFirst
	}
	return answer{status: answerHere, nonce: s.nonce, at: s.place()}
}

// reminded is told which frame should have come.
func (s *Stream) reminded(node string, n note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == nil && node == s.from && n.term == s.term && n.seq >= s.next {
		s.fallBehind(0)
	}
}

// dismissed is told that a node does not count this one as its follower, or is no
// owner any more: then another will ask.
func (s *Stream) dismissed(node string, n note, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != nil || node != s.from || n.term != s.term {
		return
	}
	if ended {
		s.from = ""
		s.fallBehind(askFirst)
		return
	}
	s.fallBehind(0)
}

// orphaned is told that a node is gone.
func (s *Stream) orphaned(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == nil && s.from == node {
		s.from = ""
		s.fallBehind(askFirst)
	}
}
