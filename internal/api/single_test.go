package api

import (
	"net/http"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
)

func TestSingleMessages(t *testing.T) {
	t.Parallel()
	as := func(mediaType string) map[string]string { return map[string]string{"Content-Type": mediaType} }
	for name, tt := range map[string]struct {
		call call
		want tutti.Message
	}{
		"an object passes as it came":      {call{body: ` {"a" : 1.0} `}, tutti.Message{Form: tutti.JSON, Payload: []byte(` {"a" : 1.0} `)}},
		"a list is wrapped":                {call{body: `[1,2]`}, tutti.Message{Form: tutti.JSON, Payload: []byte(`{"_json":[1,2]}`)}},
		"a null is wrapped":                {call{body: `null`}, tutti.Message{Form: tutti.JSON, Payload: []byte(`{"_json":null}`)}},
		"nothing is an empty object":       {call{}, tutti.Message{Form: tutti.JSON, Payload: []byte(`{}`)}},
		"without a type nothing is read":   {call{body: `{"a":1}`, headers: as("")}, tutti.Message{Form: tutti.JSON, Payload: []byte(`{}`)}},
		"JSON with parameters":             {call{body: `{"a":1}`, headers: as("Application/JSON; charset=utf-8")}, tutti.Message{Form: tutti.JSON, Payload: []byte(`{"a":1}`)}},
		"bytes":                            {call{body: "\x00\xff", headers: as(mediaBytes)}, tutti.Message{Form: tutti.Binary, Payload: []byte("\x00\xff")}},
		"bytes that look like JSON":        {call{body: "{", headers: as(mediaBytes)}, tutti.Message{Form: tutti.Binary, Payload: []byte("{")}},
		"no bytes":                         {call{headers: as(mediaBytes)}, tutti.Message{Form: tutti.Binary}},
		"a slash in a topic":               {call{path: "/api/broadcast/room%2F1/events/a%2Fb"}, tutti.Message{Topic: tutti.Topic{Name: "room/1"}, Form: tutti.JSON, Event: "a/b", Payload: []byte(`{}`)}},
		"colons and dots":                  {call{path: "/api/broadcast/a:b.c/events/%2E%2E"}, tutti.Message{Topic: tutti.Topic{Name: "a:b.c"}, Form: tutti.JSON, Event: "..", Payload: []byte(`{}`)}},
		"a plus is a plus":                 {call{path: "/api/broadcast/a+b/events/%2525"}, tutti.Message{Topic: tutti.Topic{Name: "a+b"}, Form: tutti.JSON, Event: "%25", Payload: []byte(`{}`)}},
		"topics that are words of ours":    {call{path: "/api/broadcast/events/events/events"}, tutti.Message{Topic: tutti.Topic{Name: "events"}, Form: tutti.JSON, Event: "events", Payload: []byte(`{}`)}},
		"other scripts":                    {call{path: "/realtime/v1/api/broadcast/%E9%9F%B3/events/%E6%A5%BD"}, tutti.Message{Topic: tutti.Topic{Name: "音"}, Form: tutti.JSON, Event: "楽", Payload: []byte(`{}`)}},
		"doubled slashes are one":          {call{path: "//api/broadcast//room%2F1/events/pos//"}, tutti.Message{Topic: tutti.Topic{Name: "room/1"}, Form: tutti.JSON, Payload: []byte(`{}`)}},
		"private where it is granted":      {call{path: "/api/broadcast/my-room/events/pos?private=true"}, tutti.Message{Topic: tutti.Topic{Name: "my-room", Private: true}, Form: tutti.JSON, Payload: []byte(`{}`)}},
		"private is the last one that is":  {call{path: "/api/broadcast/my-room/events/pos?private=false&private=true"}, tutti.Message{Topic: tutti.Topic{Name: "my-room", Private: true}, Form: tutti.JSON, Payload: []byte(`{}`)}},
		"private is exactly the text true": {call{path: "/api/broadcast/my-room/events/pos?private=1"}, tutti.Message{Topic: tutti.Topic{Name: "my-room"}, Form: tutti.JSON, Payload: []byte(`{}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(func(a *API) { a.Policies = &somePolicies{} })
			if tt.call.path == "" {
				tt.call.path = oneOf
			}
			if w := n.do(t, tt.call); w.Code != 202 || w.Body.Len() > 0 {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			want, got := tt.want, n.sent[0]
			want.Topic.Tenant = "acme"
			if want.Topic.Name == "" {
				want.Topic.Name = "room1"
			}
			if want.Event == "" {
				want.Event = "pos"
			}
			if got.Topic != want.Topic || got.Form != want.Form || got.Event != want.Event || string(got.Payload) != string(want.Payload) {
				t.Errorf("sent %+v with %q, want %+v with %q", got, got.Payload, want, want.Payload)
			}
		})
	}
}

// A choirmaster lets nobody but rooms say "song" in the topic choir.
type choirmaster struct{}

func (choirmaster) Guarded(*tutti.Tenant, tutti.Topic) bool { return true }

func (choirmaster) Forged(t *tutti.Tenant, topic tutti.Topic, event string, way broadcast.Way) bool {
	return topic == tutti.Topic{Tenant: t.ExternalID, Name: "choir"} && event == "song" && way == broadcast.FromHTTP
}

func TestNobodySpeaksForARoom(t *testing.T) {
	t.Parallel()
	const why = `"ExtensionEventReserved: only the room itself may send this event on this topic; please send yours by another name"`
	for name, tt := range map[string]struct {
		call   call
		status int
		body   string
	}{
		"a single":                   {call{path: "/api/broadcast/choir/events/song"}, 422, `{"errors":{"event":[` + why + `]}}`},
		"a single elsewhere":         {call{path: "/api/broadcast/hall/events/song"}, 202, ``},
		"a single of another event":  {call{path: "/api/broadcast/choir/events/chat"}, 202, ``},
		"a batch with one of them":   {call{body: `{"messages":[{"topic":"hall","event":"song","payload":{}},{"topic":"choir","event":"s\u006fng","payload":{}}]}`}, 422, `{"errors":{"messages":[{},{"event":[` + why + `]}]}}`},
		"a batch with none of them":  {call{body: `{"messages":[{"topic":"hall","event":"song","payload":{}},{"topic":"choir","event":"chat","payload":{}}]}`}, 202, ``},
		"a batch that lacks a topic": {call{body: `{"messages":[{"event":"song","payload":{}}]}`}, 422, `{"errors":{"messages":[{"topic":["can't be blank"]}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(func(a *API) { a.Door.Guard = choirmaster{} })
			w := n.do(t, tt.call)
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if len(n.sent) > 0 != (tt.status == 202) {
				t.Errorf("%d messages went out", len(n.sent))
			}
		})
	}
}

func TestPrivateSingles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		topic  string
		status int
		body   string
	}{
		"no policy lets it":      {"x", 403, `{"message":"Unauthorized"}`},
		"the policy raised":      {"policy", 422, `{"message":"RLS policy error"}`},
		"the database is broken": {"broken", http.StatusInternalServerError, `{"message":"Unable to authorize broadcast"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(func(a *API) { a.Policies = &somePolicies{} })
			w := n.do(t, call{path: "/api/broadcast/" + tt.topic + "/events/e?private=true"})
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if len(n.sent) > 0 || n.Meters.Of("acme").Events.Total() > 0 {
				t.Error("it went out or was counted")
			}
		})
	}
}
