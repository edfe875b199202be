package feed

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tally"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// isMessages reports whether a table is one of the partitions of
// realtime.messages, whose rows are messages.
func isMessages(t *tutti.Table) bool {
	return t.Schema == "realtime" && strings.HasPrefix(t.Name, "messages")
}

// A storedMessage is a row of realtime.messages. Database, section 2.2.
type storedMessage struct {
	id, topic, event string
	extension        string
	inserted         []byte // when, in UTC
	payload          []byte
	form             tutti.Form
	private          bool
	skip             bool // it is only to be replayed; later versions of the reference have that
	complete         bool // it has all that a message must have
}

// readMessage reads a row that was inserted.
func readMessage(c *tutti.Change) storedMessage {
	m := storedMessage{form: tutti.JSON}
	found := 0
	for i := range c.Table.Columns {
		v := c.New[i]
		if v.Kind != tutti.Text {
			continue
		}
		switch c.Table.Columns[i].Name {
		case "id":
			m.id = string(v.Text)
			found++
		case "topic":
			m.topic = string(v.Text)
			found++
		case "event":
			m.event = string(v.Text)
			found++
		case "private":
			m.private = string(v.Text) == "t"
			found++
		case "skip_broadcast":
			m.skip = string(v.Text) == "t"
		case "inserted_at":
			m.inserted = v.Text
		case "extension":
			m.extension = string(v.Text)
		case "payload":
			if m.form == tutti.JSON {
				m.payload = v.Text
			}
		case "binary_payload":
			m.form, m.payload = tutti.Binary, unhex(v.Text)
		}
	}
	m.complete = found == 4 && m.payload != nil
	return m
}

// unhex returns the bytes of a bytea as PostgreSQL writes it, with \x. nil is
// none.
func unhex(text []byte) []byte {
	digits, isHex := bytes.CutPrefix(text, []byte(`\x`))
	out := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(out, digits); err != nil || !isHex {
		return nil
	}
	return out
}

// publish sends the message that a change is on its way, if it is one. What is
// dropped is logged with its id, because nobody else is told. Database, section
// 5.4.
func (r *reader) publish(c *tutti.Change, committed time.Time) {
	if c.Kind != tutti.Insert {
		return
	}
	m := readMessage(c)
	switch {
	case m.extension != "broadcast" || m.skip:
		return
	case !m.complete:
		r.dropMessage(m, "it lacks an id, topic, event, private or payload")
		return
	case r.feeds.Door.Forged(r.owner, m.destination(r.tenant), m.event, broadcast.FromDatabase) != nil:
		r.reportForgery(m)
		return
	case r.meters.Events.Over(r.limit):
		r.dropMessage(m, "too_many_requests")
		return
	}
	message, ok := m.message(r.tenant)
	if !ok {
		r.dropMessage(m, "the topic or the event is too long for bytes")
		return
	}
	if err := r.feeds.Door.Send(r.owner, r.meters, 0, message); err != nil {
		r.dropMessage(m, "payload_size_exceeded")
		return
	}
	r.published += len(m.payload) + messageBytes
	r.measureMessage(&m, committed)
}

// destination returns the topic that the row is for.
func (m *storedMessage) destination(tenant string) tutti.Topic {
	return tutti.Topic{Tenant: tenant, Name: m.topic, Private: m.private}
}

// maxField is the longest topic, with its prefix, or event in bytes that fits the
// binary frame in which V2 clients get a message. Protocol, section 2.4.
const maxField = 255

// message returns the row as it travels. What does not fit a binary frame goes as
// text, as it would in a replay; bytes cannot.
func (m *storedMessage) message(tenant string) (tutti.Message, bool) {
	meta := append(phoenix.AppendString([]byte(`{"id":`), m.id), '}')
	out := tutti.Message{
		Topic: m.destination(tenant),
		Form:  m.form, Event: m.event, Payload: m.payload, Meta: meta,
	}
	if len(tutti.TopicPrefix)+len(m.topic) <= maxField && len(m.event) <= maxField {
		return out, true
	}
	p := phoenix.AppendBroadcast(nil, &out)
	out.Form, out.Event, out.Payload, out.Meta = tutti.Object, phoenix.EventBroadcast, p, nil
	return out, m.form == tutti.JSON
}

