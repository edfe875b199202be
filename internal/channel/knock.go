package channel

import (
	"bytes"
	"errors"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

// A knock is the join of a private channel until it is answered.
type knock struct {
	ref      phoenix.Ref
	config   config     // nothing in it is of the frame
	join     []byte     // the payload, where rooms may want it
	replaced []*Channel // their phx_close follows the reply
	at       time.Time  // when it came
}

// knock asks whether the client may join. The channel counts as one of the
// client's from now on, and its pushes wait; it hears nothing.
//
// The client may give the join up meanwhile, by leaving or joining again: then
// there is no reply to it, and its phx_close is all that is said of it.
func (c *Client) knock(ch *Channel, f *phoenix.Frame, cfg *config, replaced []*Channel) {
	ch.access = &access{knock: &knock{ref: clone(f.Ref), config: cfg.clone(), replaced: replaced, at: f.At}}
	if c.Desk.Rooms != nil {
		ch.access.knock.join = bytes.Clone(f.Payload)
	}
	c.topics.add(ch)
	if later := ch.announce(nil); later != nil {
		later(ch.askIn)
		return
	}
	ch.askIn()
}

// clone returns a copy for a join that is answered later: it holds nothing of
// the frame that the config came in, and no tokens.
func (cfg *config) clone() config {
	kept := *cfg
	kept.replay = bytes.Clone(cfg.replay)
	kept.accessToken, kept.userToken, kept.odd = nil, nil, nil
	return kept
}

// askIn asks who may join, with the token that the channel has now.
func (ch *Channel) askIn() {
	a := ch.access
	a.number++
	a.asking = true
	presence := ch.presence
	ch.askRead(presence, func(p postgres.Permission, err error) {
		a.read = rights{}.learn(p, presence)
		switch {
		case err != nil:
			ch.turnAway(shown(err))
		case !a.read.any():
			ch.turnAway(ch.unreadable())
		default:
			ch.recall()
		}
	})
}

// enter lets the client in, unless something has changed since it knocked.
// What follows the reply is in the order of protocol, section 3.5.
func (ch *Channel) enter(past []postgres.Stored) {
	a, k, c := ch.access, ch.access.knock, ch.client
	if err := c.mayEnter(ch.token); err != nil {
		ch.turnAway(err)
		return
	}
	a.knock, a.asking = nil, false
	ch.sit()
	ch.watchToken(time.Now())
	c.reply(ordered, ch.joinFrame(k), ch.joinRef, joined(k.config.rows))
	c.Desk.Metrics.joined(private, k.at)
	ch.entered(&k.config)
	sayClosed(k.replaced)
	ch.replay(past)
	ch.release()
	if !ch.ended() {
		ch.begin(&k.config)
		ch.attend(k.join)
	}
	if !ch.ended() {
		ch.watchAccess()
		ch.advance()
	}
}

// mayEnter looks again at what may have changed while a join waited.
func (c *Client) mayEnter(token *auth.Token) error {
	t, err := c.open()
	if err != nil {
		return err
	}
	if err := token.Check(time.Now()); err != nil {
		return refusedToken(err)
	}
	return c.enterUser(t)
}

// refusedToken returns the error of a join for what is wrong with its token.
func refusedToken(err error) error {
	if failure, ok := errors.AsType[*auth.Failure](err); ok {
		return failure.Join()
	}
	return err
}

// turnAway refuses the join.
func (ch *Channel) turnAway(err error) {
	k := ch.access.knock
	k.config.span.Finish(err)
	ch.end()
	ch.client.refuse(ch.joinFrame(k), k.replaced, err)
}

// joinFrame returns what a reply needs of the join's frame.
func (ch *Channel) joinFrame(k *knock) *phoenix.Frame {
	return &phoenix.Frame{Topic: []byte(ch.topic.Wire()), Ref: k.ref, JoinRef: ch.joinRef}
}

// knockAgain is renew for a join under way: the new token decides.
func (ch *Channel) knockAgain(token *auth.Token, err error) {
	if err != nil {
		ch.turnAway(refusedToken(err))
		return
	}
	ch.token = token
	ch.askIn()
}

// evict ends the channel of a topic, if there is one, for a new join of it. It
// returns those whose phx_close is due after the new join's reply, the oldest
// first.
func (c *Client) evict(wire []byte) []*Channel {
	ch := c.topics.find(wire)
	if ch == nil {
		return nil
	}
	earlier := ch.replaced()
	ch.end()
	return append(earlier, ch)
}

// replaced returns the channels in whose place this one is to come.
func (ch *Channel) replaced() []*Channel {
	switch {
	case ch.joining():
		return ch.access.knock.replaced
	case ch.proxy != nil:
		return ch.proxy.replaced
	}
	return nil
}

// sayClosed tells the client that these channels are no more.
func sayClosed(channels []*Channel) {
	for _, ch := range channels {
		ch.sayClosed()
	}
}

// open returns the tenant while it can be joined.
func (c *Client) open() (*tutti.Tenant, error) {
	t := c.Tenant.Tenant()
	switch {
	case c.Desk.closing.Load():
		return nil, &tutti.Error{Code: tutti.RealtimeRestarting, Reason: "Realtime is restarting, please standby"}
	case t == nil:
		return nil, &tutti.Error{Code: tutti.TenantNotFound, Reason: "Tenant with the given ID does not exist"}
	case t.Suspend:
		return nil, &tutti.Error{Code: tutti.RealtimeDisabledForTenant, Reason: "Realtime disabled for this tenant"}
	}
	return t, nil
}
