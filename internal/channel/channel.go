package channel

import (
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/presence"
)

// A Channel is one client on one topic.
type Channel struct {
	client  *Client
	id      uint64 // no other channel of this node has it
	topic   tutti.Topic
	joinRef phoenix.Ref
	token   *auth.Token

	ack, self bool
	presence  bool   // on: asked for, by the tenant's will, or by the first track
	key       string // presence key; "" until the first track when the client named none
	calls     limit.Window

	seat      hub.Seat
	stopTimer func() // the next check of the token
}

// open makes the channel of a join that was admitted. From here on it hears
// its topic.
func (c *Client) open(name string, f *phoenix.Frame, cfg *config, token *auth.Token) *Channel {
	ch := &Channel{
		client: c, id: c.Desk.nextID(), joinRef: clone(f.JoinRef), token: token,
		ack: cfg.ack, self: cfg.self, key: cfg.key,
		presence: cfg.presence || c.Tenant.Tenant().PresenceEnabled,
	}
	topic := tutti.Topic{Tenant: c.TenantID, Name: name, Private: cfg.private}
	ch.topic = c.Desk.Shard.Join(topic, &ch.seat, ch)
	c.topics.add(ch)
	ch.watchToken(time.Now())
	return ch
}

// begin sends what follows the reply to a join, in the order of protocol,
// section 3.5.
func (ch *Channel) begin(cfg *config) {
	ch.refuseRows(cfg.rows)
	if cfg.replicationReady {
		ch.client.Line.After(replicationWait, func() {
			ch.shutdown("Replication connection was not established in time")
		})
	}
	if ch.presence {
		ch.sendPresence()
	}
}

// replicationWait is how long a client that asked for it waits for the
// replication connection.
const replicationWait = time.Minute

// receive handles a frame for this channel. Its join ref may be wrong or
// missing, as some clients send it: protocol, section 3.9.
func (ch *Channel) receive(f *phoenix.Frame) {
	switch f.Event {
	case phoenix.EventBroadcast:
		ch.broadcast(f)
	case phoenix.EventPresence:
		ch.handlePresence(f)
	case phoenix.EventAccessToken:
		ch.renew(f)
	default:
		ch.unknown(f)
	}
}

// unknown counts an event that means nothing. There is no reply.
func (ch *Channel) unknown(f *phoenix.Frame) {
	c := ch.client
	c.Meters.Events.Add(c.Desk.Index, 1)
	c.Desk.Log.Debug("unknown event", "tenant", ch.topic.Tenant, "topic", ch.topic.Name, "event", f.Event)
}

// Deliver sends the client a message of the topic.
func (ch *Channel) Deliver(m *hub.Message) {
	if m.Sender == ch.id && !ch.self {
		return
	}
	c := ch.client
	c.Desk.hearing = ch
	if m.Event == presence.DiffEvent && m.Form == tutti.Object {
		c.Meters.Presence.Add(c.Desk.Index, 1)
	} else {
		if t := c.Tenant.Tenant(); t != nil && c.Meters.Events.Over(t.MaxEventsPerSecond) {
			ch.shutdown("Too many messages per second")
			return
		}
		c.Meters.Events.Add(c.Desk.Index, 1)
	}
	if frame := m.Frame(c.Version); frame != nil {
		c.Line.Send(frame, false)
	}
}

// shutdown ends the channel for a reason that the client is told. The socket
// and its other channels live on.
func (ch *Channel) shutdown(reason string) {
	if ch.client == nil || ch.ended() {
		return
	}
	ch.client.Desk.Log.Warn("channel shut down", "code", "ChannelShutdown",
		"tenant", ch.topic.Tenant, "topic", ch.topic.Name, "reason", reason)
	ch.system("system", phoenix.StatusError, reason)
	ch.close()
}

// close ends the channel and tells the client so.
func (ch *Channel) close() {
	ch.end()
	ch.sayClosed()
}

func (ch *Channel) sayClosed() {
	c := ch.client
	c.send(ordered, func(dst []byte) []byte {
		return phoenix.AppendEnd(dst, c.Version, ch.joinRef, ch.topic.Wire(), phoenix.EventClose)
	})
}

// end takes the channel off its client and stops it.
func (ch *Channel) end() {
	ch.client.topics.remove(ch)
	ch.stop()
}

// stop makes the channel hear nothing more, and leaves its topic's presence.
func (ch *Channel) stop() {
	ch.client.Desk.Shard.Leave(&ch.seat)
	if ch.presence {
		ch.client.Desk.Roster.Untrack(ch.topic, ch.id)
	}
	if ch.stopTimer != nil {
		ch.stopTimer()
	}
	ch.stopTimer = nil
}

func (ch *Channel) ended() bool { return ch.seat == hub.Seat{} }
