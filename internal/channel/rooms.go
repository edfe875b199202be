package channel

import (
	"bytes"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// Rooms is where the topics are that belong to an extension. *extend.Host has
// them. Its methods are called on event loops and do not block.
type Rooms interface {
	// Bare reports whether a topic without "realtime:" is a room.
	Bare(t *tutti.Tenant, name string) bool
	// Enter makes a channel a member of the room that its topic is; nil when it is
	// none. Now says what the tenant is like later on.
	Enter(t *tutti.Tenant, now func() *tutti.Tenant, topic tutti.Topic, v *Visitor) Place
}

// A Visitor is a channel that wants to be a member of a room. Its functions are
// called on its event loop.
type Visitor struct {
	tutti.Member     // without its ID
	Loop         int // its number
	Hear         func(event string, payload []byte)
	Refuse       func(reason string)
}

// A Place is that of a channel in a room.
type Place interface {
	// Hears reports whether an event is for the room's actor, and not for all.
	Hears(event string) bool
	// Answer answers an event at once, where that is to be. It keeps nothing.
	Answer(name string, payload []byte, at time.Time) (event string, answer []byte, ok bool)
	// Hear brings an event to the actor. It keeps payload.
	Hear(name string, payload []byte, at time.Time)
	// Renew says which claims the channel has now.
	Renew(tutti.Claims)
	Leave()
}

// bare reports whether a topic without "realtime:" can be joined.
func (c *Client) bare(name string) bool {
	t := c.Tenant.Tenant()
	return t != nil && name != "" && c.Desk.Rooms != nil && c.Desk.Rooms.Bare(t, name)
}

// attend makes the channel a member of the room that its topic is, if it is one.
// Join is the payload of its join.
func (ch *Channel) attend(join []byte) {
	c := ch.client
	t := c.Tenant.Tenant()
	if c.Desk.Rooms == nil || t == nil || ch.ended() {
		return
	}
	ch.place = c.Desk.Rooms.Enter(t, c.Tenant.Tenant, ch.topic, &Visitor{
		Member: tutti.Member{Claims: ch.token.Claims, Key: ch.key, Join: join},
		Loop:   c.Desk.Index,
		Hear:   ch.hearRoom,
		Refuse: ch.shutdown,
	})
}

// hearRoom sends the client what its room has for it alone.
func (ch *Channel) hearRoom(event string, payload []byte) {
	if ch.ended() {
		return
	}
	ch.Deliver(&hub.Message{Message: tutti.Message{Topic: ch.topic, Form: tutti.JSON, Event: event, Payload: payload}})
}

// tellRoom gives a broadcast to the room, if it is for it. It reports whether that
// was so.
func (ch *Channel) tellRoom(t *tutti.Tenant, f *phoenix.Frame) bool {
	name, payload, ok := roomEvent(f)
	if !ok || !ch.place.Hears(name) {
		return false
	}
	c := ch.client
	if err := c.Desk.Door.Admit(t, c.Meters, c.Desk.Index, payload); err != nil {
		ch.acknowledge(f, tooLarge)
		return true
	}
	if event, answer, done := ch.place.Answer(name, payload, f.At); done {
		ch.answerNow(event, answer)
	} else {
		ch.place.Hear(name, bytes.Clone(payload), f.At)
	}
	ch.acknowledge(f, accepted)
	return true
}

// forges reports whether a broadcast has a name that only the room may use. Then its
// client is told so, and it goes nowhere.
func (ch *Channel) forges(t *tutti.Tenant, f *phoenix.Frame) bool {
	name, named := eventName(f)
	if !named {
		return false
	}
	c := ch.client
	why := c.Desk.Door.Forged(t, ch.topic, name, broadcast.FromClient)
	if why == nil {
		return false
	}
	c.Meters.Events.Add(c.Desk.Index, 1)
	ch.acknowledge(f, refusal(why.Error()))
	ch.hearRoom(tutti.ExtensionError, broadcast.Denial(name, why))
	return true
}

// eventName returns the name of a broadcast as its hearers see it, false when it has
// none.
func eventName(f *phoenix.Frame) (string, bool) {
	switch {
	case f.Kind == phoenix.UserBroadcast:
		return f.UserEvent, true
	case f.Kind != phoenix.Text || !isObject(f.Payload):
		return "", false
	}
	raw, _ := phoenix.Lookup(f.Payload, "event")
	return phoenix.Unquote(raw)
}

// roomEvent returns the name and the payload of a broadcast, false for one that no
// room could read.
func roomEvent(f *phoenix.Frame) (name string, payload []byte, ok bool) {
	payload = f.Payload
	name, ok = eventName(f)
	if f.Kind == phoenix.UserBroadcast || !ok {
		return name, payload, ok && f.Encoding == phoenix.EncodingJSON && isObject(payload)
	}
	payload, found := phoenix.Lookup(f.Payload, "payload")
	if !found || isNull(payload) {
		payload = []byte("{}")
	}
	return name, payload, ok && isObject(payload)
}

// answerNow sends the client an answer ahead of all that waits for it. It goes out
// when what was read with its question is handled.
func (ch *Channel) answerNow(event string, payload []byte) {
	c := ch.client
	m := hub.Message{Message: tutti.Message{Topic: ch.topic, Form: tutti.JSON, Event: event, Payload: payload}}
	c.Meters.Events.Add(c.Desk.Index, 1)
	if frame := m.Frame(c.Version); frame != nil {
		c.Line.Send(frame, ahead)
	}
}
