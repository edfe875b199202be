package extend

import (
	"sync/atomic"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
)

// A Host keeps the names of its extensions' events.
var _ broadcast.Guard = (*Host)(nil)

// forgeries are how many events were refused that only rooms may send, by how they
// came.
type forgeries [broadcast.Ways]atomic.Int64

// Guarded reports whether a topic is a room, with events that only it may send.
func (h *Host) Guarded(t *tutti.Tenant, topic tutti.Topic) bool { return h.match(t, topic) != nil }

// Forged reports whether an event is one that only the room may send which its topic
// is, and counts it then. Names are looked at first: few events have such a one.
func (h *Host) Forged(t *tutti.Tenant, topic tutti.Topic, event string, way broadcast.Way) bool {
	if !h.reserves(event) {
		return false
	}
	e := h.match(t, topic)
	if e == nil || !e.Reserves(event) {
		return false
	}
	h.forged[way].Add(1)
	return true
}

// reserves reports whether any extension reserves an event.
func (h *Host) reserves(event string) bool {
	for i := range h.Extensions {
		if h.Extensions[i].Reserves(event) {
			return true
		}
	}
	return false
}
