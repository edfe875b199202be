package socket

import (
	"runtime/debug"

	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// rescue is deferred around what one connection does. A panic there is a fault
// of ours, for which this connection ends and no other. The client is told
// nothing but a code.
func (c *conn) rescue() {
	if fault := recover(); fault != nil {
		c.failed(fault)
	}
}

// rescued calls f, and rescues everything else from it.
func (c *conn) rescued(f func(*conn)) {
	defer c.rescue()
	f(c)
}

// failed logs a panic and hangs up. Whatever broke may break again on the way
// out: then the timer that Hangup sets, or the end of the connection, is left.
func (c *conn) failed(fault any) {
	c.loop.server.Log.Error("connection panicked", "tenant", c.client.TenantID, "err", fault, "stack", string(debug.Stack()))
	c.loop.server.Metrics.hungUp(websocket.CodeInternal)
	defer func() { _ = recover() }()
	c.Hangup(websocket.CodeInternal, "")
}

// deliver hands out a message. Who panics is hung up on; those behind it miss
// the message, and hear the next. It returns to how many the message went.
func (l *loop) deliver(m *hub.Message) (n int) {
	l.hearing(func() { n = l.desk.Shard.Deliver(m) })
	l.server.Metrics.delivered(l.index, n)
	return n
}

// hand calls f, which goes on where it stopped when it is called again after a
// client has panicked, who is hung up on.
func (l *loop) hand(f func()) {
	for !l.hearing(f) {
	}
}

// hearing calls f, in which clients are given something, and reports whether
// none of them panicked.
func (l *loop) hearing(f func()) (fine bool) {
	defer func() {
		fault := recover()
		if fault == nil {
			return
		}
		if c, is := l.desk.Hearing().(*conn); is {
			c.failed(fault)
			return
		}
		panic(fault) // not of anybody who listens
	}()
	f()
	return true
}
