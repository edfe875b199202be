package relay

import (
	"context"
	"time"
)

// This file is what an owner knows of its followers, and how it sends to them.

// A follower is a node that takes the stream from this one, or did.
type follower struct {
	node   string
	epoch  uint64
	active bool // it is sent frames
	lacks  bool // it waits until the source begins anew
	nonce  uint64
	// confirmed is what need not be kept for it: nothing, of one that had nothing,
	// until it says where it has begun, which may be with another owner.
	confirmed uint64
	until     time.Time // when nothing is kept for it, if it is not active

	first  uint64 // frame
	flight []sent
	bytes  int           // in flight
	waited time.Duration // the others, for it, since it was level
	heard  time.Time     // its last ack
}

type sent struct {
	seq   uint64
	bytes int
	at    time.Time
}

// An outgoing is a frame that was not sent yet.
type outgoing struct {
	seq  uint64
	data []byte
}

const (
	fullFrame   = 64 << 10 // a frame of so many bytes takes no more records
	maxFrame    = 1 << 20  // a record is cut into frames of so many bytes
	maxPending  = 1 << 20  // the source waits while more is to be sent
	gather      = time.Millisecond
	silentFor   = 30 * time.Second // a follower that acknowledges nothing for so long is none
	stuckFor    = 15 * time.Second // likewise with something in flight
	refreshAcks = 5 * time.Second  // a follower says again where it is
)

// followed reports whether anybody is sent frames. The lock is held.
func (o *owner) followed() bool {
	for _, f := range o.followers {
		if f.active {
			return true
		}
	}
	return false
}

// follow takes a node as a follower, or has the source begin anew for it. One that
// was unknown stays so until it has answered, because then it also tells of nodes
// that this one may never have heard. The lock is held.
func (o *owner) follow(node string, w *follow) {
	if before := o.followers[node]; before != nil && before.epoch > w.epoch {
		return // it was on its way for longer than the node lived
	}
	f := &follower{node: node, epoch: w.epoch, nonce: w.nonce, confirmed: w.at.confirmed}
	o.followers[node] = f
	switch {
	case !w.at.known, !o.opened:
		o.accept(f, false)
	case w.at.reach() > o.known():
		// The database is not what it was, or another node has read on while this
		// one stood still. Opening the slot anew tells which.
		f.lacks = true
		o.rewind(time.Now())
	case w.at.covers(&o.read):
		o.accept(f, false)
	case w.at.reach() < max(o.since, o.sure), o.s.Temporary:
		o.accept(f, true)
	default:
		f.lacks = true
		o.rewind(time.Now())
	}
}

// accept makes a node a follower from the next frame on. The lock is held.
func (o *owner) accept(f *follower, lost bool) {
	s := o.s
	o.open = false
	f.active, f.lacks, f.first, f.heard = true, false, o.seq+1, time.Now()
	a := accept{line: s.line, nonce: f.nonce, term: o.term, seq: f.first, opened: o.opened, lost: lost}
	if o.opened {
		a.read, a.start = o.read, max(s.pos.start(), o.read.start())
	}
	o.writer.round++                                    // it knows no table
	_ = s.relay.Bus.Tell(f.node, appendAccept(nil, &a)) // it asks again
	if o.state != nil {
		o.write(func(dst []byte) []byte { return append(dst, o.state...) })
	}
}

// known returns a position behind which this node knows of nothing. The lock is
// held.
func (o *owner) known() uint64 {
	return max(o.live.End, o.read.start(), o.passed, o.s.pos.start())
}

// write adds a record to what is sent, if there is anybody to send it to. The
// lock is held.
func (o *owner) write(record func([]byte) []byte) {
	if !o.followed() {
		return
	}
	if !o.open {
		o.frame(nil)
	}
	f := o.frames[len(o.frames)-1]
	from := len(f.data)
	f.data = record(f.data)
	o.bytes += len(f.data) - from
	if len(f.data) > maxFrame {
		o.cut(f, from)
	}
	o.open = o.open && len(f.data) < fullFrame
	ring(o.bell)
}

// frame begins the next frame. The lock is held.
func (o *owner) frame(body []byte) *outgoing {
	o.seq++
	f := &outgoing{seq: o.seq}
	f.data = appendFrame(make([]byte, 0, frameHead+len(o.s.line.tenant)+max(len(body), 512)),
		&frame{line: o.s.line, term: o.term, seq: f.seq, body: body})
	o.frames = append(o.frames, f)
	o.bytes += len(f.data)
	o.open = true
	return f
}