// messageBytes is about what a message holds on its way besides its payload.
const messageBytes = 512

func (r *reader) dropMessage(m storedMessage, why string) {
	r.count(tally.MessagesDropped, 1)
	r.log.Warn("message of the database was dropped", "code", "UnableToBroadcastChanges",
		"topic", m.topic, "message", m.id, "reason", why)
}

// reportForgery logs a message that only the room may send which its topic is. A
// trigger that does so does it again and again: one line a minute says it.
func (r *reader) reportForgery(m storedMessage) {
	if now := time.Now(); r.forgeries.Allow(now, 1, time.Minute) {
		r.dropMessage(m, tutti.ExtensionEventReserved+": only the room itself may send the event "+strconv.Quote(m.event))
		return
	}
	r.count(tally.MessagesDropped, 1)
}

// follow makes the loops report when they have handed out the messages that were
// published, so that these are confirmed only then, and no more are read than
// the loops keep up with.
func (r *reader) follow(ctx context.Context) error {
	if r.published == 0 {
		return nil
	}
	load := r.published / messageBytes
	r.published = 0
	f := r.boarding()
	for _, l := range r.feeds.Loops {
		f.left.Add(1)
		r.aloft.Add(int64(load))
		landed := func() {
			f.left.Add(-1)
			r.aloft.Add(-int64(load))
			ring(r.landed)
		}
		if !l.Post(0, 0, landed) {
			landed()
		}
	}
	return r.touchdown(ctx)
}

// tellReady tells those who wait for it that messages are heard.
func (r *reader) tellReady() {
	if len(r.waiters) == 0 || !r.live.Load() || !r.prepared.Load() {
		return
	}
	for _, w := range r.waiters {
		r.feeds.Loops[w.loop].Post(1, 0, once(w.tell))
	}
	r.waiters = nil
}

// stream runs the stream of a database, when it has found out whether that has
// what messages need. Where it has not, changes of rows are delivered all the
// same.
func (r *reader) stream(ctx context.Context) error {
	for {
		prepared, err := r.prepare(ctx)
		if err != nil {
			return err
		}
		r.publications = []string{r.place.Publication}
		if prepared {
			r.publications = append(r.publications, postgres.MessagesPublication)
		}
		r.prepared.Store(prepared)
		if err := r.flow(ctx, prepared); !errors.Is(err, errUnprepared) {
			return err
		}
		select { // it may come to the same again
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

// flow runs the stream until the context ends, or until what was prepared is
// missing: somebody has dropped it, or the database, and has made another.
func (r *reader) flow(ctx context.Context, prepared bool) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.unprepared = nil
	if prepared {
		r.unprepared = stop
	}
	return r.source.Run(ctx)
}

// hear takes a state of the stream.
func (r *reader) hear(s wal.State) {
	r.queue.tell(s)
	if down, ok := s.(wal.Down); ok && r.unprepared != nil && down.Failure.Code == wal.PublicationMissing {
		r.unprepared(errUnprepared)
	}
}

// diagnose returns why a database cannot be reached; err is how that showed.
func (r *reader) diagnose(ctx context.Context, err error) *wal.Failure {
	_, _, refusal := wal.Inspect(ctx, r.db.Replication(), r.slot(r.place))
	if known, ok := errors.AsType[*wal.Failure](refusal); ok {
		return known
	}
	return &wal.Failure{Code: wal.DatabaseUnavailable, Cause: err.Error(), Cure: "it is tried again", Err: err}
}

// prepare makes what messages need, and reports whether it is there.
func (r *reader) prepare(ctx context.Context) (bool, error) {
	const first, longest = 100 * time.Millisecond, 10 * time.Second
	for wait := first; ; wait = min(2*wait, longest) {
		_, err := r.db.Prepare(ctx)
		if err == nil {
			return true, nil
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		r.count(tally.PrepareFailures, 1)
		if defect, ok := errors.AsType[*postgres.Defect](err); ok {
			r.log.Warn("messages of the database are not delivered", "code", defect.Code, "cause", defect.Cause, "cure", defect.Cure)
			return false, nil
		}
		r.queue.tell(wal.Down{Failure: r.diagnose(ctx, err)})
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}
