package socket

import (
	"errors"
	"io"
	"time"

	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/tally"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// errBlocked says that a wire takes or has nothing now.
var errBlocked = errors.New("would block")

// A wire is the bytes of one connection, as its loop sees them. No method
// blocks. *descriptor and *stream are wires.
type wire interface {
	// read returns what has come, which is good until the next read of the
	// loop; errBlocked when nothing has; any other error when nothing will.
	read(buf []byte) ([]byte, error)
	// write takes what it can now, and returns errBlocked when that was not
	// all: then the loop hears of it when more can be taken.
	write(b []byte) (int, error)
	// pause says whether anything should be read.
	pause(bool)
	// shut ends the sending side.
	shut()
	close()
}

const (
	stateOpen    = iota
	stateClosing // the close frame is queued; nothing more is
	stateShut    // the close frame is sent; the client's is awaited
	stateGone
)

// A conn is one WebSocket. It belongs to its loop.
type conn struct {
	loop   *loop
	wire   wire
	client channel.Client
	reader websocket.Reader
	out    *outbox // nil while nothing waits
	ending *timer  // hangs up for good when the client does not close

	heard      time.Time // when the last byte came
	generation uint32    // tells this connection from others that had its slot
	slot       int32
	state      uint8
	dirty      bool // in loop.dirty, where only the loop takes it out
	blocked    bool // the wire said so
	paused     bool // nothing is read
}

// read handles what has come from the client.
func (c *conn) read() {
	data, err := c.wire.read(c.loop.input)
	switch {
	case err == errBlocked:
	case err != nil:
		c.gone()
	default:
		c.received(data)
	}
}

// received handles bytes of the client. It changes them.
func (c *conn) received(data []byte) {
	defer c.rescue()
	if c.state >= stateClosing {
		c.drained(data)
		return
	}
	c.heard = c.arrival()
	if c.client.Meters != nil {
		c.client.Meters.Tally.Add(c.loop.index, tally.InputBytes, int64(len(data)))
	}
	if err := c.reader.Read(data, c.message); err != nil {
		c.broken(err)
	}
	if c.client.Congested() && c.state == stateOpen {
		c.paused = true
		c.wire.pause(true)
	}
	if c.out != nil && c.out.urgent() && !c.blocked {
		c.flush()
	}
}

// arrival returns when the bytes at hand were read. Those of a stream may have
// waited for the loop.
func (c *conn) arrival() time.Time {
	if s, is := c.wire.(*stream); is && !s.at.IsZero() {
		return s.at
	}
	return time.Now()
}

// broken hangs up for what a client sent.
func (c *conn) broken(err error) {
	var ending *websocket.CloseError
	switch {
	case errors.Is(err, io.EOF):
		// The client closes, and has been answered.
	case errors.As(err, &ending):
		c.loop.server.Metrics.hungUp(ending.Code)
		c.Hangup(ending.Code, ending.Reason)
	default:
		c.loop.server.Log.Error("reading from a client failed", "tenant", c.client.TenantID, "err", err)
		c.Hangup(websocket.CodeInternal, "")
	}
}

// message handles one message or control frame.
func (c *conn) message(op websocket.Opcode, payload []byte) error {
	switch op {
	case websocket.Text, websocket.Binary:
		c.phoenix(op == websocket.Text, payload)
		if c.state >= stateClosing {
			return io.EOF
		}
	case websocket.Ping:
		c.Send(websocket.AppendFrame(nil, websocket.Pong, payload), true)
	case websocket.Close:
		code, _, err := websocket.ParseClose(payload)
		if err != nil {
			return err
		}
		c.Hangup(code, "")
		return io.EOF
	}
	return nil
}

// phoenix handles a message. One that is malformed is dropped: protocol,
// section 2.6.
func (c *conn) phoenix(text bool, payload []byte) {
	frame := &c.loop.frame
	var err error
	*frame, err = phoenix.Decode(c.client.Version, text, payload)
	if err != nil {
		var malformed *phoenix.MalformedError
		errors.As(err, &malformed)
		c.loop.server.Metrics.malformed(malformed.Code)
		c.loop.server.Log.Debug("dropped a frame", "code", malformed.Code, "tenant", c.client.TenantID, "err", err)
		return
	}
	frame.At = c.heard
	c.client.Receive(frame)
	*frame = phoenix.Frame{}
}

// drained handles what a client sends to a connection that is ending: only the
// wait for its close matters, and a server that stops reading would lose its
// own last frames to a reset.
func (c *conn) drained(data []byte) {
	if c.state == stateShut && len(data) > 0 && data[0]&0x0F == byte(websocket.Close) {
		c.gone()
	}
}

// Send queues a whole frame. It is channel.Line's.
func (c *conn) Send(frame []byte, urgent bool) {
	if c.state != stateOpen {
		return
	}
	c.enqueue(frame, urgent)
	if c.overfull() {
		c.flush() // in one turn of the loop more may come than may wait
	}
	if c.overfull() && c.state == stateOpen {
		c.tooSlow()
	}
}

// overfull reports whether more waits than may. One frame always may.
func (c *conn) overfull() bool {
	return c.out != nil && c.out.waiting() > 1 && c.out.weight() > c.loop.server.Settings.QueueBytes
}

// enqueue makes the loop write a frame soon.
func (c *conn) enqueue(frame []byte, urgent bool) {
	if c.out == nil {
		c.out = c.loop.box()
	}
	c.out.add(frame, urgent)
	if !c.dirty && !c.blocked {
		c.dirty = true
		c.loop.dirty = append(c.loop.dirty, c)
	}
}

// tooSlow hangs up on a client that does not take what it is sent. What waits
// for it is dropped, so that it may still hear why.
func (c *conn) tooSlow() {
	c.loop.server.Metrics.hungUp(websocket.CodeTryLater)
	if c.client.Meters != nil {
		c.client.Meters.Tally.Add(c.loop.index, tally.SlowClients, 1)
	}
	c.loop.server.Log.Warn("client is too slow", "code", "SlowClient", "tenant", c.client.TenantID, "bytes", c.out.bytes)
	c.out.drop()
	c.Hangup(websocket.CodeTryLater, "client is too slow: it did not take what was sent to it")
}

// Hangup ends the connection with a close code, after all that was sent. It is
// channel.Line's.
func (c *conn) Hangup(code int, reason string) {
	if c.state != stateOpen {
		return
	}
	c.state = stateClosing
	c.enqueue(websocket.AppendFrame(nil, websocket.Close, websocket.AppendClose(nil, code, reason)), false)
	c.ending = c.loop.timers.add(time.Now().Add(c.loop.server.Settings.CloseHandshake), c.gone)
	c.resume() // or the client's close would not be seen
	c.client.Gone()
}

// resume reads on, where that was paused.
func (c *conn) resume() {
	if !c.paused {
		return
	}
	c.paused = false
	c.heard = time.Now() // it may have said much that nobody listened to
	c.wire.pause(false)
}

// After calls f on the loop when d has passed. It is channel.Line's.
func (c *conn) After(d time.Duration, f func()) (stop func()) {
	t := c.loop.timers.add(time.Now().Add(d), func() {
		if c.state != stateOpen {
			return
		}
		defer c.rescue()
		f()
		if !c.client.Congested() && c.state == stateOpen {
			c.resume()
		}
	})
	return func() { c.loop.timers.remove(t) }
}

// flush writes what waits, as much as the wire takes.
func (c *conn) flush() {
	if c.out == nil || c.blocked || c.state == stateGone {
		return
	}
	frames := c.out.waiting()
	n, err := c.out.flush(c.wire, c.loop.output)
	if n > 0 {
		c.loop.wrote(c.client.Meters, n, frames-c.out.waiting())
	}
	switch {
	case err == errBlocked:
		c.blocked = true
		return
	case err != nil:
		c.gone()
		return
	}
	c.loop.spare(c.out)
	c.out = nil
	if c.state == stateClosing {
		c.state = stateShut
		c.wire.shut()
	}
}

// gone ends the connection at once.
func (c *conn) gone() {
	if c.state == stateGone {
		return
	}
	open := c.state == stateOpen
	c.state = stateGone
	if c.ending != nil {
		c.loop.timers.remove(c.ending)
	}
	c.wire.close()
	c.loop.spare(c.out)
	c.out = nil
	c.loop.remove(c)
	if open {
		c.rescued(func(c *conn) { c.client.Gone() })
	}
}
