package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
)

// choir is the extension of conversations: topics that begin with "choir:" are its
// rooms.
func choir() tutti.Extension {
	return tutti.Extension{
		Key: "choir", Everywhere: true, Bare: true,
		Rooms:    func(_ any, topic string) bool { return strings.HasPrefix(topic, "choir:") },
		Events:   func(name string) bool { return strings.HasPrefix(name, "sing") || name == "ping" },
		Reserved: []string{"song", "gone"},
		Open:     func(r tutti.Room) (tutti.Actor, error) { return &singers{r}, nil },
		Routes: []tutti.ExtensionRoute{
			{Method: "GET", Path: "/who", Serve: func(w http.ResponseWriter, _ *http.Request, asked *tutti.ExtensionRequest) {
				_, _ = w.Write([]byte(asked.Tenant + " " + asked.Claims.Role))
			}},
			{Method: "GET", Path: "/wrong", Serve: func(http.ResponseWriter, *http.Request, *tutti.ExtensionRequest) { panic("out of tune") }},
		},
		Metrics: func() []tutti.Metric {
			return []tutti.Metric{{Name: "songs", Value: 3}, {Name: "songs", Value: 4}, {Name: "so wrong"}}
		},
		Instant: func(e *tutti.Event, received time.Time) (string, []byte, bool) {
			if e.Name != "ping" || received.IsZero() || !received.Equal(e.At) {
				return "", nil, false
			}
			return "pong", []byte(`{"to":"` + e.Member.Key + `"}`), true
		},
	}
}

// singers say to all what one of them sings, and to himself what he asks for.
type singers struct{ room tutti.Room }

func (s *singers) Join(m *tutti.Member) error {
	if strings.Contains(string(m.Join), `"voice":"none"`) {
		return &tutti.Error{Reason: "nobody sings without a voice"}
	}
	count, _ := json.Marshal(map[string]int{"singers": len(s.room.Members())})
	s.room.Tell(m, "welcome", count)
	return nil
}

func (s *singers) Leave(m *tutti.Member) { s.room.Broadcast("gone", []byte(`{"who":"`+m.Key+`"}`)) }
func (s *singers) Wake(time.Time)        {}
func (s *singers) Close()                {}

func (s *singers) Hear(e *tutti.Event) {
	switch e.Name {
	case "sing":
		s.room.Broadcast("song", e.Payload)
	case "sing_role":
		s.room.Tell(e.Member, "role", []byte(`{"role":"`+e.Member.Claims.Role+`"}`))
	case "sing_hang":
		<-s.room.Context().Done() // when it has been left behind
	case "sing_slow":
		s.room.Go(func(ctx context.Context) func() { <-ctx.Done(); return nil }) // as a database that does not answer
	case "sing_wrong":
		panic("out of tune")
	}
}

func TestRoutesAndMetricsOfExtensions(t *testing.T) {
	run(t, tcp(t), func(s *script) {
		s.serve()
		ask := func(path, host, token string) (int, string) {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = host
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			w := httptest.NewRecorder()
			s.app.server.Handler.ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		token, err := auth.Mint(testSecret, map[string]any{"role": "authenticated", "exp": time.Now().Add(time.Hour).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			path, token, want string
			code              int
		}{
			"a tenant's token is let in":      {path: "/api/extensions/choir/who", token: token, code: 200, want: "acme authenticated"},
			"the gateway's prefix is as good": {path: "/realtime/v1/api/extensions/choir/who", token: token, code: 200, want: "acme authenticated"},
			"nobody else is":                  {path: "/api/extensions/choir/who", code: 401},
			"a panic is the request's alone":  {path: "/api/extensions/choir/wrong", token: token, code: 500},
			"what there is not":               {path: "/api/extensions/choir/what", token: token, code: 404},
		} {
			code, body := ask(tt.path, "acme.example.com", tt.token)
			if code != tt.code || tt.want != "" && body != tt.want {
				t.Errorf("%s: %d %s", name, code, body)
			}
		}
		if n := s.metric("tutti_choir_songs"); n != 3 {
			t.Errorf("the metric says %d", n)
		}
	})
}

func TestARoomIsOneForAllNodes(t *testing.T) {
	t.Parallel()
	n := severalNodes(t, 3, (*script).unlimited)
	for _, topic := range []string{"realtime:choir:a", "choir:a"} {
		for i, s := range n {
			s.connect("c", "")
			c := s.client("c")
			c.send(`["1","1","` + topic + `","phx_join",{"config":{"presence":{"key":"c` + strconv.Itoa(i) + `"}}}]`)
			c.expect(`["1","1","` + topic + `","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}]`)
			c.expect(`cast ` + topic + ` welcome - json {"singers":` + strconv.Itoa(i+1) + `}`)
		}
		n[1].client("c").send(`cast 1 2 ` + topic + ` sing json {"n":1}`)
		for _, s := range n {
			s.client("c").expect(`cast ` + topic + ` song - json {"n":1}`)
		}
		n[2].client("c").send(`cast 1 3 ` + topic + ` sing_role json {}`)
		n[2].client("c").expect(`cast ` + topic + ` role - json {"role":"anon"}`)
		_ = n[0].client("c").conn.Close() // its node has nobody in the room any more
		for _, s := range n[1:] {
			for !strings.Contains(string(s.client("c").next().payload), "welcome") {
			}
		}
		for _, s := range n[1:] {
			_ = s.client("c").conn.Close()
		}
	}
}
