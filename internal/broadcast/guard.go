package broadcast

import (
	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// A Guard keeps the names of events that only the room of an extension may use.
// *extend.Host is one. Its methods do not block.
type Guard interface {
	// Guarded reports whether a topic has such names.
	Guarded(t *tutti.Tenant, topic tutti.Topic) bool
	// Forged reports whether an event has one of them, and counts it then.
	Forged(t *tutti.Tenant, topic tutti.Topic, event string, way Way) bool
}

// A Way is how a message came to the server.
type Way uint8

// Ways.
const (
	FromClient Way = iota
	FromHTTP
	FromDatabase
	Ways // how many there are
)

// String returns the way's name in metrics.
func (w Way) String() string { return [...]string{"client", "http", "database", ""}[min(w, Ways)] }

// errReserved is what whoever sends a reserved event is told.
var errReserved = &tutti.Error{
	Code:   tutti.ExtensionEventReserved,
	Reason: "only the room itself may send this event on this topic; please send yours by another name",
}

// Guarded reports whether Forged may refuse some event of a topic.
func (d *Door) Guarded(t *tutti.Tenant, topic tutti.Topic) bool {
	return d.Guard != nil && d.Guard.Guarded(t, topic)
}

// Forged returns a refusal of an event that only the room may send which its topic
// is, and nil for all others.
func (d *Door) Forged(t *tutti.Tenant, topic tutti.Topic, event string, way Way) *tutti.Error {
	if d.Guard == nil || !d.Guard.Forged(t, topic, event, way) {
		return nil
	}
	return errReserved
}

// Denial returns the payload of tutti.ExtensionError.
func Denial(event string, why *tutti.Error) []byte {
	b := phoenix.AppendString([]byte(`{"code":`), why.Code)
	b = phoenix.AppendString(append(b, `,"reason":`...), why.Reason)
	b = phoenix.AppendString(append(b, `,"event":`...), event)
	return append(b, '}')
}
