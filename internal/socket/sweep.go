package socket

import (
	"time"

	"github.com/tutti-realtime/tutti/internal/websocket"
)

const (
	// sweepEvery is how often a part of the connections is looked at, and
	// sweepParts how many parts there are: each is looked at once a second, and
	// no part is large enough to be felt.
	sweepEvery = 100 * time.Millisecond
	sweepParts = 10
)

// scheduleSweep looks for idle and stuck connections, again and again, as long
// as there are connections at all.
func (l *loop) scheduleSweep() {
	l.sweeps = l.count > 0
	if !l.sweeps {
		return
	}
	l.timers.add(time.Now().Add(sweepEvery), func() {
		l.sweep(time.Now())
		l.scheduleSweep()
	})
}

// sweep looks at the next part of the connections.
func (l *loop) sweep(now time.Time) {
	for range len(l.slots)/sweepParts + 1 {
		if l.swept >= len(l.slots) {
			l.report(l.backlog)
			l.swept, l.backlog = 0, backlog{}
			return
		}
		if c := l.slots[l.swept]; c != nil {
			l.backlog.add(c)
			c.inspect(now)
		}
		l.swept++
	}
}

// inspect hangs up on a client that is idle, and drops one that is stuck.
func (c *conn) inspect(now time.Time) {
	defer c.rescue()
	settings := &c.loop.server.Settings
	switch {
	case c.state != stateOpen:
	case c.out != nil && c.out.stuck(now, settings.QueueAge):
		c.tooSlow()
	case now.Sub(c.heard) >= settings.Idle && !c.paused:
		c.loop.server.Metrics.hungUp(websocket.CodeNormal)
		c.Hangup(websocket.CodeNormal, "")
	}
}

// scheduleAbandoned drops clients that joined channels once and have none now,
// again and again. They get no close frame: protocol, section 1.6.
func (l *loop) scheduleAbandoned() {
	if l.server.Settings.Abandoned <= 0 {
		return
	}
	l.timers.add(time.Now().Add(l.server.Settings.Abandoned), func() {
		for _, c := range l.slots {
			if c != nil && c.state == stateOpen && c.client.Abandoned() {
				c.gone()
			}
		}
		l.scheduleAbandoned()
	})
}
