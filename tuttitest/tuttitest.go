// Package tuttitest runs the rooms of an extension without a server, in virtual time,
// for the tests of those who write extensions. A room does nothing by itself: what
// a test says is done when the method returns, Room.Go included. It is for one
// goroutine.
package tuttitest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// Began is the time at which a Server's clock begins.
var Began = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// A Server has one extension.
type Server struct {
	// Database is what rooms are given as theirs; nil for none.
	Database tutti.ExtensionDatabase

	t         testing.TB
	extension tutti.Extension
	settings  any
	now       time.Time
	rooms     map[tutti.Topic]*Room
	members   int
}

// New returns a server whose tenant has these settings. The test fails when the
// extension does not like them.
func New(t testing.TB, e tutti.Extension, settings map[string]any) *Server {
	t.Helper()
	s := &Server{t: t, extension: e, now: Began, rooms: map[tutti.Topic]*Room{}}
	s.Configure(settings)
	return s
}

// Configure changes the settings of the tenant.
func (s *Server) Configure(settings map[string]any) {
	s.t.Helper()
	if settings == nil {
		settings = map[string]any{}
	}
	value, err := s.extension.Read(settings)
	if err != nil {
		s.t.Fatalf("the settings %v are refused: %v", settings, err)
	}
	s.settings = value
}

// Now returns the time on the server's clock.
func (s *Server) Now() time.Time { return s.now }

// Advance lets time pass. Rooms wake when it is their time.
func (s *Server) Advance(d time.Duration) {
	until := s.now.Add(d)
	for {
		var next *Room
		for _, r := range s.rooms {
			if r.actor != nil && !r.wake.IsZero() && !r.wake.After(until) && (next == nil || r.wake.Before(next.wake)) {
				next = r
			}
		}
		if next == nil {
			s.now = until
			return
		}
		if next.wake.After(s.now) {
			s.now = next.wake
		}
		next.wake = time.Time{}
		next.actor.Wake(s.now)
		next.settle()
	}
}

// Room returns a room by what stands behind "realtime:". The test fails when the
// extension says that it is none.
func (s *Server) Room(topic string) *Room {
	s.t.Helper()
	if s.extension.Rooms == nil || !s.extension.Rooms(s.settings, topic) {
		s.t.Fatalf("%s is no room", topic)
	}
	at := tutti.Topic{Tenant: "test", Name: topic}
	r := s.rooms[at]
	if r == nil {
		r = &Room{server: s, topic: at}
		s.rooms[at] = r
	}
	return r
}

// A Room is one of the extension's. It is open while somebody is in it.
type Room struct {
	server   *Server
	topic    tutti.Topic
	actor    tutti.Actor
	ctx      context.Context
	stop     context.CancelFunc
	clients  []*Client
	wake     time.Time
	kept     []byte
	lost     bool
	skew     *tutti.Skew
	presence json.RawMessage
	works    []func(context.Context) func()
}

// open opens the room, with those who are in it.
func (r *Room) open() error {
	r.ctx, r.stop = context.WithCancel(context.Background())
	var err error
	r.actor, err = r.server.extension.Open(&host{r})
	if err != nil {
		r.actor = nil
		r.stop()
		return err
	}
	r.settle()
	return nil
}

// settle does what Room.Go was given, and what that was given, until nothing is left.
func (r *Room) settle() {
	for len(r.works) > 0 {
		work := r.works[0]
		r.works = r.works[1:]
		if then := work(r.ctx); then != nil {
			then()
		}
	}
}

// Join makes somebody a member, and returns the error with which he was refused.
func (r *Room) Join(m tutti.Member) (*Client, error) {
	if r.actor == nil {
		if err := r.open(); err != nil {
			return nil, err
		}
	}
	r.server.members++
	m.ID = fmt.Sprintf("member-%d", r.server.members)
	c := &Client{room: r, member: &m}
	r.clients = append(r.clients, c)
	if err := r.actor.Join(c.member); err != nil {
		r.remove(c)
		r.closeIfEmpty()
		return nil, err
	}
	r.settle()
	return c, nil
}

// MustJoin is Join for somebody who must be let in.
func (r *Room) MustJoin(m tutti.Member) *Client {
	r.server.t.Helper()
	c, err := r.Join(m)
	if err != nil {
		r.server.t.Fatalf("a member is refused: %v", err)
	}
	return c
}

// Crash ends the room as when its node is lost: the next actor is given what was kept
// last, and all who are there.
func (r *Room) Crash() {
	r.server.t.Helper()
	if r.actor == nil {
		r.server.t.Fatalf("a room in which nobody is cannot crash")
	}
	r.stop()
	r.wake, r.works, r.lost = time.Time{}, nil, true
	if err := r.open(); err != nil {
		r.server.t.Fatalf("the room cannot be opened again: %v", err)
	}
	r.lost = false
	for _, c := range append([]*Client(nil), r.clients...) {
		if err := r.actor.Join(c.member); err != nil {
			r.server.t.Fatalf("a member is refused by the next actor: %v", err)
		}
	}
	r.settle()
}

// Skew says what Room.Skew returns after the next Crash: how the clock of the node that
// goes on compares to that of the one which is lost. Without it that is not known.
func (r *Room) Skew(s tutti.Skew) { r.skew = &s }

