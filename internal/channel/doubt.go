package channel

import (
	"math/rand/v2"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// Reauthorize asks the policies again about the private channels that are
// meant, and returns how many these are. Nothing is delivered to them before
// the answer; those that lost something are closed.
func (c *Client) Reauthorize(who Who) int {
	n := 0
	for _, ch := range c.topics.all() {
		switch {
		case ch.access == nil || !ch.meant(who):
			continue
		case ch.joining():
			ch.askIn()
		default:
			ch.doubt(nil)
		}
		n++
	}
	return n
}

// doubt makes the channel forget what its client may do, and asks anew.
// Messages and pushes wait for the answer, so that none is handled under
// a permission that was taken away, and none is lost to who keeps it. Then, if
// the channel lives on, it calls then, unless that is nil.
func (ch *Channel) doubt(then func()) {
	a := ch.access
	a.number++
	a.write = rights{}
	a.asking, a.holding, a.doubting = true, true, false
	presence := ch.wantsPresence()
	ch.askRead(presence, func(p postgres.Permission, err error) {
		a.asking = false
		if err != nil {
			ch.shutdown(ch.troubleText(err))
			return
		}
		if !ch.keeps(p, presence) {
			return
		}
		if then != nil {
			then()
		}
		ch.release()
		if !ch.ended() {
			ch.advance()
		}
	})
}

// wantsPresence reports whether it matters if the client may read presence.
func (ch *Channel) wantsPresence() bool { return ch.presence || ch.access.read.presence != unknown }

// keeps takes an answer over. Whoever lost what he could read is shut down, and
// keeps reports false. Protocol, section 4.6.
func (ch *Channel) keeps(p postgres.Permission, presence bool) bool {
	a := ch.access
	before := a.read
	a.read = before.learn(p, presence)
	switch {
	case !a.read.any():
		ch.shutdown(notReadable + ch.topic.Name)
	case before.broadcast == granted && a.read.broadcast != granted,
		before.presence == granted && a.read.presence != granted:
		ch.shutdown(noLongerReadable + ch.topic.Name)
	default:
		return true
	}
	return false
}

// troubleText returns the message with which a channel closes whose new token
// the policies gave no answer for. Some are atoms of the reference's.
func (ch *Channel) troubleText(err error) string {
	reason := shown(err)
	switch reason.Code {
	case tutti.Unauthorized:
		return notReadable + ch.topic.Name
	case tutti.UnableToConnectToProject:
		return "Realtime was unable to connect to the project database"
	case tutti.QueryCanceled:
		return "Query was cancelled, please try again"
	case tutti.IncreaseConnectionPool:
		return ":increase_connection_pool"
	case tutti.MissingPartition:
		return ":missing_partition"
	case tutti.DatabaseLackOfConnections:
		return ":tenant_db_too_many_connections"
	}
	return reason.Reason
}

// watchAccess asks the policies again now and then, where the tenant wishes
// that. It does nothing if that is arranged already.
func (ch *Channel) watchAccess() {
	a, t := ch.access, ch.client.Tenant.Tenant()
	if a == nil || a.stopDoubt != nil || t == nil {
		return
	}
	d, found, err := tenant.Database(t)
	if !found || err != nil || d.Recheck <= 0 {
		return
	}
	a.stopDoubt = ch.client.Line.After(jittered(d.Recheck), func() {
		a.stopDoubt = nil
		ch.recheck()
		ch.watchAccess()
	})
}

// jittered returns between nine tenths of d and d: channels that joined together
// do not ask together.
func jittered(d time.Duration) time.Duration { return d - rand.N(d/10+1) }

// recheck asks whether the client may still read. Nothing waits for the answer:
// the permission is as old as the tenant allows. A database that does not
// answer takes it from nobody, or every outage would close all channels.
func (ch *Channel) recheck() {
	a := ch.access
	if a.holding || a.doubting {
		return
	}
	a.doubting = true
	presence := ch.wantsPresence()
	ch.askRead(presence, func(p postgres.Permission, err error) {
		a.doubting = false
		switch {
		case err == nil:
			ch.keeps(p, presence)
		case shown(err).Code == tutti.Unauthorized:
			ch.shutdown(ch.troubleText(err))
		}
	})
}
