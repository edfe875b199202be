package channel

import (
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// An answer is the payload of a phx_reply.
type answer struct{ status, response string }

// dismissal is the only system payload that names no channel.
const dismissal = `{"extension":"system","message":"Server requested disconnect","status":"ok"}`

// The answers that are always the same.
var (
	accepted  = answer{phoenix.StatusOK, "{}"}
	failed    = answer{phoenix.StatusError, "{}"}
	unmatched = refusal("unmatched topic")
	crowded   = refusal("too many channels joined")
	longTopic = refusal("topic is longer than 8192 bytes")
)

// refusal returns the answer that gives a reason in words.
func refusal(reason string) answer {
	return answer{phoenix.StatusError, string(append(phoenix.AppendString([]byte(`{"reason":`), reason), '}'))}
}

// Replies to what a channel does go ahead of the messages that wait for a slow
// client. The replies that begin and end a channel keep their place, since the
// frames around them mean something else before and after.
const (
	ordered = false
	ahead   = true
)

// reply answers the frame f.
func (c *Client) reply(urgent bool, f *phoenix.Frame, joinRef phoenix.Ref, a answer) {
	c.send(urgent, func(dst []byte) []byte {
		return phoenix.AppendReply(dst, c.Version, phoenix.Reply{
			JoinRef: joinRef, Ref: f.Ref, Topic: string(f.Topic), Status: a.status, Response: []byte(a.response)})
	})
}

// send queues what encode appends as one text frame.
func (c *Client) send(urgent bool, encode func([]byte) []byte) {
	buf := encode(make([]byte, websocket.Room, 192))
	c.Line.Send(websocket.Seal(websocket.Text, buf), urgent)
}

// push sends an event of the channel itself, behind all that was sent before.
func (ch *Channel) push(event string, payload []byte) {
	c := ch.client
	c.send(false, func(dst []byte) []byte {
		return phoenix.AppendPush(dst, c.Version, ch.joinRef, ch.topic.Wire(), event, payload)
	})
}

// system sends a system event. Texts are the reference's: protocol, section 3.6.
func (ch *Channel) system(extension, status, message string) {
	b := phoenix.AppendString([]byte(`{"channel":`), ch.topic.Name)
	b = phoenix.AppendString(append(b, `,"extension":`...), extension)
	b = phoenix.AppendString(append(b, `,"message":`...), message)
	b = phoenix.AppendString(append(b, `,"status":`...), status)
	b = append(b, '}')
	ch.client.Desk.Shard.Note(ch.topic, NoteSystem, b)
	ch.push(phoenix.EventSystem, b)
}

// isObject reports whether raw, which is valid JSON without space around it, is
// an object.
func isObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }

func isNull(raw []byte) bool { return string(raw) == "null" }
