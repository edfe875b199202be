package relay

import "sync/atomic"

// counts is what happened since the node started.
type counts struct {
	rewinds, behind, frames, bytes, received atomic.Uint64
}

// Stats is how many streams there are, and what happened since the node started.
type Stats struct {
	Owned    int // streams that this node reads
	Followed int // streams that it gets from other nodes
	Waiting  int // streams that nobody is known to own

	Rewinds    uint64 // times that a slot was read again for a follower
	LeftBehind uint64 // times that a follower was too slow, or silent
	Batches    uint64 // sent to followers, counted for each
	Bytes      uint64 // of them
	Received   uint64 // batches of owners
}

// Stats returns the numbers as of now.
func (r *Relay) Stats() Stats {
	c := &r.counts
	st := Stats{
		Rewinds: c.rewinds.Load(), LeftBehind: c.behind.Load(),
		Batches: c.frames.Load(), Bytes: c.bytes.Load(), Received: c.received.Load(),
	}
	for _, s := range r.all() {
		s.mu.Lock()
		switch {
		case s.owner != nil:
			st.Owned++
		case s.from != "" && !s.behind:
			st.Followed++
		default:
			st.Waiting++
		}
		s.mu.Unlock()
	}
	return st
}
