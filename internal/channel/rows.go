package channel

import (
	"math/rand/v2"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// Rows is where channels get the changes of their tenant's database from, and
// the messages that it sends. *feed.Feeds does it. Its methods are called on
// event loops and do not block; what they lead to is told to the subscriber's
// Hearer.
type Rows interface {
	// Enter says that a client has a channel. It reports false when the tenant has
	// no database, else Leave follows.
	Enter(t *tutti.Tenant) bool
	Leave(tenantID string)
	// Ready calls f on a loop once messages that the database sends are heard.
	Ready(tenantID string, loop int, f func())
	// Subscribe reports false when the tenant has no database.
	Subscribe(t *tutti.Tenant, s *changes.Subscriber) bool
	// Renew puts other claims in the place of those that a subscriber had.
	Renew(s *changes.Subscriber, claims tutti.Claims)
	Unsubscribe(s *changes.Subscriber)
}

// awaitReplication says when messages of the database are heard, to a client that
// wants to know.
func (ch *Channel) awaitReplication() {
	if c := ch.client; c.fed {
		c.Desk.Rows.Ready(ch.topic.Tenant, c.Desk.Index, ch.ReplicationReady)
	}
}

const rowsExtension = "postgres_changes"

// A following is a channel's subscription.
type following struct {
	changes.Subscriber
	span *trace.Span // until it stands; nil from then on
}

// subscribe asks for the database changes that the join named.
func (ch *Channel) subscribe(cfg *config) {
	if len(cfg.rows) == 0 {
		return
	}
	c := ch.client
	s := &following{Subscriber: changes.Subscriber{
		Tenant: ch.topic.Tenant, Topic: ch.topic.Name, Claims: ch.token.Claims,
		Entries: cfg.rows, Loop: c.Desk.Index, Hearer: ch,
	}, span: cfg.span.Child("subscription")}
	s.span.Count("entries", len(cfg.rows))
	if t := c.Tenant.Tenant(); t != nil && c.Desk.Rows != nil && c.Desk.Rows.Subscribe(t, &s.Subscriber) {
		ch.rows, ch.oldRows = s, cfg.oldAPI
		return
	}
	s.span.FailCode("UnableToSubscribeToPostgres")
	s.span.End()
	ch.refuseRows(cfg.rows)
}

// unpublished is the catalog of a tenant without a database: it has no tables.
type unpublished struct{}

// Tables returns none.
func (unpublished) Tables(schema, name string) []*changes.Relation { return nil }

// refuseRows tells the client that the database changes that it asked for will
// not come, and why. One bad entry fails the whole list, as in the reference.
func (ch *Channel) refuseRows(entries []changes.Entry) {
	for _, e := range entries {
		s, err := e.Parse()
		if err == nil {
			_, err = changes.Check(unpublished{}, &s)
		}
		if err != nil {
			ch.system(rowsExtension, phoenix.StatusError, err.Error())
			return
		}
	}
}

// renewRows gives the subscription the new token's claims, after a moment:
// clients whose tokens were renewed together do not come together. Protocol,
// section 4.6.
func (ch *Channel) renewRows() {
	if ch.rows == nil {
		return
	}
	wait := time.Second + rand.N(2*time.Second)
	ch.client.Line.After(wait, func() {
		if !ch.ended() {
			ch.client.Desk.Rows.Renew(&ch.rows.Subscriber, ch.token.Claims)
		}
	})
}

// HearRow sends the client a change. It counts against the limit on changes,
// which is the feed's affair, and not against that on messages.
func (ch *Channel) HearRow(r *changes.Row, ids []uint32) {
	if ch.ended() {
		return
	}
	c := ch.client
	c.Desk.hearing = ch
	c.Desk.Shard.Note(ch.topic, NoteRow, r.Data)
	if ch.oldRows {
		c.Line.Send(r.OldFrame(c.Version, ch.topic), false)
		return
	}
	c.Line.Send(r.Frame(c.Version, ch.topic, ids), false)
}

// HearRows tells the client how its subscription stands.
func (ch *Channel) HearRows(status, message string) {
	if ch.ended() {
		return
	}
	if ch.rows != nil && ch.rows.span != nil {
		if status != phoenix.StatusOK {
			ch.rows.span.FailCode("UnableToSubscribeToPostgres")
		}
		ch.rows.span.End()
		ch.rows.span = nil
	}
	ch.client.Desk.hearing = ch
	ch.system(rowsExtension, status, message)
}
