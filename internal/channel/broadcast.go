package channel

import (
	"bytes"
	"errors"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// The answers to a broadcast that goes nowhere.
var (
	tooLarge  = answer{phoenix.StatusError, `"payload_size_exceeded"`} // a bare string, as clients know it
	notObject = refusal("Broadcast payload must be a JSON object")
)

// broadcast sends what the client says to all others on the topic.
func (ch *Channel) broadcast(f *phoenix.Frame) {
	if ch.access != nil && ch.access.write.broadcast != granted {
		return // with or without ack: protocol, section 5.2
	}
	c := ch.client
	t := c.Tenant.Tenant()
	if t == nil {
		return // deleted a moment ago; the socket is about to be told
	}
	if t != ch.judged {
		ch.judged, ch.guarded = t, c.Desk.Door.Guarded(t, ch.topic)
	}
	if ch.guarded && ch.forges(t, f) || ch.place != nil && ch.tellRoom(t, f) {
		return
	}
	m := tutti.Message{Topic: ch.topic, Sender: ch.id, Event: "broadcast"}
	switch {
	case f.Kind == phoenix.UserBroadcast && f.Encoding == phoenix.EncodingBinary:
		m.Form, m.Event = tutti.Binary, f.UserEvent
	case f.Kind == phoenix.UserBroadcast:
		m.Form, m.Event = tutti.JSON, f.UserEvent
	case f.Kind == phoenix.Push || !isObject(f.Payload):
		ch.acknowledge(f, notObject)
		return
	}
	m.Payload = bytes.Clone(f.Payload)
	switch err := c.Desk.Door.Send(t, c.Meters, c.Desk.Index, m); {
	case errors.Is(err, broadcast.ErrTooLarge):
		ch.acknowledge(f, tooLarge)
	case err != nil:
		c.Desk.Log.Error("broadcast failed", "tenant", ch.topic.Tenant, "topic", ch.topic.Name, "err", err)
		ch.acknowledge(f, failed)
	default:
		ch.acknowledge(f, accepted)
	}
}

// acknowledge answers a broadcast, if the channel was joined with ack.
func (ch *Channel) acknowledge(f *phoenix.Frame, a answer) {
	if ch.ack {
		ch.client.reply(ahead, f, ch.joinRef, a)
	}
}
