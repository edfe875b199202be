package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/presence"
)

var room = tutti.Topic{Tenant: "acme", Name: "room/1"}

// lookInto begins to look into the room, and waits until what passes is seen.
func (s *stage) lookInto() *events {
	s.t.Helper()
	answer := s.ask("GET", "/tenants/acme/topics/room%2F1/live", "", nil)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("answers %d %v", answer.StatusCode, answer.Header)
	}
	e := newEvents(s.t, answer.Body)
	if name, _ := e.next(); name != ":" {
		s.t.Fatalf("begins with %q", name)
	}
	s.settle()
	return e
}

// settle waits until the loops have done what was posted.
func (s *stage) settle() {
	if _, err := onLoops(s.t.Context(), s.Console, func(int) bool { return true }); err != nil {
		s.t.Fatal(err)
	}
}

func TestWhatPassesInATopicIsSeen(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	e := s.lookInto()
	long := `"` + strings.Repeat("ü", cut) + `"`
	for name, tt := range map[string]struct {
		message tutti.Message
		want    sight
	}{
		"an object": {
			tutti.Message{Event: "broadcast", Payload: []byte(`{"type":"broadcast","event":"move","payload":{"x":1}}`)},
			sight{Kind: "broadcast", Event: "move", Size: 53, Payload: json.RawMessage(`{"x":1}`)},
		},
		"JSON": {
			tutti.Message{Form: tutti.JSON, Event: "move", Payload: []byte(`[1,2]`)},
			sight{Kind: "broadcast", Event: "move", Size: 5, Payload: json.RawMessage(`[1,2]`)},
		},
		"bytes": {
			tutti.Message{Form: tutti.Binary, Event: "blob", Payload: []byte{0xff, 0}},
			sight{Kind: "broadcast", Event: "blob", Size: 2, Payload: json.RawMessage(`null`)},
		},
		"an event with a very long name": {
			tutti.Message{Event: "broadcast", Payload: []byte(`{"event":"` + strings.Repeat("ü", cut) + `","payload":1}`)},
			sight{Kind: "broadcast", Event: strings.Repeat("ü", longestEvent/2), Size: 2*cut + 24, Payload: json.RawMessage(`1`)},
		},
		"what the server says": {
			tutti.Message{Event: "system", Payload: []byte(`{"status":"ok"}`)},
			sight{Kind: "system", Event: "system", Size: 15, Payload: json.RawMessage(`{"status":"ok"}`)},
		},
		"something long": {
			tutti.Message{Form: tutti.JSON, Event: "long", Payload: []byte(long)},
			sight{Kind: "broadcast", Event: "long", Size: len(long), Truncated: true},
		},
	} {
		tt.message.Topic = room
		s.Topics.Deliver(tt.message)
		var got sight
		e.await("message", &got)
		if got.Truncated {
			var text string
			if json.Unmarshal(got.Payload, &text) != nil || len(text) > cut || !strings.HasPrefix(long, text) {
				t.Errorf("%s is cut to %s", name, got.Payload)
			}
			got.Payload = nil
		}
		if time.Since(time.UnixMilli(got.At)) > time.Minute {
			t.Errorf("%s passed at %d", name, got.At)
		}
		got.At = 0
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", tt.want) {
			t.Errorf("%s is shown as %+v, want %+v", name, got, tt.want)
		}
	}
	log := s.log()
	if !strings.Contains(log, "topic is looked into") || !strings.Contains(log, "who=root") || !strings.Contains(log, "topic=room/1") {
		t.Errorf("who looked is not logged: %s", log)
	}
}

func TestPresenceIsSeen(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	e := s.lookInto()
	s.Roster.Track(room, 1, "ann", []byte(`{"mood":"good"}`))
	var diff struct{ Joins, Leaves map[string]any }
	e.await("presence", &diff)
	if len(diff.Joins) != 1 || diff.Joins["ann"] == nil || len(diff.Leaves) != 0 {
		t.Errorf("%+v", diff)
	}
	var got sight
	e.await("message", &got)
	if got.Kind != "presence" || got.Event != presence.DiffEvent {
		t.Errorf("%+v", got)
	}
}

func TestOtherTopicsAreNotSeen(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	e := s.lookInto()
	private, bare, other := room, room, room
	private.Private, bare.Bare, other.Tenant = true, true, "other"
	for _, topic := range []tutti.Topic{private, bare, other, room} {
		s.Topics.Deliver(tutti.Message{Topic: topic, Form: tutti.JSON, Event: fmt.Sprint(topic), Payload: []byte("1")})
	}
	var got sight
	e.await("message", &got)
	if got.Event != fmt.Sprint(room) {
		t.Errorf("saw %s", got.Event)
	}
}

// A crowd listens, and counts nothing but itself.
type ear struct {
	hub.Seat
	heard chan string
}

func (e *ear) Deliver(m *hub.Message) { e.heard <- m.Event }

