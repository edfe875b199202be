package channel

import (
	"log/slog"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/phoenix"
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
	since     uint32 // when it joined, in seconds since 1970
	key       string // presence key; "" until the first track when the client named none
	calls     limit.Window

	rows    *following // to changes of the database; nil for none
	oldRows bool       // they are wanted in the form of the old API

	place   Place         // in the room of an extension; nil when the topic is none
	judged  *tutti.Tenant // as of which guarded was found out
	guarded bool          // there are events that only the topic's room may send

	seat      hub.Seat
	proxy     *placeholder // while other nodes learn of the seat; nil mostly
	access    *access      // of a private channel; nil for a public one
	stopTimer func()       // the next check of the token
	stopReady func()       // the wait for the replication connection; nil when there is none
}

// newChannel makes the channel of a join that was admitted.
func (c *Client) newChannel(name string, bare bool, f *phoenix.Frame, cfg *config, token *auth.Token) *Channel {
	t := c.Tenant.Tenant()
	return &Channel{
		client: c, id: c.Desk.nextID(), joinRef: clone(f.JoinRef), token: token,
		topic: tutti.Topic{Tenant: c.TenantID, Name: name, Private: cfg.private, Bare: bare},
		ack:   cfg.ack, self: cfg.self, key: cfg.key,
		presence: cfg.presence || t != nil && t.PresenceEnabled,
	}
}

// sit makes the channel hear its topic, unless it does.
func (ch *Channel) sit() {
	if ch.ended() {
		ch.topic = ch.client.Desk.Shard.Join(ch.topic, &ch.seat, ch)
		ch.since = uint32(time.Now().Unix())
	}
	ch.vacate()
}

// begin sends what follows the reply to a join, in the order of protocol,
// section 3.5.
func (ch *Channel) begin(cfg *config) {
	ch.subscribe(cfg)
	if cfg.replicationReady {
		ch.stopReady = ch.client.Line.After(replicationWait, func() {
			ch.shutdown("Replication connection was not established in time")
		})
		ch.awaitReplication()
	}
	if ch.presence && (ch.access == nil || ch.access.read.presence == granted) {
		ch.sendPresence(cfg.span)
	}
}

// ReplicationReady tells a client that asked for it, once, that rows which are
// inserted as messages from now on will be heard.
func (ch *Channel) ReplicationReady() {
	if ch.stopReady == nil {
		return
	}
	ch.stopReady()
	ch.stopReady = nil
	ch.system("system", phoenix.StatusOK, "Replication connection established")
}

// replicationWait is how long a client that asked for it waits for the
// replication connection.
const replicationWait = time.Minute

// receive handles a frame for this channel, or keeps it until it can be.
// Its join ref may be wrong or missing, as some clients send it: protocol,
// section 3.9.
func (ch *Channel) receive(f *phoenix.Frame) {
	if ch.access == nil || !ch.waits(f) {
		ch.handle(f)
	}
}

func (ch *Channel) handle(f *phoenix.Frame) {
	switch f.Event {
	case phoenix.EventLeave:
		ch.client.leave(ch, f) // it waited
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
	if ch.access != nil && !ch.hears(m) {
		return
	}
	if isDiff(m) {
		c.Meters.Presence.Add(c.Desk.Index, 1)
		if ch.access != nil && ch.access.late {
			ch.push(m.Event, m.Payload) // with its join ref: protocol, section 6.4
			return
		}
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
	if ch.client.wants(slog.LevelWarn) {
		ch.log().Warn("channel shut down", "code", "ChannelShutdown", "reason", reason)
	}
	ch.client.failed("ChannelShutdown")
	ch.system("system", phoenix.StatusError, reason)
	ch.close()
}

// close ends the channel and tells the client so.
func (ch *Channel) close() {
	replaced := ch.replaced()
	ch.end()
	sayClosed(append(replaced, ch))
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
	if ch.access != nil {
		ch.dropPushes()
	}
	ch.stop()
}

// stop makes the channel hear nothing more, and leaves its topic's presence.
func (ch *Channel) stop() {
	ch.client.Desk.Shard.Leave(&ch.seat)
	ch.vacate()
	if ch.presence {
		ch.client.Desk.Roster.Untrack(ch.topic, ch.id)
	}
	if ch.place != nil {
		ch.place.Leave()
		ch.place = nil
	}
	if ch.rows != nil {
		ch.client.Desk.Rows.Unsubscribe(&ch.rows.Subscriber)
		ch.rows.span.Finish(errAbandoned)
	}
	if ch.stopTimer != nil {
		ch.stopTimer()
	}
	ch.stopTimer = nil
	if ch.stopReady != nil {
		ch.stopReady()
	}
	ch.stopReady = nil
	if ch.joining() {
		ch.access.knock.config.span.Finish(errAbandoned)
	}
	if ch.access != nil {
		ch.access.void(ch.client)
	}
}

// ended reports whether the channel hears nothing: it is over, or not joined yet.
func (ch *Channel) ended() bool { return ch.seat == hub.Seat{} }