// Kept returns what the room has kept.
func (r *Room) Kept() []byte { return r.kept }

// Present says what Room.Presence returns.
func (r *Room) Present(state json.RawMessage) { r.presence = state }

func (r *Room) remove(c *Client) {
	for i, o := range r.clients {
		if o == c {
			r.clients = append(r.clients[:i:i], r.clients[i+1:]...)
		}
	}
	c.gone = true
}

func (r *Room) closeIfEmpty() {
	if len(r.clients) == 0 && r.actor != nil {
		r.actor.Close()
		r.stop()
		r.actor, r.wake, r.works = nil, time.Time{}, nil
	}
}

// A Message is what a client heard.
type Message struct {
	Event   string
	Payload string // JSON
}

// A Client is a member of a room.
type Client struct {
	room   *Room
	member *tutti.Member
	heard  []Message
	gone   bool
}

// Member returns the member as the actor knows it.
func (c *Client) Member() *tutti.Member { return c.member }

// Send sends an event with a payload, which becomes JSON unless it is
// a json.RawMessage. Events that are not for the actor go to the others, but for those
// that only rooms may send: these are answered with tutti.ExtensionError.
func (c *Client) Send(event string, payload any) {
	s := c.room.server
	s.t.Helper()
	text, err := json.Marshal(payload)
	if err != nil {
		s.t.Fatalf("the payload has no JSON: %v", err)
	}
	e := &tutti.Event{Member: c.member, Name: event, Payload: text, At: s.now}
	switch {
	case c.gone:
		s.t.Fatalf("a client that has left sends %s", event)
	case s.extension.Reserves(event):
		c.heard = append(c.heard, Message{tutti.ExtensionError, denial(event)})
		return
	case s.extension.Events == nil || !s.extension.Events(event):
		for _, o := range c.room.clients {
			if o != c {
				o.heard = append(o.heard, Message{event, string(text)})
			}
		}
		return
	}
	if s.extension.Instant != nil {
		if name, answer, ok := s.extension.Instant(e, s.now); ok {
			c.heard = append(c.heard, Message{name, string(answer)})
			return
		}
	}
	c.room.actor.Hear(e)
	c.room.settle()
}

// denial is what somebody hears who sends what only rooms may.
func denial(event string) string {
	text, err := json.Marshal(map[string]string{
		"code": tutti.ExtensionEventReserved, "reason": "only the room itself may send this event", "event": event,
	})
	if err != nil {
		panic(err) // strings always have a form
	}
	return string(text)
}

// Leave ends the membership.
func (c *Client) Leave() {
	if c.gone {
		return
	}
	c.room.remove(c)
	c.room.actor.Leave(c.member)
	c.room.settle()
	c.room.closeIfEmpty()
}

// Heard returns what the client heard since it was asked last.
func (c *Client) Heard() []Message {
	heard := c.heard
	c.heard = nil
	return heard
}

// host is the tutti.Room of an actor.
type host struct{ r *Room }

func (h *host) Context() context.Context            { return h.r.ctx }
func (h *host) Topic() tutti.Topic                  { return h.r.topic }
func (h *host) Settings() any                       { return h.r.server.settings }
func (h *host) Now() time.Time                      { return h.r.server.now }
func (h *host) Wake(at time.Time)                   { h.r.wake = at }
func (h *host) Keep(state []byte)                   { h.r.kept = state }
func (h *host) Restored() (state []byte, lost bool) { return h.r.kept, h.r.lost }
func (h *host) Database() tutti.ExtensionDatabase   { return h.r.server.Database }
func (h *host) Skew() (s tutti.Skew, known bool) {
	switch {
	case h.r.skew != nil:
		return *h.r.skew, true
	case h.r.lost || h.r.kept == nil:
		return s, false
	}
	return s, true
}
func (h *host) Log() *slog.Logger { return slog.New(slog.NewTextHandler(output{h.r.server.t}, nil)) }
func (h *host) Go(work func(context.Context) func()) bool {
	h.r.works = append(h.r.works, work)
	return true
}

func (h *host) Presence() json.RawMessage {
	if h.r.presence == nil {
		return json.RawMessage("{}")
	}
	return h.r.presence
}

func (h *host) Members() []*tutti.Member {
	all := make([]*tutti.Member, 0, len(h.r.clients))
	for _, c := range h.r.clients {
		all = append(all, c.member)
	}
	return all
}

func (h *host) Broadcast(event string, payload []byte) {
	h.check(event, payload)
	for _, c := range h.r.clients {
		c.heard = append(c.heard, Message{event, string(payload)})
	}
}

func (h *host) Tell(m *tutti.Member, event string, payload []byte) {
	h.check(event, payload)
	for _, c := range h.r.clients {
		if c.member == m {
			c.heard = append(c.heard, Message{event, string(payload)})
		}
	}
}

// check fails the test for what the server would not send.
func (h *host) check(event string, payload []byte) {
	h.r.server.t.Helper()
	if len(payload) == 0 || payload[0] != '{' || !json.Valid(payload) {
		h.r.server.t.Errorf("the payload of %s is no JSON object: %s", event, payload)
	}
}

// output shows the log of rooms with a test that fails.
type output struct{ t testing.TB }

func (o output) Write(line []byte) (int, error) {
	return o.t.Output().Write(line)
}
