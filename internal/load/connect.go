package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// maxOpening is how many connections may be on their way at once. A server's
// backlog holds 4,096 at most; what does not fit would wait for a second.
const maxOpening = 512

// maxMessage is the longest message that is taken, in bytes.
const maxMessage = 64 << 20

// connectAll opens all connections. The first goes alone: what it is refused
// for, all others would be refused for.
func (r *runner) connectAll(ctx context.Context) {
	interval := time.Second / time.Duration(r.settings.ConnectRate)
	dialed, next := 0, r.now()
	overdue := 0 // connections before it have joined, ended or were given up
	first := r.conns[0]
	r.pump(ctx, time.Duration(1<<62), func(now time.Duration) (time.Duration, bool) {
		if dialed > 0 && first.state == ended && r.connect.total == 0 {
			return 0, true
		}
		for dialed < len(r.conns) && next <= now && r.opening < maxOpening && (dialed == 0 || first.state >= joined) {
			r.dial(ctx, r.conns[dialed])
			dialed++
			next = max(next+interval, now-glance) // catch up a little, not all at once
		}
		for overdue < dialed && r.resolved(r.conns[overdue], now) {
			overdue++
		}
		if dialed == len(r.conns) && r.opening == 0 {
			return 0, true
		}
		return max(next, now+time.Millisecond), false
	})
}

// resolved reports whether a connection has come as far as it will, and gives up
// one that takes too long.
func (r *runner) resolved(c *conn, now time.Duration) bool {
	if c.state < joined && now-c.began > patience {
		r.fail(c, fmt.Sprintf("not joined within %v (%v)", patience, c.state))
	}
	return c.state >= joined
}

// String names the step that a connection takes.
func (s state) String() string {
	return [...]string{"waiting", "connecting", "waiting for the handshake", "waiting for the join", "joined", "ended"}[s]
}

func (r *runner) dial(ctx context.Context, c *conn) {
	c.state, c.began = dialing, r.now()
	r.opening++
	r.poller.dial(ctx, c)
}

// established sends the handshake on a new wire.
func (r *runner) established(c *conn) {
	c.state = shaking
	c.wire.write(r.hello)
}

// received takes the next bytes of the server.
func (r *runner) received(c *conn, data []byte) {
	if c.state == shaking {
		data = r.shake(c, data, false)
		if len(data) == 0 {
			return
		}
	}
	at := r.now()
	err := c.reader.Read(data, func(op websocket.Opcode, payload []byte) error {
		return r.frame(c, op, message{op == websocket.Text, payload, at})
	})
	var fault *websocket.CloseError
	switch {
	case c.state == ended || err == nil:
	case errors.As(err, &fault):
		r.fail(c, "the server broke the WebSocket protocol: "+fault.Reason)
	default:
		r.fail(c, err.Error())
	}
}

// shake takes bytes of the answer to the handshake, and returns those after it.
func (r *runner) shake(c *conn, data []byte, isLast bool) []byte {
	c.head = append(c.head, data...)
	a, ok := parseAnswer(c.head, isLast)
	if !ok {
		return nil
	}
	c.head = nil
	if a.refusal != "" {
		r.fail(c, "handshake refused: "+a.refusal)
		return nil
	}
	c.state = joining
	topic, payload := r.scenario.join(c.id)
	r.push(c, topic, phoenix.EventJoin, payload)
	return a.rest
}

// roomJoin returns what a connection joins that goes to a room. key is its
// presence key, "" for none.
func (r *runner) roomJoin(room int, key string) (topic, payload []byte) {
	payload = fmt.Appendf(nil, `{"config":{"broadcast":{"ack":false,"self":false},"presence":{"key":"%s","enabled":%t},"postgres_changes":[],"private":%t}}`,
		key, key != "", r.settings.Private)
	return r.appendTopic(nil, room), payload
}

// errEnded ends the reading of a connection that is closed.
var errEnded = errors.New("ended")

// frame takes one frame of the server.
func (r *runner) frame(c *conn, op websocket.Opcode, m message) error {
	switch op {
	case websocket.Text, websocket.Binary:
		r.message(c, m)
	case websocket.Ping:
		r.framed = websocket.AppendMasked(r.framed[:0], websocket.Pong, mask(), m.data)
		c.wire.write(r.framed)
	case websocket.Close:
		code, why, err := websocket.ParseClose(m.data)
		if err != nil {
			return err
		}
		r.fail(c, fmt.Sprintf("closed by the server: %d %s", code, clip(why)))
	}
	if c.state == ended {
		return errEnded
	}
	return nil
}

// gone is told that a wire has ended.
func (r *runner) gone(c *conn, err error) {
	if c.state == shaking && len(c.head) > 0 {
		r.shake(c, nil, true)
	}
	switch {
	case c.state == ended:
	case errors.Is(err, io.EOF):
		r.fail(c, "closed by the server without a word while "+c.state.String())
	case c.state == dialing:
		r.fail(c, err.Error())
	default:
		r.fail(c, fmt.Sprintf("connection lost while %v: %v", c.state, err))
	}
}

// fail ends a connection for a reason.
func (r *runner) fail(c *conn, reason string) {
	r.failures.add(reason)
	switch c.state {
	case dialing, shaking, joining:
		r.opening--
	case joined:
		r.joined--
	}
	c.state = ended
	c.head = nil
	if c.wire != nil {
		c.wire.close()
	}
}
