//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/tutti-realtime/tutti/internal/account"
)

// A session is one connection of a client, from its handshake to its end. What
// it hears is noted when it comes.
type session struct {
	name  string // presence key of the client
	sub   string // of its token
	node  place
	topic string
	conn  *websocket.Conn
	gone  chan struct{} // closed when the connection has ended

	writing sync.Mutex // guards ref, and frames are written under it
	ref     int

	mu         sync.Mutex // guards all below
	bell       chan struct{}
	joined     time.Time // the reply to the join came
	refused    string    // or it was another
	subscribed time.Time // `Subscribed to PostgreSQL` came, and nothing was said to be lost since
	ended      time.Time
	code       websocket.StatusCode // of the close, -1 without a word
	why        string
	troubles   []string // errors that system messages told
	rows       []arrival
	words      []arrival
	present    map[string][]string // refs of presences, by key
	moved      time.Time           // when presence changed last
}

// An arrival is a row or a message that came.
type arrival = account.Arrival

// A frame is a message of the protocol in its first version, which is JSON
// throughout.
type frame struct {
	Topic   string          `json:"topic"`
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
	Ref     string          `json:"ref"`
	JoinRef string          `json:"join_ref,omitempty"`
}

// A wish says what a client joins with.
type wish struct {
	rows     bool // subscribe to both tables
	presence bool // be present, and hear who is
	self     bool // hear its own broadcasts
}

// largest is the longest message that a client takes, in bytes.
const largest = 8 << 20

// connect makes a session. It returns when the handshake is done and the join is
// sent; run must be called, and run it in a goroutine that is waited for.
func connect(ctx context.Context, client *http.Client, addr, token string, s *session, w wish) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	url := "ws://" + addr + "/socket/websocket?vsn=1.0.0&apikey=" + token
	conn, answer, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client})
	if answer != nil && answer.Body != nil {
		_ = answer.Body.Close()
	}
	if err != nil {
		return fmt.Errorf("connect %s: %w", s.name, err)
	}
	conn.SetReadLimit(largest)
	s.conn, s.gone, s.bell = conn, make(chan struct{}), make(chan struct{})
	if err := s.push(ctx, "phx_join", s.config(token, w)); err != nil {
		_ = conn.CloseNow()
		return err
	}
	return nil
}

// config returns the payload of the join.
func (s *session) config(token string, w wish) any {
	type object = map[string]any
	rows := []object{}
	if w.rows {
		for _, table := range []string{"notes", "letters"} {
			rows = append(rows, object{"event": "*", "schema": "public", "table": table})
		}
	}
	return object{"access_token": token, "config": object{
		"broadcast": object{"ack": false, "self": w.self}, "private": false, "postgres_changes": rows,
		"presence": object{"key": s.name, "enabled": w.presence},
	}}
}

// push sends a message to the session's topic.
func (s *session) push(ctx context.Context, event string, payload any) error {
	return s.pushTo(ctx, s.topic, event, payload)
}

func (s *session) pushTo(ctx context.Context, topic, event string, payload any) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.ref++
	f := frame{Topic: topic, Event: event, Payload: body, Ref: strconv.Itoa(s.ref), JoinRef: joinRef}
	text, err := json.Marshal(&f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, text); err != nil {
		return fmt.Errorf("push %s of %s: %w", event, s.name, err)
	}
	return nil
}

const joinRef = "1" // the ref of the first push

// run takes what comes until the connection ends, which ctx ends too.
func (s *session) run(ctx context.Context) {
	defer close(s.gone)
	defer func() { _ = s.conn.CloseNow() }()
	for {
		_, data, err := s.conn.Read(ctx)
		at := time.Now()
		if err != nil {
			s.note(func() {
				s.ended, s.code, s.why = at, websocket.CloseStatus(err), err.Error()
				if closed := (websocket.CloseError{}); errors.As(err, &closed) {
					s.why = closed.Reason
				}
			})
			return
		}
		var f frame
		if json.Unmarshal(data, &f) == nil {
			s.note(func() { s.take(&f, at) })
		}
	}
}