func TestWhoLooksIsNotAmongThoseWhoListen(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	e := s.lookInto()
	ann := &ear{heard: make(chan string, 10)}
	counts, err := onLoops(t.Context(), s.Console, func(loop int) [3]int {
		shard := s.Topics.Shard(loop)
		if loop == 0 {
			shard.Join(room, &ann.Seat, ann)
		}
		return [3]int{shard.Count(room), shard.Members(), shard.Crowd("acme")}
	})
	if err != nil || counts[0] != [3]int{1, 1, 1} || counts[1] != [3]int{} {
		t.Fatalf("%v %v", counts, err)
	}
	s.Topics.Deliver(tutti.Message{Topic: room, Form: tutti.JSON, Event: "one", Payload: []byte("1")})
	var got sight
	e.await("message", &got)
	if heard := <-ann.heard; heard != "one" || got.Event != "one" {
		t.Errorf("%s was heard, %s seen", heard, got.Event)
	}
	var list struct{ Total int }
	s.expect("GET", "/tenants/acme/topics", "", 200, &list)
	if list.Total != 1 {
		t.Errorf("there are %d topics", list.Total)
	}
}

func TestAChangeThatManyGetIsSeenOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	e := s.lookInto()
	row := func(n int) []byte { return fmt.Appendf(nil, `{"record":{"n":%d},"type":"INSERT"}`, n) }
	for n := range 3 {
		data := row(n)
		_, err := onLoops(t.Context(), s.Console, func(loop int) bool {
			for range 100 {
				s.Topics.Shard(loop).Note(room, "postgres_changes", data)
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		var got sight
		e.await("message", &got)
		if got.Kind != "postgres_changes" || got.Event != "INSERT" || string(got.Payload) != string(row(n)) {
			t.Errorf("change %d is seen as %+v", n, got)
		}
	}
}

func TestASlowViewerLosesMessagesAndIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	e := s.lookInto()
	const many = 5000
	for i := range many {
		s.Topics.Deliver(tutti.Message{Topic: room, Form: tutti.JSON, Event: fmt.Sprint(i), Payload: []byte("1")})
	}
	s.settle()
	shown, dropped := 0, int64(0)
	for shown+int(dropped) < many {
		switch name, data := e.next(); name {
		case "message":
			shown++
		case "dropped":
			var d struct{ Count int64 }
			if err := json.Unmarshal([]byte(data), &d); err != nil {
				t.Fatal(err)
			}
			dropped += d.Count
		case "":
			t.Fatal("the stream ended")
		}
	}
	if shown == 0 || shown > 3*sightsPerSecond {
		t.Errorf("%d were shown and %d dropped", shown, dropped)
	}
}

// A viewer who takes nothing at all holds up nobody.
func TestAViewerWhoReadsNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.lookInto()
	payload := []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
	for range 500 {
		s.Topics.Deliver(tutti.Message{Topic: room, Form: tutti.JSON, Event: "large", Payload: payload})
	}
	s.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Console.mu.Lock()
	defer s.Console.mu.Unlock()
	for _, l := range s.looks {
		if bytes := l.bytes.Load(); bytes > queuedBytes {
			t.Errorf("%d bytes are held for it", bytes)
		}
	}
}

func TestAfterALookNothingIsLeft(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	answer := s.ask("GET", "/tenants/acme/topics/room%2F1/live", "", nil)
	newEvents(t, answer.Body).next()
	s.settle()
	if n := s.Topics.Topics(); n != 1 {
		t.Fatalf("%d topics are wanted", n)
	}
	_ = answer.Body.Close()
	deadline := time.Now().Add(10 * time.Second)
	for {
		s.settle()
		s.Console.mu.Lock()
		looks := len(s.looks)
		s.Console.mu.Unlock()
		if looks == 0 && s.Topics.Topics() == 0 && s.viewers.n.Load() == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d looks, %d topics, %d viewers are left", looks, s.Topics.Topics(), s.viewers.n.Load())
		}
	}
}

func TestNoMoreViewersThanThereMayBe(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.viewers.n.Store(mostViewers)
	for _, path := range []string{"/live", "/tenants/acme/topics/t/live"} {
		var f Fault
		s.expect("GET", path, "", http.StatusServiceUnavailable, &f)
		if f.Code != "TooManyViewers" {
			t.Errorf("%s says %s", path, f.Code)
		}
	}
}

func TestANodeThatStopsEndsItsStreams(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	looking := s.lookInto()
	live := newEvents(t, s.ask("GET", "/live", "", nil).Body)
	var o Overview
	live.await("overview", &o)
	if o.Node != "n1" || len(o.Nodes) != 1 || o.Nodes[0].Connections != 7 {
		t.Errorf("%+v", o)
	}
	s.Close()
	for _, e := range []*events{looking, live} {
		for name := "?"; name != ""; {
			name, _ = e.next()
		}
	}
	var f Fault
	s.expect("GET", "/live", "", http.StatusServiceUnavailable, &f)
	if f.Code != "RealtimeRestarting" {
		t.Errorf("says %s", f.Code)
	}
}

func TestARightThatEndsEndsTheStream(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	token := mintFor(t, secret, map[string]any{"exp": in(2 * time.Second)})
	e := newEvents(t, s.ask("GET", "/tenants/acme/topics/room%2F1/live", "", bearer(token)).Body)
	for name := "?"; name != ""; {
		name, _ = e.next()
	}
}

func TestLiveTellsOfATenant(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	m := s.Meters.Of("acme")
	m.EnterUser(10)
	now := time.Now()
	s.recorder.asked = now // somebody looks already
	s.record(now.Add(-time.Second))
	m.Events.Add(0, 50)
	s.record(now)
	e := newEvents(t, s.ask("GET", "/live?tenant=acme", "", nil).Body)
	var p Point
	e.await("tenant", &p)
	if p.Connections != 1 || p.Events < 49 || p.Events > 51 {
		t.Errorf("%+v", p)
	}
}