// cut moves a record out of a frame that is too large with it, into frames of
// its own. The lock is held.
func (o *owner) cut(f *outgoing, from int) {
	record := f.data[from:]
	f.data = f.data[:from:from]
	o.bytes -= len(record)
	head := frameHead + len(o.s.line.tenant)
	for len(record) > 0 {
		n := min(len(record), maxFrame-head)
		piece := o.frame(record[:n])
		record = record[n:]
		if len(record) > 0 {
			markMore(piece.data, len(piece.data)-n)
		}
	}
	o.open = false
}

// markMore says that the record of a frame goes on. It has the flag before its
// body.
func markMore(frame []byte, body int) { frame[body-1] = 1 }

// makeRoom waits while too much is to be sent.
func (o *owner) makeRoom(ctx context.Context) error {
	for {
		o.s.mu.Lock()
		full := o.bytes > maxPending
		o.s.mu.Unlock()
		if !full {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-o.room:
		}
	}
}

// send sends frames until the context ends. The first goes at once; those that come
// within a millisecond of it go together.
func (o *owner) send(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		begun := time.Now()
		bell, wait, blocked := o.sendNext()
		if wait > 0 {
			timer.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-bell:
		case <-timer.C:
		}
		if blocked {
			o.waited(time.Since(begun))
		}
	}
}

// idle is how long a sender sleeps that nobody wakes.
const idle = time.Hour

// sendNext sends what may be sent, and returns what to wait for, and how long at
// the most. It is blocked when a follower has no room.
func (o *owner) sendNext() (bell <-chan struct{}, wait time.Duration, blocked bool) {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	patience := o.s.relay.patience()
	sent := false
	for len(o.frames) > 0 {
		if sent && o.bytes < fullFrame {
			return nil, gather, false
		}
		next := o.frames[0]
		for _, f := range o.followers {
			if !f.full(next, o.s.relay.window()) {
				continue
			}
			if f.waited >= patience {
				o.leave(f, "it is too slow")
				continue
			}
			blocked = true
			wait = max(wait, patience-f.waited)
		}
		if blocked {
			return o.level, wait, true
		}
		o.tell(next)
		sent = true
	}
	if sent {
		return nil, gather, false
	}
	return o.bell, idle, false
}

// full reports whether a frame has no room in a follower's window. One frame
// always has.
func (f *follower) full(next *outgoing, window int) bool {
	return f.active && f.first <= next.seq && f.bytes > 0 && f.bytes+len(next.data) > window
}

// waited counts how long the others have waited for those that have no room.
func (o *owner) waited(d time.Duration) {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	if len(o.frames) == 0 {
		return
	}
	for _, f := range o.followers {
		if f.full(o.frames[0], o.s.relay.window()) {
			f.waited += d
		}
	}
}

// tell sends the first frame to all. The lock is held.
func (o *owner) tell(next *outgoing) {
	r := o.s.relay
	o.frames[0] = nil
	o.frames = o.frames[1:]
	o.open = o.open && len(o.frames) > 0
	o.bytes -= len(next.data)
	ring(o.room)
	now := time.Now()
	for _, f := range o.followers {
		if !f.active || f.first > next.seq {
			continue
		}
		if err := r.Bus.Tell(f.node, next.data); err != nil {
			o.leave(f, err.Error())
			continue
		}
		f.flight = append(f.flight, sent{next.seq, len(next.data), now})
		f.bytes += len(next.data)
		r.counts.frames.Add(1)
		r.counts.bytes.Add(uint64(len(next.data)))
	}
}

// leave leaves a follower behind: it follows anew when it has worked on what it
// has. The lock is held.
func (o *owner) leave(f *follower, why string) {
	s := o.s
	s.log.Warn("a node was left behind in the stream", "node", f.node, "reason", why, "bytes", f.bytes)
	s.relay.counts.behind.Add(1)
	f.rest(time.Now().Add(s.relay.keep()))
	_ = s.relay.Bus.Tell(f.node, notesOf(kindGone, note{line: s.line, term: o.term})) // its next ack is answered so
}

// rest says that a follower is sent nothing, and holds the slot for so long.
func (f *follower) rest(until time.Time) {
	f.active, f.lacks, f.until = false, false, until
	f.flight, f.bytes, f.waited = nil, 0, 0
}

// look looks after a follower that is sent frames: reminds it of what it should
// have got, and gives it up when it says nothing. The lock is held.
func (o *owner) look(f *follower, now time.Time, beats map[string][]note) {
	const late = 300 * time.Millisecond
	notes := beats[f.node]
	if n := len(f.flight); n > 0 && now.Sub(f.flight[0].at) > late {
		notes = append(notes, note{line: o.s.line, term: o.term, seq: f.flight[n-1].seq})
	}
	beats[f.node] = notes
	quiet := now.Sub(f.heard)
	if quiet > silentFor || quiet > stuckFor && len(f.flight) > 0 {
		o.leave(f, "it is silent")
		ring(o.level)
	}
}