// note changes what is known, and wakes who waits for that.
func (s *session) note(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.bell)
	s.bell = make(chan struct{})
}

// changesLost stands in what clients are told when changes could not be kept.
const changesLost = "Changes were lost"

// messageEvent is that of broadcasts that SQL sends.
const messageEvent = "row"

// take notes one message.
func (s *session) take(f *frame, at time.Time) {
	if f.Topic != s.topic {
		return
	}
	switch f.Event {
	case "phx_reply":
		s.reply(f, at)
	case "system":
		var p struct{ Extension, Message, Status string }
		_ = json.Unmarshal(f.Payload, &p)
		switch {
		case p.Message == "Subscribed to PostgreSQL" && s.subscribed.IsZero():
			s.subscribed = at
		case p.Status == "error":
			s.troubles = append(s.troubles, p.Message)
			if strings.Contains(p.Message, changesLost) {
				s.subscribed = time.Time{} // until it is told again
			}
		}
	case "postgres_changes":
		var p struct {
			Data struct{ Record struct{ ID int64 } }
		}
		if json.Unmarshal(f.Payload, &p) == nil {
			s.rows = append(s.rows, arrival{ID: p.Data.Record.ID, At: at})
		}
	case "broadcast":
		var p struct {
			Event   string
			Payload struct{ ID int64 }
		}
		switch {
		case json.Unmarshal(f.Payload, &p) != nil:
		case p.Event == messageEvent:
			s.rows = append(s.rows, arrival{ID: p.Payload.ID, At: at})
		default:
			s.words = append(s.words, arrival{ID: p.Payload.ID, At: at})
		}
	case "presence_state", "presence_diff":
		s.presence(f, at)
	}
}

func (s *session) reply(f *frame, at time.Time) {
	if f.Ref != joinRef {
		return
	}
	var p struct {
		Status   string
		Response struct{ Reason string }
	}
	_ = json.Unmarshal(f.Payload, &p)
	if p.Status == "ok" {
		s.joined = at
	} else {
		s.refused = p.Status + ": " + p.Response.Reason
	}
}

// A crowd is presences by key, as the protocol writes them.
type crowd map[string]struct {
	Metas []struct {
		Ref string `json:"phx_ref"`
	}
}

// presence takes a state, or a change of it, as client libraries do.
func (s *session) presence(f *frame, at time.Time) {
	s.moved = at
	var diff struct{ Joins, Leaves crowd }
	if f.Event == "presence_state" {
		s.present = map[string][]string{}
		_ = json.Unmarshal(f.Payload, &diff.Joins)
	} else {
		_ = json.Unmarshal(f.Payload, &diff)
	}
	if s.present == nil {
		return // the state comes first
	}
	for key, here := range diff.Joins {
		for _, m := range here.Metas {
			s.present[key] = append(without(s.present[key], m.Ref), m.Ref)
		}
	}
	for key, left := range diff.Leaves {
		for _, m := range left.Metas {
			s.present[key] = without(s.present[key], m.Ref)
		}
		if len(s.present[key]) == 0 {
			delete(s.present, key)
		}
	}
}

func without(refs []string, ref string) (rest []string) {
	for _, r := range refs {
		if r != ref {
			rest = append(rest, r)
		}
	}
	return rest
}

// until waits until what is known of the session is as wished, or it has ended,
// or ctx has.
func (s *session) until(ctx context.Context, wished func() bool) error {
	for {
		s.mu.Lock()
		ok, over, bell := wished(), !s.ended.IsZero(), s.bell
		s.mu.Unlock()
		switch {
		case ok:
			return nil
		case over:
			return fmt.Errorf("the connection of %s to node %v ended: %d %s", s.name, s.node, s.code, s.why)
		}
		select {
		case <-bell:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// live reports whether the connection has not ended.
func (s *session) live() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended.IsZero()
}

// end closes the connection, and waits until that is done.
func (s *session) end() {
	_ = s.conn.CloseNow()
	<-s.gone
}
