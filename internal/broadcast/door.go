// Package broadcast is the one door through which messages leave: for those of
// clients, of the REST interface and of extensions alike. It weighs and counts
// them. internal/channel and internal/api call it. It owns no goroutine.
package broadcast

import (
	"errors"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/tally"
)

// ErrTooLarge says that a payload is over its tenant's limit.
var ErrTooLarge = errors.New("payload size exceeds tenant limit")

// A Publisher brings a message to every node with listeners. *cluster.Local
// does.
type Publisher interface {
	Publish(tutti.Message)
}

// A Door lets messages out.
type Door struct {
	Publisher Publisher
	Guard     Guard // nil: no topic is a room
}

// Fits returns ErrTooLarge when a payload is over the tenant's limit. What is
// measured is the JSON or the bytes as they came.
func Fits(t *tutti.Tenant, payload []byte) error {
	if len(payload) > t.PayloadLimit() {
		return ErrTooLarge
	}
	return nil
}

// Send counts a message as one event of its tenant and publishes it, unless
// it is too large: then it counts as well, but goes nowhere. Shard is the
// counter that the caller's event loop uses; any number is right.
func (d *Door) Send(t *tutti.Tenant, meters *limit.Tenant, shard int, m tutti.Message) error {
	if err := Fits(t, m.Payload); err != nil {
		meters.Events.Add(shard, 1)
		return err
	}
	d.Release(meters, shard, m)
	return nil
}

// Admit is Send for a message that goes to an extension, and not out: it is weighed
// and counted.
func (d *Door) Admit(t *tutti.Tenant, meters *limit.Tenant, shard int, payload []byte) error {
	meters.Events.Add(shard, 1)
	meters.Tally.Observe(shard, tally.BroadcastBytes, int64(len(payload)))
	return Fits(t, payload)
}

// Release is Send for a message that its caller has weighed, because what it
// was given is only a part of the payload.
func (d *Door) Release(meters *limit.Tenant, shard int, m tutti.Message) {
	meters.Events.Add(shard, 1)
	meters.Tally.Observe(shard, tally.BroadcastBytes, int64(len(m.Payload)))
	d.Publisher.Publish(m)
}
