package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

const (
	secret        = "a secret that is long enough for a test"
	metricsSecret = "another secret that is long enough"
)

// tenants that the tests know. The payload limit of acme is 1500 bytes.
func tenants() tenant.Fixed {
	acme := func(id string) *tutti.Tenant {
		return &tutti.Tenant{ExternalID: id, JWTSecret: secret, MaxEventsPerSecond: 100, MaxPayloadSizeKB: 1}
	}
	suspended, closed, big := acme("suspended"), acme("closed"), acme("big")
	suspended.Suspend = true
	closed.MaxEventsPerSecond = 0
	big.MaxEventsPerSecond, big.MaxPayloadSizeKB = 100_000, 10_000
	return tenant.Fixed{acme("acme"), suspended, closed, big}
}

// broken is a Store whose database is down, except for one tenant.
type broken struct{ tenant.Fixed }

func (b broken) Find(ctx context.Context, id string) (*tutti.Tenant, error) {
	switch id {
	case "down":
		return nil, errors.New("connection refused")
	case "panic":
		panic("a fault of ours")
	}
	return b.Fixed.Find(ctx, id)
}

// A node is an API, what it published and what it logged.
type node struct {
	*API
	handler http.Handler

	mu   sync.Mutex // guards sent and log
	sent []tutti.Message
	log  strings.Builder
}

func (n *node) Publish(m tutti.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent = append(n.sent, m)
}

func (n *node) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.Write(b)
}

// newNode returns a node; change, which may be nil, sets it up further.
func newNode(change func(*API)) *node {
	n := &node{}
	n.API = &API{
		Tenants:  &tenant.Directory{Store: broken{tenants()}},
		Verifier: &auth.Verifier{},
		Meters:   &limit.Meters{},
		Door:     &broadcast.Door{Publisher: n},
		Socket: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Method+" socket")
		}),
		Pages: fstest.MapFS{
			"index.html":           {Data: []byte("<title>console</title>")},
			"classroom.html":       {Data: []byte("<title>classroom</title>")},
			"admin.html":           {Data: []byte("<title>admin</title>")},
			"favicon.svg":          {Data: []byte("<svg/>")},
			".gitkeep":             {Data: []byte("hidden")},
			"assets/app-3f9a1c.js": {Data: []byte("export {}")},
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "up 1 "+r.PathValue("region"))
		}),
		MetricsSecrets: []string{metricsSecret},
		Status: func() Status {
			return Status{Version: "1.2.3", Started: time.Unix(0, 0), Connections: 7, Topics: 5, Tenants: 2}
		},
		BaggageKey: "request-id",
		Log:        slog.New(slog.NewTextHandler(n, nil)),
	}
	if change != nil {
		change(n.API)
	}
	n.handler = n.Handler()
	return n
}

// token returns one of a user when the secret is the tenant's, else one of an operator.
func token(t testing.TB, with string, life time.Duration) string {
	t.Helper()
	claims := map[string]any{"iss": "test", "exp": time.Now().Add(life).Unix()}
	if with == secret {
		claims["role"] = "anon"
	}
	text, err := auth.Mint(with, claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A call is a request. Headers replace those of a good caller; "" removes one.
type call struct {
	method  string // "" is POST
	host    string // "" is acme.example.com
	path    string // "" is /api/broadcast
	headers map[string]string
	body    string
}

func (n *node) do(t testing.TB, c call) *httptest.ResponseRecorder {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = "/api/broadcast"
	}
	r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
	r.Host = "acme.example.com:4000"
	if c.host != "" {
		r.Host = c.host
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token(t, secret, time.Hour))
	for name, value := range c.headers {
		if value == "" {
			r.Header.Del(name)
		} else {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	n.handler.ServeHTTP(w, r)
	return w
}

// running runs a test with meters that tick, in a bubble.
func running(t *testing.T, test func(t *testing.T, n *node)) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(nil)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- n.Meters.Run(ctx) }()
		synctest.Wait()
		test(t, n)
		stop()
		<-ended
	})
}

