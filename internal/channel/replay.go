package channel

import (
	"errors"
	"strconv"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tenant"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

// The limits of "since" in milliseconds: the years -9999 to 9999, which is what
// the reference takes for a date.
const (
	firstSince = -377_705_116_800_000
	lastSince  = 253_402_300_799_999
)

// standardReplay is how many messages a join gets whose tenant says nothing.
const standardReplay = 25

// recall fetches the messages of the past that a join asks for, and lets the
// client in. Protocol, section 5.6.
func (ch *Channel) recall() {
	a := ch.access
	raw := a.knock.config.replay
	if !isObject(raw) {
		ch.enter(nil)
		return
	}
	if a.read.broadcast != granted {
		ch.turnAway(ch.unreadable())
		return
	}
	q, ok := ch.question(false)
	if !ok {
		return
	}
	since, limit, ok := replayParams(raw, mostReplayed(q.Tenant))
	if !ok {
		ch.turnAway(&tutti.Error{Code: tutti.UnableToReplayMessages, Reason: "Replay params are not valid"})
		return
	}
	// What is sent from now on is held, so that nothing is missed between the
	// query and the join; what the query finds as well is left out again.
	ch.sit()
	a.holding = true
	q.Span = a.knock.config.span.Child("replay")
	ch.client.Desk.Policies.Replay(q, since, limit, ch.client.Desk.Index, awaiting(ch, q.Span, func(past []postgres.Stored, err error) {
		if err != nil {
			ch.turnAway(&tutti.Error{Code: tutti.UnableToReplayMessages, Reason: "Realtime was unable to replay messages"})
			return
		}
		ch.enter(past)
	}))
}

func mostReplayed(t *tutti.Tenant) int {
	if d, found, err := tenant.Database(t); found && err == nil {
		return d.ReplayLimit
	}
	return standardReplay
}

// replayParams reads the raw object "replay". Most is the limit of a client that
// names none, and of one that names more.
func replayParams(raw []byte, most int) (since time.Time, limit int, ok bool) {
	text, _ := phoenix.Lookup(raw, "since")
	ms, ok := integer(text)
	if !ok || ms < firstSince || ms > lastSince {
		return since, 0, false
	}
	limit = most
	if text, found := phoenix.Lookup(raw, "limit"); found {
		n, ok := integer(text)
		if !ok {
			return since, 0, false
		}
		limit = int(min(max(n, 1), int64(most)))
	}
	return time.UnixMilli(ms), limit, true
}

// integer reads a raw JSON integer; one that is too large becomes the largest.
func integer(raw []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil || errors.Is(err, strconv.ErrRange)
}

// replay sends the client what was stored. It is not counted.
func (ch *Channel) replay(past []postgres.Stored) {
	if len(past) == 0 {
		return
	}
	a, t := ch.access, ch.client.Tenant.Tenant()
	a.replayed = make(map[string]struct{}, len(past))
	for i := range past {
		if t != nil && ch.client.Desk.Door.Forged(t, ch.topic, past[i].Event, broadcast.FromDatabase) != nil {
			continue
		}
		id := phoenix.AppendString(nil, past[i].ID)
		a.replayed[string(id)] = struct{}{}
		meta := append(append([]byte(`{"id":`), id...), `,"replayed":true}`...)
		if past[i].Binary {
			ch.replayBinary(&past[i], meta)
		} else {
			ch.replayJSON(&past[i], meta)
		}
	}
}

func (ch *Channel) replayJSON(s *postgres.Stored, meta []byte) {
	p := phoenix.AppendString([]byte(`{"event":`), s.Event)
	p = append(append(p, `,"meta":`...), meta...)
	p = append(append(p, `,"payload":`...), s.Payload...)
	ch.push(phoenix.EventBroadcast, append(p, `,"type":"broadcast"}`...))
}

// replayBinary sends bytes, if the client's serializer can say them.
func (ch *Channel) replayBinary(s *postgres.Stored, meta []byte) {
	c := ch.client
	m := tutti.Message{Topic: ch.topic, Form: tutti.Binary, Event: s.Event, Payload: s.Payload, Meta: meta}
	frame, text, ok := phoenix.AppendMessage(make([]byte, websocket.Room, 192+len(s.Payload)), c.Version, &m)
	if ok && !text {
		c.Line.Send(websocket.Seal(websocket.Binary, frame), false)
	}
}
