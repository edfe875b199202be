package channel

import (
	"bytes"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/presence"
)

const (
	maxHeld      = 1024    // messages that may wait for one channel
	maxHeldBytes = 4 << 20 // and what they may weigh; a single one always may
)

// held is the messages that came for a private channel while it was not known
// whether its client may read them. Others that hear them share them.
type held struct {
	messages []*hub.Message
	bytes    int
	lost     int // for want of room
}

func (h *held) add(m *hub.Message) {
	if len(h.messages) >= maxHeld || h.bytes > 0 && h.bytes+len(m.Payload) > maxHeldBytes {
		h.lost++
		return
	}
	h.messages = append(h.messages, m)
	h.bytes += len(m.Payload)
}

// hears reports whether the client of a private channel is sent a message. One
// that waits for an answer is heard later, if at all.
func (ch *Channel) hears(m *hub.Message) bool {
	a, diff := ch.access, isDiff(m)
	switch {
	case a.holding && diff && a.knock != nil:
		return false // whoever is to know it gets the state after the join
	case a.holding:
		a.held.add(m)
		return false
	case diff:
		return a.read.presence == granted
	case m.Form == tutti.Object && m.Event == phoenix.EventSystem:
		return true
	}
	return a.read.broadcast == granted && !a.repeats(m)
}

func isDiff(m *hub.Message) bool { return m.Form == tutti.Object && m.Event == presence.DiffEvent }

// release hands the client what was held for it, as far as it may read it.
func (ch *Channel) release() {
	a := ch.access
	h := a.held
	a.held, a.holding = held{}, false
	for _, m := range h.messages {
		if ch.ended() {
			return
		}
		ch.Deliver(m)
	}
	if h.lost > 0 {
		ch.client.Desk.Log.Warn("messages lost while policies were asked",
			"tenant", ch.topic.Tenant, "topic", ch.topic.Name, "messages", h.lost)
	}
}

// repeats reports whether a message was replayed to the client already.
func (a *access) repeats(m *hub.Message) bool {
	if len(a.replayed) == 0 {
		return false
	}
	meta := m.Meta
	if m.Form == tutti.Object {
		if !bytes.Contains(m.Payload, []byte(`"meta"`)) {
			return false // most need not be looked through twice
		}
		meta, _ = phoenix.Lookup(m.Payload, "meta")
	}
	id, _ := phoenix.Lookup(meta, "id")
	_, again := a.replayed[string(id)]
	return again
}