// pass lets time pass in a bubble, and the tick that falls on its end.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// same reports whether two texts are equal as JSON.
func same(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

const (
	good  = `{"messages":[{"topic":"room1","event":"pos","payload":{"x":1}}]}`
	oneOf = "/api/broadcast/room1/events/pos"
)

// payload returns a JSON object of so many bytes.
func payload(size int) string {
	const around = len(`{"a":""}`)
	return `{"a":"` + strings.Repeat("x", size-around) + `"}`
}

func TestBroadcastAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		call   call
		status int
		body   string
	}{
		"accepted":                      {call{body: good}, 202, ""},
		"accepted under the gateway":    {call{path: "/realtime/v1/api/broadcast", body: good}, 202, ""},
		"accepted with a slash behind":  {call{path: "/api/broadcast/", body: good}, 202, ""},
		"a single is accepted":          {call{path: oneOf, body: `{}`}, 202, ""},
		"a single under the gateway":    {call{path: "/realtime/v1" + oneOf, body: `{}`}, 202, ""},
		"the body is no JSON":           {call{body: `{`}, 400, "Bad Request"},
		"no JSON, and JSON is accepted": {call{body: `{`, headers: map[string]string{"Accept": "application/json"}}, 400, `"Bad Request"`},
		"no JSON in a single":           {call{path: oneOf, body: `{`}, 400, "Bad Request"},
		"text after the JSON":           {call{body: good + "x"}, 400, "Bad Request"},
		"a body that is not UTF-8":      {call{path: oneOf, body: "{\"a\":\"\xff\"}"}, 400, "Bad Request"},
		"a path that is not UTF-8":      {call{path: "/api/broadcast/%FF/events/e", body: `{}`}, 400, "Bad Request"},
		"a query that cannot be read":   {call{path: oneOf + "?private=true;x", body: `{}`}, 400, "Bad Request"},
		"an unknown tenant":             {call{host: "nobody.example.com", body: good}, 401, `{"message":"Tenant not found in database"}`},
		"no token":                      {call{body: good, headers: map[string]string{"Authorization": ""}}, 401, `{"message":"Unauthorized"}`},
		"an expired token":              {call{body: good, headers: map[string]string{"Authorization": "Bearer " + token(t, secret, -time.Hour)}}, 401, `{"message":"Unauthorized"}`},
		"a token of another":            {call{body: good, headers: map[string]string{"Authorization": "Bearer " + token(t, "another", time.Hour)}}, 401, `{"message":"Unauthorized"}`},
		"a suspended tenant":            {call{host: "suspended.example.com", body: good}, 403, `{"message":"Tenant is suspended"}`},
		"a suspended tenant, single":    {call{host: "suspended.x", path: oneOf, body: `{}`}, 403, `{"message":"Tenant is suspended"}`},
		"JSON is not accepted":          {call{body: good, headers: map[string]string{"Accept": "text/html"}}, 406, "Not Acceptable"},
		"bytes alone, of a batch":       {call{body: good, headers: map[string]string{"Accept": mediaBytes}}, 406, "Not Acceptable"},
		"bytes alone, of a single":      {call{path: oneOf, headers: map[string]string{"Accept": mediaBytes}}, 202, ""},
		"a body of the largest size":    {call{host: "big.x", path: oneOf, body: payload(maxBody)}, 202, ""},
		"a body one byte larger":        {call{path: oneOf, body: payload(maxBody + 1)}, 413, "Request Entity Too Large"},
		"a batch one byte larger":       {call{body: payload(maxBody + 1)}, 413, "Request Entity Too Large"},
		"too large for JSON lovers":     {call{body: payload(maxBody + 1), headers: map[string]string{"Accept": "application/json"}}, 413, `"Request Entity Too Large"`},
		"text in a single":              {call{path: oneOf, body: `{}`, headers: map[string]string{"Content-Type": "text/plain"}}, 415, `{"error":"Unsupported Media Type. Use application/json or application/octet-stream"}`},
		"a kind of JSON in a single":    {call{path: oneOf, body: `{}`, headers: map[string]string{"Content-Type": "application/x+json"}}, 415, `{"error":"Unsupported Media Type. Use application/json or application/octet-stream"}`},
		"a tenant that may send none":   {call{host: "closed.x", body: good}, 429, `{"message":"Too many requests"}`},
		"a store that is down":          {call{host: "down.x", body: good}, 500, `{"message":"Internal Server Error"}`},
		"a fault of ours":               {call{host: "panic.x", body: good}, 500, `{"message":"Internal Server Error"}`},
		"a single, private":             {call{path: oneOf + "?private=true", body: `{}`}, 403, `{"message":"Unauthorized"}`},
		"a single, private?":            {call{path: oneOf + "?private=TRUE", body: `{}`}, 202, ""},
		"a GET":                         {call{method: "GET"}, 404, "Not Found"},
		"a GET by JSON lovers":          {call{method: "GET", headers: map[string]string{"Accept": "application/json"}}, 404, `"Not Found"`},
		"a topic that is a slash":       {call{path: "/api/broadcast/%2F/events/e", body: `{}`}, 404, "Not Found"},
		"a single with a blank topic":   {call{path: "/api/broadcast/%20/events/e", body: `{}`}, 422, `{"errors":{"topic":["can't be blank"]}}`},
		"a single with a blank event":   {call{path: "/api/broadcast/t/events/%20%09", body: `{}`}, 422, `{"errors":{"event":["can't be blank"]}}`},
		"a single with a long event":    {call{path: "/api/broadcast/t/events/" + strings.Repeat("e", 256), body: `{}`}, 422, `{"errors":{"event":["is too long"]}}`},
		"a single with a long topic":    {call{path: "/api/broadcast/" + strings.Repeat("t", 247) + "/events/e", body: `{}`}, 422, `{"errors":{"topic":["is too long"]}}`},
		"a single that just fits":       {call{path: "/api/broadcast/" + strings.Repeat("t", 246) + "/events/" + strings.Repeat("e", 255), body: payload(1500)}, 202, ""},
		"a single that is too large":    {call{path: oneOf, body: payload(1501)}, 422, `{"errors":{"payload":["Payload size exceeds tenant limit"]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(nil)
			w := n.do(t, tt.call)
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if want := tt.status == 202; want != (len(n.sent) == 1) {
				t.Errorf("%d messages went out", len(n.sent))
			}
			if lines := strings.Count(n.log.String(), "\n"); (tt.status >= 500) != (lines == 1) {
				t.Errorf("%d lines in the log:\n%s", lines, n.log.String())
			}
		})
	}
}

func TestTheFirstCheckThatFailsAnswers(t *testing.T) {
	t.Parallel()
	// Each request has two faults that are neighbours in the order of §5.4.
	unknown, closed, suspended := "nobody.x", "closed.x", "suspended.x"
	plain := map[string]string{"Accept": "text/html", "Content-Type": "text/plain", "Authorization": ""}
	for name, tt := range map[string]struct {
		call   call
		status int
	}{
		"the body comes before Accept":         {call{host: unknown, path: oneOf, body: "{", headers: map[string]string{"Accept": "text/html"}}, 400},
		"Accept comes before the content type": {call{host: unknown, path: oneOf, headers: plain}, 406},
		"the content type before the tenant":   {call{host: unknown, path: oneOf, headers: map[string]string{"Content-Type": "text/plain"}}, 415},
		"the tenant before the token":          {call{host: unknown, headers: map[string]string{"Authorization": ""}}, 401},
		"the rate before the token":            {call{host: closed, headers: map[string]string{"Authorization": ""}}, 429},
		"the token before the suspension":      {call{host: suspended, headers: map[string]string{"Authorization": ""}}, 401},
		"the suspension before the faults":     {call{host: suspended, body: `{}`}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if w := newNode(nil).do(t, tt.call); w.Code != tt.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.status)
			}
		})
	}
}

func TestTokensOfARequest(t *testing.T) {
	t.Parallel()
	tok := token(t, secret, time.Hour)
	for name, tt := range map[string]struct {
		headers map[string]string
		status  int
	}{
		"the scheme in capitals":           {map[string]string{"Authorization": "BEARER " + tok}, 202},
		"the scheme in small letters":      {map[string]string{"Authorization": "bearer " + tok}, 202},
		"the header apikey":                {map[string]string{"Authorization": "", "apikey": tok}, 202},
		"another scheme, and apikey":       {map[string]string{"Authorization": "Basic abc", "apikey": tok}, 202},
		"another scheme alone":             {map[string]string{"Authorization": "Basic abc"}, 401},
		"x-api-key is for sockets":         {map[string]string{"Authorization": "", "x-api-key": tok}, 401},
		"no space":                         {map[string]string{"Authorization": tok, "apikey": tok}, 401},
		"two spaces":                       {map[string]string{"Authorization": "Bearer  " + tok, "apikey": tok}, 401},
		"a word behind":                    {map[string]string{"Authorization": "Bearer " + tok + " x"}, 401},
		"a bearer wins over apikey":        {map[string]string{"Authorization": "Bearer x", "apikey": tok}, 401},
		"a new key that is no token":       {map[string]string{"Authorization": "", "apikey": "sb_publishable_x"}, 401},
		"a token with a percent-encoded t": {map[string]string{"Authorization": "Bearer " + tok + "%20"}, 202},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if w := newNode(nil).do(t, call{body: good, headers: tt.headers}); w.Code != tt.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.status)
			}
		})
	}
}

func TestRequestsAreLimited(t *testing.T) {
	for name, c := range map[string]call{
		"a batch":  {body: good},
		"a single": {path: oneOf, body: `{}`},
		"a ping":   {method: "GET", path: "/api/ping"},
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(t *testing.T, n *node) {
				requests := &n.Meters.Of("acme").Requests
				requests.Add(0, 199)
				pass(time.Second) // the average is 99.5, of which 99 count
				w := n.do(t, c)
				if w.Code >= 300 {
					t.Errorf("got %d %s below the limit", w.Code, w.Body)
				}
				for header, want := range map[string]string{
					"X-Rate-Rolling": "99", "X-Rate-Limit": "100", "X-Rate-Limit-Remaining": "1",
				} {
					if got := w.Header().Get(header); got != want {
						t.Errorf("%s: %q, want %q", header, got, want)
					}
				}
				requests.Add(0, 1000)
				pass(time.Second)
				w = n.do(t, c)
				if w.Code != 429 || w.Body.String() != `{"message":"Too many requests"}` {
					t.Errorf("got %d %s over the limit", w.Code, w.Body)
				}
				if got := w.Header().Get("X-Rate-Limit-Remaining"); got != "0" {
					t.Errorf("remaining: %q, want 0", got)
				}
			})
		})
	}
}

func TestEventsAreLimited(t *testing.T) {
	batch := func(count int) string {
		one := `{"topic":"t","event":"e","payload":{}}`
		return `{"messages":[` + strings.Repeat(one+",", count-1) + one + `]}`
	}
	for name, tt := range map[string]struct {
		average int64
		call    call
		status  int
		text    string
	}{
		"a batch up to the limit passes":  {97, call{body: batch(3)}, 202, ""},
		"a batch of all there is passes":  {0, call{body: batch(100)}, 202, ""},
		"a batch beyond the limit":        {98, call{body: batch(3)}, 429, "Too many messages to broadcast, please reduce the batch size"},
		"a batch that can never pass":     {0, call{body: batch(101)}, 429, "Too many messages to broadcast, please reduce the batch size"},
		"a batch when it is over":         {101, call{body: batch(1)}, 429, "You have exceeded your rate limit"},
		"a single below the limit passes": {99, call{path: oneOf, body: `{}`}, 202, ""},
		"a single at the limit":           {100, call{path: oneOf, body: `{}`}, 429, "You have exceeded your rate limit"},
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(t *testing.T, n *node) {
				events := &n.Meters.Of("acme").Events
				events.Add(0, tt.average*2*5) // one empty sample and this one, of 5 s each
				pass(5 * time.Second)
				before := events.Total()
				w := n.do(t, tt.call)
				if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.text) {
					t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.text)
				}
				if counted := events.Total() - before; counted != int64(len(n.sent)) {
					t.Errorf("counted %d events for %d messages", counted, len(n.sent))
				}
			})
		})
	}
}
