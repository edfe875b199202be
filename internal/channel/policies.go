package channel

import (
	"errors"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/database"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// Policies answers for the policies of the tenants' databases.
// *database.Databases does. Its methods do not block. Each calls answer once, on
// the event loop with that number and not in the caller's stack, or never if the
// loop has stopped. An error has been logged; one that a client may see has
// a *tutti.Error in it, of which Unauthorized means denied.
type Policies interface {
	MayRead(q database.Question, loop int, answer func(postgres.Permission, error))
	MayWrite(q database.Question, loop int, answer func(postgres.Permission, error))
	// Replay fetches the last limit messages that were stored at or after since,
	// oldest first.
	Replay(q database.Question, since time.Time, limit int, loop int, answer func([]postgres.Stored, error))
}

// A verdict is what is known of a permission.
type verdict uint8

const (
	unknown verdict = iota // it was not asked for
	denied
	granted
)

func decided(yes bool) verdict {
	if yes {
		return granted
	}
	return denied
}

// rights are what is known of a channel's permissions in one direction.
type rights struct{ broadcast, presence verdict }

// learn returns the rights after an answer. Where presence was not asked about,
// no more is known of it than before.
func (r rights) learn(p postgres.Permission, presence bool) rights {
	r.broadcast = decided(p.Broadcast)
	if presence {
		r.presence = decided(p.Presence)
	}
	return r
}

// any reports whether something is granted.
func (r rights) any() bool { return r.broadcast == granted || r.presence == granted }

// An access is what a private channel may do, and what waits until that is
// known.
type access struct {
	read, write rights
	late        bool // presence began with a track, not with the join

	// A question counts only while it has the number that it was asked under:
	// a new token, or the end of the channel, makes all older ones void.
	number uint32

	knock     *knock // the join, until it is answered
	asking    bool   // pushes wait for an answer
	holding   bool   // messages wait for an answer
	doubting  bool   // the periodic question is under way
	stopDoubt func() // the next one; nil for none

	pushes   pushes
	held     held
	replayed map[string]struct{} // raw ids of what was replayed, nil for nothing
}

// joining reports whether the channel waits to be let in.
func (ch *Channel) joining() bool { return ch.access != nil && ch.access.knock != nil }

// question returns what is asked in the name of the channel, false when its
// tenant was deleted: then the socket is about to be told.
func (ch *Channel) question(presence bool) (database.Question, bool) {
	c := ch.client
	t := c.Tenant.Tenant()
	return database.Question{
		Tenant: t, Topic: ch.topic.Name, Claims: ch.token.Claims, Headers: c.Headers, Presence: presence,
	}, t != nil
}

func (ch *Channel) askRead(presence bool, heed func(postgres.Permission, error)) {
	if q, ok := ch.question(presence); ok {
		q.Span = ch.checkSpan("read")
		ch.client.Desk.Policies.MayRead(q, ch.client.Desk.Index, awaiting(ch, q.Span, heed))
	}
}

func (ch *Channel) askWrite(presence bool, heed func(postgres.Permission, error)) {
	if q, ok := ch.question(presence); ok {
		q.Span = ch.checkSpan("write")
		ch.client.Desk.Policies.MayWrite(q, ch.client.Desk.Index, awaiting(ch, q.Span, heed))
	}
}

// awaiting returns what an answer is handed to: heed hears of it, unless the
// question is void by then. It ends the span of the question.
func awaiting[T any](ch *Channel, span *trace.Span, heed func(T, error)) func(T, error) {
	c, number := ch.client, ch.access.number
	c.asked++
	return func(answer T, err error) {
		// As a timer it is the connection's own: it is not called when that has
		// ended, what it breaks is nobody else's, and a client that had to wait
		// is read again.
		span.Finish(err)
		c.Line.After(0, func() {
			c.asked--
			if number == ch.access.number {
				heed(answer, err)
			}
		})
	}
}

// shown returns what a client may see of an error.
func shown(err error) *tutti.Error {
	if reason, ok := errors.AsType[*tutti.Error](err); ok {
		return reason
	}
	return tutti.ErrUnknown
}

// errAbandoned is what becomes of something that nobody waits for any more.
var errAbandoned = &tutti.Error{Code: "Abandoned", Reason: "the client has left"}

func (ch *Channel) unreadable() *tutti.Error {
	return &tutti.Error{Code: tutti.Unauthorized, Reason: notReadable + ch.topic.Name}
}

const (
	notReadable      = "You do not have permissions to read from this Channel topic: "
	noLongerReadable = "You no longer have permission to read from this Channel topic: "
)

// void makes all questions of the channel void, and forgets what waits.
func (a *access) void(c *Client) {
	a.number++
	if a.stopDoubt != nil {
		a.stopDoubt()
		a.stopDoubt = nil
	}
	a.pushes.clear(c)
	a.held = held{}
}
