package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// joinRef is the join ref of every connection, and the ref of its join: each is
// a client of its own.
const joinRef = `"1"`

// beatRef is the ref of every heartbeat.
const beatRef = `"hb"`

// userEvent is the name of every broadcast.
const userEvent = "bench"

// mask returns a key for a frame. It need not be secret here.
func mask() (key [4]byte) {
	binary.LittleEndian.PutUint32(key[:], rand.Uint32())
	return key
}

// appendTopic appends the topic of a room as it stands on the wire.
func (r *runner) appendTopic(dst []byte, room int) []byte {
	dst = append(dst, tutti.TopicPrefix+"bench-"...)
	dst = append(dst, r.nonce...)
	dst = append(dst, '-')
	return strconv.AppendInt(dst, int64(room), 10)
}

// push sends an event to the topic of a connection.
func (r *runner) push(c *conn, topic []byte, event string, payload []byte) {
	c.ref++
	r.send(c, &phoenix.Frame{
		JoinRef: phoenix.Ref(joinRef), Ref: strconv.AppendQuote(nil, strconv.Itoa(c.ref)),
		Topic: topic, Event: event, Payload: payload,
	})
}

// send sends a message as a text frame.
func (r *runner) send(c *conn, f *phoenix.Frame) {
	r.scratch = phoenix.AppendClient(r.scratch[:0], r.settings.version(), f)
	r.framed = websocket.AppendMasked(r.framed[:0], websocket.Text, mask(), r.scratch)
	c.wire.write(r.framed)
}

// beatEvery is the distance of a connection's heartbeats, as supabase-js has it.
const beatEvery = 25 * time.Second

// A wheel spreads heartbeats over beatEvery: each connection has its turn once
// a round.
type wheel struct{ done int } // turns since the run began

// beat sends the heartbeats that are due, and counts those without a reply.
func (r *runner) beat(now time.Duration) {
	n := len(r.conns)
	due := int(int64(now) / int64(time.Millisecond) * int64(n) / int64(beatEvery/time.Millisecond))
	for ; r.beats.done < due; r.beats.done++ {
		c := r.conns[r.beats.done%n]
		if c.state != joined {
			continue
		}
		if c.beat != 0 {
			r.fail(c, fmt.Sprintf("heartbeat not answered within %v", beatEvery))
			continue
		}
		c.beat = now
		r.send(c, &phoenix.Frame{
			Ref: phoenix.Ref(beatRef), Topic: []byte(phoenix.HeartbeatTopic), Event: phoenix.EventHeartbeat,
		})
	}
}

// message takes what the server said: the scenario's business, or the channel's.
func (r *runner) message(c *conn, m message) {
	if r.scenario.receive(c, m) {
		return
	}
	f, err := phoenix.DecodeServer(r.settings.version(), m.text, m.data)
	if err != nil {
		r.failures.add("the server sent what is no message: " + err.Error())
		return
	}
	switch f.Event {
	case phoenix.EventReply:
		r.reply(c, &f, m.at)
	case phoenix.EventSystem:
		if text, _ := phoenix.Lookup(f.Payload, "status"); string(text) != `"ok"` {
			r.failures.add("system message: " + lookupText(f.Payload, "message"))
		}
	case phoenix.EventClose:
		r.fail(c, "channel closed by the server (phx_close)")
	case phoenix.EventError:
		r.fail(c, "channel broke (phx_error)")
	}
}

// reply takes the reply to a join, to a heartbeat or to another push.
func (r *runner) reply(c *conn, f *phoenix.ServerFrame, at time.Duration) {
	status, _ := phoenix.Lookup(f.Payload, "status")
	ok := string(status) == `"ok"`
	switch {
	case string(f.Ref) == beatRef:
		if c.beat != 0 {
			r.heartbeat.Add(at - c.beat)
			c.beat = 0
		}
	case c.state == joining && ok:
		c.state = joined
		r.opening--
		r.joined++
		r.connect.Add(at - c.began)
	case c.state == joining:
		r.fail(c, "join refused: "+refusal(f.Payload))
	case !ok:
		r.failures.add("error reply: " + refusal(f.Payload))
	}
}

// refusal returns the reason in an error reply.
func refusal(payload []byte) string {
	response, _ := phoenix.Lookup(payload, "response")
	if bytes.HasPrefix(response, []byte("{")) {
		return lookupText(response, "reason")
	}
	return clip(string(response))
}

// lookupText returns a string in an object, or the object if it is not there.
func lookupText(object []byte, key string) string {
	raw, _ := phoenix.Lookup(object, key)
	if text, ok := phoenix.Unquote(raw); ok {
		return clip(text)
	}
	return clip(string(object))
}
