// Package channel is one client and its channels, each from join to leave: it
// decides what every frame of a client means, and what the client is sent.
// internal/socket feeds it the frames of a connection, internal/hub the
// messages of the topics it listens to.
//
// A connection and all its channels live on one event loop. Every method here
// is called on that loop, so nothing is locked, and nothing may block. The
// package owns no goroutine.
package channel

import (
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// A Line is the connection of a client. Its methods may be called on the
// client's loop only.
type Line interface {
	// Send queues a whole WebSocket frame. Urgent ones go ahead of what waits.
	Send(frame []byte, urgent bool)
	// Hangup ends the connection with a close code, after all that was sent.
	Hangup(code int, reason string)
	// After calls f on the client's loop when d has passed, unless it was
	// stopped or the connection has ended.
	After(d time.Duration, f func()) (stop func())
}

// maxTopics is how many topics one client may be joined to at once, whatever
// its tenant allows.
const maxTopics = 99_999

// maxTopic is the longest topic that may be joined, in bytes: it is kept as long
// as the channel is, and a frame could hold one of five million.
const maxTopic = 8192

// patience is how many refused joins of one client may wait for their reply
// before nothing more is read from it.
const patience = 256

// curiosity is how many questions to policies may be under way for one client
// before nothing more is read from it. It is above the channels that most
// tenants allow, because all of them ask when the client's token is renewed.
const curiosity = 1024

// A Client is one connection's side of the protocol. Its exported fields are
// set before the first frame and not changed after.
type Client struct {
	Desk    *Desk
	Line    Line
	Version phoenix.Version
	Token   *auth.Token // of the handshake: what channels use that bring none
	Headers []byte      // the x-* headers of the handshake as a JSON object; nil for none
	Caller  *Caller     // who that is to the log and traces; nil for nobody

	TenantID string
	Tenant   *tenant.Handle
	Meters   *limit.Tenant

	topics  topics
	refused int  // refused joins whose reply waits
	asked   int  // questions to policies whose answer is awaited, or was
	waiting int  // bytes of pushes that wait for an answer
	tried   bool // a join was attempted at least once
	counted bool // as one of the tenant's concurrent users
	fed     bool // its tenant's database is read for it
}

// Receive handles one frame of the client. It keeps nothing of it.
func (c *Client) Receive(f *phoenix.Frame) {
	switch {
	case f.Event == phoenix.EventHeartbeat && string(f.Topic) == "phoenix":
		c.reply(ahead, f, nil, accepted)
	case f.Event == phoenix.EventJoin:
		c.join(f)
	default:
		ch := c.topics.find(f.Topic)
		switch {
		case f.Event == phoenix.EventLeave:
			c.leave(ch, f)
		case ch == nil:
			c.reply(ahead, f, nil, unmatched)
		default:
			ch.receive(f)
		}
	}
}

// Congested reports whether so many refused joins wait for their reply, or so
// many questions that the client caused for their answer, that no more should
// be read from it until some have it.
func (c *Client) Congested() bool { return c.refused >= patience || c.asked >= curiosity }

// Abandoned reports whether the client has joined channels before, and has
// none now and none under way.
func (c *Client) Abandoned() bool { return c.tried && c.live() <= 0 }

// live is how many channels count against the client's limit.
func (c *Client) live() int { return c.topics.len() + c.refused }

// Gone ends all channels of a client whose connection is no more. Nothing is
// sent.
func (c *Client) Gone() {
	for _, ch := range c.topics.all() {
		ch.stop()
	}
	c.topics = topics{}
	if c.counted {
		c.counted = false
		c.Meters.LeaveUser()
	}
	if c.fed {
		c.fed = false
		c.Desk.Rows.Leave(c.TenantID)
	}
}

// leave handles phx_leave for ch, nil when the topic is not joined.
func (c *Client) leave(ch *Channel, f *phoenix.Frame) {
	if ch == nil {
		c.reply(ahead, f, nil, accepted)
		return
	}
	if f.JoinRef != nil && ch.joinRef != nil && string(f.JoinRef) != string(ch.joinRef) {
		return // meant for an earlier join of the topic
	}
	if ch.waitsToLeave(f) {
		return
	}
	c.reply(ordered, f, ch.joinRef, accepted)
	ch.close()
}
