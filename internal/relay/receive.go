package relay

import (
	"context"
	"time"
)

// Receive takes what another node tells. It only queues. Calls are one after
// another, as they were made by each node.
func (r *Relay) Receive(node string, payload []byte) {
	r.mu.Lock()
	r.begin()
	r.heard[node] = time.Now()
	r.mu.Unlock()
	c := &cursor{rest: payload}
	switch c.byte() {
	case kindFrame:
		if f := c.frame(); c.err == nil {
			r.frame(node, &f, len(payload))
		}
	case kindFollow:
		f := c.follow()
		if s := r.stream(f.line); c.end() == nil && s != nil {
			s.follower(node, &f)
		}
	case kindAccept:
		a := c.accept()
		if s := r.stream(a.line); c.end() == nil && s != nil {
			s.accepted(node, &a)
		}
	case kindAcks:
		c.notes(func(n note) { r.acked(node, n) })
	case kindBeat:
		c.notes(func(n note) {
			if s := r.stream(n.line); s != nil {
				s.reminded(node, n)
			}
		})
	case kindGone, kindEnd:
		c.notes(func(n note) {
			if s := r.stream(n.line); s != nil {
				s.dismissed(node, n, payload[0] == kindEnd)
			}
		})
	case kindLeave:
		c.notes(func(n note) {
			if s := r.stream(n.line); s != nil {
				s.forget(node, n.seq) // of the life that said so
			}
		})
	case kindGaps:
		if all := c.gaps(); c.err == nil {
			r.misses(all, time.Now())
		}
	} // others are of a newer release
}

func (r *Relay) frame(node string, f *frame, size int) {
	s := r.stream(f.line)
	if s == nil {
		_ = r.Bus.Tell(node, notesOf(kindLeave, note{line: f.line, term: f.term, seq: r.Epoch})) // the next frame says it again
		return
	}
	r.counts.received.Add(1)
	s.arrived(node, f, size)
}

func (r *Relay) acked(node string, n note) {
	if s := r.stream(n.line); s == nil || !s.acked(node, n) {
		_ = r.Bus.Tell(node, notesOf(kindGone, n)) // the next ack says it again
	}
}

// Answer answers what another node asks.
func (r *Relay) Answer(_ context.Context, node string, payload []byte) ([]byte, error) {
	r.mu.Lock()
	r.begin()
	r.heard[node] = time.Now()
	r.mu.Unlock()
	c := &cursor{rest: payload}
	var all []answer
	switch kind := c.byte(); kind {
	case kindOwn, kindUses:
		c.notes(func(n note) {
			s := r.stream(n.line)
			switch {
			case s == nil:
				all = append(all, answer{status: answerNone})
			case kind == kindUses:
				all = append(all, answer{status: answerElsewhere})
			default:
				all = append(all, s.where(node, n.term))
			}
		})
	default:
		return nil, errUnknown
	}
	if c.err != nil {
		return nil, c.err
	}
	return appendAnswers(nil, r.Epoch, all, r.gaps(time.Now())), nil
}

// Joined is told that a node is there.
func (r *Relay) Joined(node string, epoch uint64) {
	r.mu.Lock()
	r.begin()
	r.present[node] = epoch
	m, missed := r.missing[node]
	delete(r.missing, node)
	asks := r.asking
	r.mu.Unlock()
	anew := missed && epoch > m.epoch // another life, which knows nothing of the one before
	for _, s := range r.all() {
		if anew {
			s.forget(node, m.epoch)
		}
		s.joined(node, epoch)
	}
	ring(asks)
	// It may never have met who is missing here, and own a stream of theirs.
	_ = r.Bus.Tell(node, appendGaps([]byte{kindGaps}, r.gaps(time.Now())))
}

// misses takes over who is missing elsewhere.
func (r *Relay) misses(all []gap, now time.Time) {
	lacking := r.lacking(now, all)
	for node, d := range lacking {
		r.mu.Lock()
		if m := r.missing[node]; m.epoch <= d.epoch {
			r.missing[node] = absence{d.epoch, d.until.Add(-r.keep())}
		}
		r.mu.Unlock()
	}
	for _, s := range r.all() {
		s.mu.Lock()
		if s.owner != nil {
			s.owner.miss(lacking)
		}
		s.mu.Unlock()
	}
}

// Left is told that a node has said goodbye, or has begun a new life: nobody
// waits for what it was. The new life may have been heard before.
func (r *Relay) Left(node string) {
	r.mu.Lock()
	r.begin()
	epoch := max(r.present[node], r.missing[node].epoch)
	r.left[node] = max(r.left[node], epoch)
	delete(r.present, node)
	delete(r.missing, node)
	r.mu.Unlock()
	for _, s := range r.all() {
		s.forget(node, epoch)
		s.orphaned(node)
	}
}

// Lost is told that a node is silent. It may live, and come back.
func (r *Relay) Lost(node string) {
	now := time.Now()
	r.mu.Lock()
	r.begin()
	r.missing[node] = absence{r.present[node], now}
	delete(r.present, node)
	r.mu.Unlock()
	for _, s := range r.all() {
		s.lost(node, now)
		s.orphaned(node)
	}
	_ = r.Bus.Tell("", appendGaps([]byte{kindGaps}, r.gaps(now)))
}

// gaps returns who is missing, and forgets those that are for longer than Keep.
// Those that are here are told as well: who asks may not hear them, or not yet.
func (r *Relay) gaps(now time.Time) []gap {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
	var all []gap
	for node, m := range r.missing {
		if now.Sub(m.since) >= r.keep() {
			delete(r.missing, node)
			continue
		}
		all = append(all, gap{node, m.epoch, now.Sub(m.since)})
	}
	for node, epoch := range r.present {
		all = append(all, gap{node, epoch, 0})
	}
	return all
}

// lacking returns until when those have to be waited for that are missing, as
// this node or those that have answered know.
func (r *Relay) lacking(now time.Time, told []gap) map[string]doubt {
	told = append(told, r.gaps(now)...)
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]doubt{}
	for _, g := range told {
		_, here := r.present[g.node]
		if here || g.node == r.Node || g.epoch != 0 && g.epoch <= r.left[g.node] {
			continue
		}
		if end := now.Add(r.keep() - g.since); end.After(now) && end.After(all[g.node].until) {
			all[g.node] = doubt{end, g.epoch}
		}
	}
	return all
}

// quiet reports whether a node was not heard for a while.
func (r *Relay) quiet(node string, now time.Time, d time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Sub(r.heard[node]) > d
}

func (r *Relay) here(node string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, here := r.present[node]
	return here
}
