package socket

import (
	"context"
	"time"

	"github.com/tutti-realtime/tutti/internal/websocket"
)

// beat is how often a loop that drains hangs up on those whose turn has come.
const beat = 10 * time.Millisecond

// Refuse makes the node take no more clients: handshakes are told to go to
// another node. Those that are connected stay.
func (s *Server) Refuse() { s.draining.Store(true) }

// Drain hangs up on every client, so that they connect to another node, and
// returns when they are gone or ctx has ended. It does so at an even rate over
// spread, at once if that is 0, so that the other nodes and the database are not
// met by all of them together. When ctx ends all are hung up on that are left,
// which nobody waits for.
func (s *Server) Drain(ctx context.Context, spread time.Duration) error {
	s.Refuse()
	spread = s.affordable(ctx, spread)
	gone := make(chan struct{}, len(s.loops))
	began := time.Now()
	for i, l := range s.loops {
		d := &drain{loop: l, began: began, spread: spread, phase: float64(i) / float64(len(s.loops))}
		l.post(func() {
			d.start()
			l.whenEmpty(func() { gone <- struct{}{} })
		})
	}
	for range s.loops {
		select {
		case <-gone:
		case <-ctx.Done():
			s.each((*conn).restart)
			return context.Cause(ctx)
		}
	}
	return nil
}

// affordable shortens a spread so that the last clients have time to close as
// well before ctx ends, or at least half of what there is.
func (s *Server) affordable(ctx context.Context, spread time.Duration) time.Duration {
	deadline, some := ctx.Deadline()
	if !some {
		return spread
	}
	left := time.Until(deadline)
	return max(0, min(spread, max(left-s.Settings.CloseHandshake, left/2)))
}

// restart hangs up on a client that shall come back, to this node or another.
func (c *conn) restart() { c.Hangup(websocket.CodeRestart, "") }

// A drain is how a loop hangs up on its clients one after the other. It belongs
// to the loop.
type drain struct {
	loop   *loop
	began  time.Time
	spread time.Duration
	phase  float64 // of a step; loops have different ones, so that they take turns
	count  int     // clients that there were in the beginning
	told   int     // so many have been hung up on
	slot   int     // where to go on
}

// start counts the clients and begins. Those who come later are hung up on as
// they come.
func (d *drain) start() {
	for _, c := range d.loop.slots {
		if c != nil && c.state == stateOpen {
			d.count++
		}
	}
	d.step()
}

// step hangs up on those whose time has come, and sees to it that the others'
// comes. Who leaves by themselves make it end earlier, not faster.
func (d *drain) step() {
	now := time.Now()
	for d.told < d.count && !d.turn().After(now) {
		c := d.next()
		if c == nil {
			return
		}
		d.told++
		c.rescued((*conn).restart)
	}
	if d.told == d.count {
		return
	}
	at := d.turn()
	if soonest := now.Add(beat); at.Before(soonest) {
		at = soonest
	}
	d.loop.timers.add(at, d.step)
}

// turn is when the next client is hung up on.
func (d *drain) turn() time.Time {
	part := (float64(d.told) + d.phase) / float64(d.count)
	return d.began.Add(time.Duration(part * float64(d.spread)))
}

// next returns the next client that is connected, or nil when none is left.
func (d *drain) next() *conn {
	for d.slot < len(d.loop.slots) {
		c := d.loop.slots[d.slot]
		d.slot++
		if c != nil && c.state == stateOpen {
			return c
		}
	}
	return nil
}
