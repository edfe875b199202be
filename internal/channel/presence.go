package channel

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/tally"
	"github.com/tutti-realtime/tutti/internal/trace"
)

const tooManyPresence = "Too many presence messages per second"

var notMap = refusal("Presence track payload must be a map")

// sendPresence sends who is present, once the other nodes have said who is present
// there. Diffs may come before; clients keep those until they have the state.
func (ch *Channel) sendPresence(join *trace.Span) {
	desk, sent, span := ch.client.Desk, false, join.Child("presence")
	send := func() {
		if !sent && !ch.ended() {
			sent = true
			ch.sendPresenceNow()
			span.End()
		}
	}
	if !desk.Roster.Await(ch.topic, func() { desk.Loop.Post(1, 0, send) }) {
		send()
	}
}

// sendPresenceNow sends who is present, as of now.
func (ch *Channel) sendPresenceNow() {
	c := ch.client
	if t := c.Tenant.Tenant(); t != nil && ch.crowded(t) {
		ch.shutdown(tooManyPresence)
		return
	}
	c.Meters.Presence.Add(c.Desk.Index, 1)
	ch.push("presence_state", c.Desk.Roster.State(ch.topic))
}

// crowded reports whether the tenant is over its rate of presence events. Unlike
// the others this limit may be reached: protocol, section 6.6.
func (ch *Channel) crowded(t *tutti.Tenant) bool {
	return ch.client.Meters.Presence.Average() > float64(t.MaxPresenceEventsPerSecond)
}

// handlePresence handles track and untrack. Protocol, section 6.
func (ch *Channel) handlePresence(f *phoenix.Frame) {
	var event []byte
	if f.Kind == phoenix.Text && isObject(f.Payload) {
		event, _ = phoenix.Lookup(f.Payload, "event")
	}
	if event == nil {
		ch.answer(f, accepted)
		return
	}
	t := ch.client.Tenant.Tenant()
	if t == nil {
		return
	}
	if !ch.allowCall(t) {
		ch.shutdown("Client presence rate limit exceeded")
		return
	}
	name, _ := phoenix.Unquote(event)
	switch strings.ToLower(name) {
	case "track":
		ch.track(t, f)
	case "untrack":
		ch.client.Desk.Roster.Untrack(ch.topic, ch.id)
		ch.answer(f, accepted)
	default:
		ch.answer(f, failed)
	}
}

// allowCall counts a presence message against the channel's own window.
func (ch *Channel) allowCall(t *tutti.Tenant) bool {
	calls, window := ch.client.Desk.PresenceCalls, ch.client.Desk.PresenceWindow
	if t.ClientPresenceMaxCalls > 0 {
		calls = t.ClientPresenceMaxCalls
	}
	if t.ClientPresenceWindow > 0 {
		window = t.ClientPresenceWindow
	}
	return ch.calls.Allow(time.Now(), calls, window)
}

// track says that the client is here, and what it is doing.
func (ch *Channel) track(t *tutti.Tenant, f *phoenix.Frame) {
	payload, found := phoenix.Lookup(f.Payload, "payload")
	if !found {
		payload = []byte("{}")
	}
	c := ch.client
	switch {
	case ch.access != nil && ch.access.write.presence != granted:
		ch.answer(f, failed)
		return
	case !isObject(payload):
		ch.answer(f, notMap)
		return
	case ch.crowded(t):
		ch.shutdown(tooManyPresence)
		return
	case broadcast.Fits(t, payload) != nil:
		ch.shutdown("Track message size exceeded")
		return
	}
	if ch.key == "" {
		ch.key = newKey()
	}
	if ch.access != nil && !ch.presence {
		ch.access.late = true
	}
	ch.presence = true
	c.Meters.Tally.Observe(c.Desk.Index, tally.PresenceBytes, int64(len(payload)))
	if c.Desk.Roster.Track(ch.topic, ch.id, ch.key, payload) {
		c.Meters.Presence.Add(c.Desk.Index, 1)
	}
	ch.answer(f, accepted)
}

func (ch *Channel) answer(f *phoenix.Frame, a answer) { ch.client.reply(ahead, f, ch.joinRef, a) }

// newKey returns a random UUID for clients that name no presence key. RFC 9562,
// section 5.4.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var text [36]byte
	hex.Encode(text[:8], b[:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:], b[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
