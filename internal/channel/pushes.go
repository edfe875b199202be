package channel

import (
	"bytes"
	"strings"

	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

const (
	// maxWaiting is how many bytes of pushes may wait for one client, all its
	// channels taken together; a single one always may.
	maxWaiting = 4 << 20
	// pushWeight is what a waiting push counts beside its payload.
	pushWeight = 256
)

// pushes are the pushes to a private channel that wait for an answer of the
// policies, in the client's order: broadcasts, presence, and a leave behind
// them.
type pushes struct{ list []*phoenix.Frame }

// weight is what a push counts while it waits.
func weight(f *phoenix.Frame) int { return pushWeight + len(f.Topic) + len(f.Payload) }

// add keeps a copy of a push, and reports false when there is no room for it.
func (p *pushes) add(c *Client, f *phoenix.Frame) bool {
	if c.waiting > 0 && c.waiting+weight(f) > maxWaiting {
		return false
	}
	c.waiting += weight(f)
	p.list = append(p.list, kept(f))
	return true
}

// kept returns a copy of a frame, which holds nothing of the buffer that it came
// in.
func kept(f *phoenix.Frame) *phoenix.Frame {
	return &phoenix.Frame{
		Kind: f.Kind, JoinRef: clone(f.JoinRef), Ref: clone(f.Ref), Topic: bytes.Clone(f.Topic), Event: f.Event,
		Payload: bytes.Clone(f.Payload), UserEvent: f.UserEvent, Encoding: f.Encoding, At: f.At,
	}
}

func (p *pushes) pop(c *Client) *phoenix.Frame {
	f := p.list[0]
	p.list[0] = nil
	p.list = p.list[1:]
	if len(p.list) == 0 {
		p.list = nil
	}
	c.waiting -= weight(f)
	return f
}

func (p *pushes) clear(c *Client) {
	for _, f := range p.list {
		c.waiting -= weight(f)
	}
	p.list = nil
}

// waits reports whether a push to a private channel has to wait for an answer.
// It is kept then, or refused where there is no room.
func (ch *Channel) waits(f *phoenix.Frame) bool {
	if f.Event != phoenix.EventBroadcast && f.Event != phoenix.EventPresence {
		return false
	}
	a := ch.access
	if !a.asking && !ch.lacks(f) {
		return false
	}
	if !a.pushes.add(ch.client, f) {
		ch.client.Desk.Log.Debug("too many pushes wait for policies", "tenant", ch.topic.Tenant, "topic", ch.topic.Name)
		ch.refusePush(f)
		return true
	}
	ch.advance()
	return true
}

// lacks reports whether a permission that a push needs is not known.
func (ch *Channel) lacks(f *phoenix.Frame) bool {
	a := ch.access
	if f.Event == phoenix.EventBroadcast {
		return a.write.broadcast == unknown
	}
	known := a.write.presence != unknown && a.read.presence != unknown
	return !known && f.Event == phoenix.EventPresence && presenceEvent(f) == "track"
}

// presenceEvent returns the event of a presence push in lower case, "" for one
// that has none.
func presenceEvent(f *phoenix.Frame) string {
	if f.Kind != phoenix.Text || !isObject(f.Payload) {
		return ""
	}
	event, _ := phoenix.Lookup(f.Payload, "event")
	name, _ := phoenix.Unquote(event)
	return strings.ToLower(name)
}

// advance handles the pushes that wait, up to the first whose permission is not
// known: it asks for that.
func (ch *Channel) advance() {
	a := ch.access
	for !a.asking && len(a.pushes.list) > 0 {
		if first := a.pushes.list[0]; ch.lacks(first) {
			ch.askFor(first)
			return
		}
		ch.handle(a.pushes.pop(ch.client))
	}
}

// askFor asks for a permission that a push needs. The first track may need two:
// whether the client may hear of others as well, where the join did not say.
func (ch *Channel) askFor(f *phoenix.Frame) {
	a := ch.access
	a.asking = true
	track := f.Event == phoenix.EventPresence
	if track && a.read.presence == unknown {
		ch.askRead(true, func(p postgres.Permission, err error) {
			if err == nil {
				a.read.presence = decided(p.Presence)
			}
			ch.answered(err)
		})
		return
	}
	presence := track || ch.presence
	ch.askWrite(presence, func(p postgres.Permission, err error) {
		if err == nil {
			a.write = a.write.learn(p, presence)
		}
		ch.answered(err)
	})
}

// answered goes on with the pushes that wait. When there was no answer those
// that needed it are lost; the next to come asks again.
func (ch *Channel) answered(err error) {
	a := ch.access
	a.asking = false
	if err == nil {
		ch.advance()
		return
	}
	for len(a.pushes.list) > 0 {
		if f := a.pushes.pop(ch.client); ch.lacks(f) {
			ch.refusePush(f)
		} else {
			ch.handle(f)
		}
	}
}

// refusePush answers a push that cannot be decided: not at all if it is
// a broadcast, acknowledged or not (protocol, sections 5.2 and 6.1).
func (ch *Channel) refusePush(f *phoenix.Frame) {
	if f.Event == phoenix.EventPresence {
		ch.answer(f, failed)
	}
}

// waitsToLeave reports whether a leave has to wait for the pushes that were
// sent before it, and keeps it then.
func (ch *Channel) waitsToLeave(f *phoenix.Frame) bool {
	if ch.access == nil || ch.joining() {
		return false
	}
	a := ch.access
	return a.asking && len(a.pushes.list) > 0 && a.pushes.add(ch.client, f)
}

// dropPushes answers what waits for a channel that is no more: a leave is
// a success, and pushes to a topic that never was joined are for nobody.
func (ch *Channel) dropPushes() {
	c, a := ch.client, ch.access
	for len(a.pushes.list) > 0 {
		f := a.pushes.pop(c)
		switch {
		case f.Event == phoenix.EventLeave:
			c.reply(ahead, f, nil, accepted)
		case ch.joining():
			c.reply(ahead, f, nil, unmatched)
		}
	}
}
