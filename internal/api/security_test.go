package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/gate"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// gated gives an API a gate with some settings.
func gated(s gate.Settings) func(*API) {
	return func(a *API) {
		a.Gate = gate.New(s, gate.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
	}
}

// withManagement lets those manage tenants who have the secret.
func withManagement(a *API) {
	a.Management = &Management{Registry: tenants(), Defaults: tenant.StandardDefaults(), Secrets: []string{managementSecret}}
}

func bearing(token string) map[string]string {
	return map[string]string{"Accept": "application/json", "Authorization": "Bearer " + token}
}

// Anybody may see how many clients a cluster has; where its nodes are is for
// those who run it.
func TestWhoSeesWhereNodesAre(t *testing.T) {
	t.Parallel()
	n := newNode(func(a *API) {
		withManagement(a)
		a.Status = aCluster
	})
	for name, tt := range map[string]struct {
		headers map[string]string
		sees    bool
	}{
		"nobody in particular":         {map[string]string{"Accept": "application/json", "Authorization": ""}, false},
		"a tenant's client":            {bearing(token(t, secret, time.Hour)), false},
		"who may read metrics":         {bearing(token(t, metricsSecret, time.Hour)), true},
		"who may manage tenants":       {bearing(token(t, managementSecret, time.Hour)), true},
		"who might have an hour ago":   {bearing(token(t, metricsSecret, -time.Hour)), false},
		"who has a token that is none": {bearing("x"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := n.do(t, call{method: "GET", path: "/status", headers: tt.headers})
			if w.Code != 200 || !strings.Contains(w.Body.String(), `"id":"b"`) {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if sees := strings.Contains(w.Body.String(), "b:4000"); sees != tt.sees {
				t.Errorf("addresses are shown: %v", sees)
			}
		})
	}
	if aCluster().Cluster.Nodes[1].Addresses == nil {
		t.Error("there was nothing to hide")
	}
}

// Every page, and everything that is none, says what a browser may do with it.
func TestEveryAnswerSaysWhatABrowserMayDo(t *testing.T) {
	t.Parallel()
	n := newNode(func(a *API) {
		withManagement(a)
		a.Pages = fstest.MapFS{
			"index.html": {Data: []byte("<title>c</title>")}, "classroom.html": {Data: []byte("<title>c</title>")},
			"status.html": {Data: []byte("<title>s</title>")}, "admin.html": {Data: []byte("<title>a</title>")},
			"assets/a-1.js": {Data: []byte("export {}")},
		}
	})
	const anyServer = "connect-src 'self' ws: wss: http: https:;"
	for path, want := range map[string]struct {
		connect string // "" for what is no page
		midi    bool
	}{
		"/": {anyServer, false}, "/index.html": {anyServer, false}, "/classroom": {anyServer, true}, "/status": {"connect-src 'self';", false},
		"/admin.html": {"connect-src 'self';", false}, "/swaggerui": {"connect-src 'self';", false}, "/assets/a-1.js": {"connect-src 'self';", false},
		"/api/openapi": {}, "/healthcheck": {}, "/health/live": {}, "/api/ping": {}, "/nothing": {}, "/metrics": {}, "/api/tenants": {},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			headers := map[string]string{"Accept": "text/html"}
			switch path {
			case "/metrics":
				headers = bearing(token(t, metricsSecret, time.Hour))
			case "/api/tenants":
				headers = bearing(token(t, managementSecret, time.Hour))
			}
			w := n.do(t, call{method: "GET", path: path, headers: headers})
			h := w.Header()
			policy := h.Get("Content-Security-Policy")
			if w.Code != 200 && path != "/nothing" || h.Get("X-Content-Type-Options") != "nosniff" ||
				h.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(policy, "frame-ancestors 'none'") ||
				!strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("got %d %v", w.Code, h)
			}
			if want.connect == "" {
				return
			}
			if !strings.Contains(policy, want.connect) || !strings.Contains(policy, "script-src 'self';") {
				t.Errorf("policy %q", policy)
			}
			features := h.Get("Permissions-Policy")
			if strings.Contains(features, "midi=(self)") != want.midi || !strings.Contains(features, "microphone=()") ||
				h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("X-Frame-Options") != "DENY" {
				t.Errorf("got %v", h)
			}
		})
	}
}

func TestPagesOfOtherSites(t *testing.T) {
	t.Parallel()
	origins, err := gate.ParseOrigins([]string{"https://app.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(gated(gate.Settings{Origins: origins}))
	for name, tt := range map[string]struct {
		call    call
		status  int
		allowed string
		posts   bool
	}{
		"a page of the list broadcasts":         {call{headers: map[string]string{"Origin": "https://app.example.com"}, body: good}, 202, "https://app.example.com", true},
		"a page of another site does not":       {call{headers: map[string]string{"Origin": "https://evil.example"}, body: good}, 403, "", false},
		"nor with a single message":             {call{path: oneOf, headers: map[string]string{"Origin": "https://evil.example"}, body: "{}"}, 403, "", false},
		"nor does one that hides its origin":    {call{headers: map[string]string{"Origin": "null"}, body: good}, 403, "", false},
		"a server broadcasts":                   {call{body: good}, 202, "", true},
		"a page of the list may ask":            {call{method: "OPTIONS", headers: map[string]string{"Origin": "https://app.example.com"}}, 204, "https://app.example.com", false},
		"a page of another site may not":        {call{method: "OPTIONS", headers: map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}}, 403, "", false},
		"a page of another site may not ping":   {call{method: "GET", path: "/api/ping", headers: map[string]string{"Origin": "https://evil.example"}}, 403, "", false},
		"a page of the server itself may":       {call{headers: map[string]string{"Origin": "http://acme.example.com:4000"}, body: good}, 202, "http://acme.example.com:4000", true},
		"a page of another port of it does not": {call{headers: map[string]string{"Origin": "http://acme.example.com:1"}, body: good}, 403, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := n.do(t, tt.call)
			h := w.Header()
			if w.Code != tt.status || h.Get("Access-Control-Allow-Origin") != tt.allowed {
				t.Errorf("got %d %s %v", w.Code, w.Body, h)
			}
			if tt.call.method != "GET" && !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
				t.Error("a cache would show one origin's answer to another")
			}
			if w.Code == 403 && (!strings.Contains(w.Body.String(), `"code":"OriginNotAllowed"`) || !strings.Contains(w.Body.String(), "ALLOWED_ORIGINS") || h.Get("Access-Control-Allow-Methods") != "") {
				t.Errorf("got %s %v", w.Body, h)
			}
			n.mu.Lock()
			posted := len(n.sent) > 0
			n.sent = nil
			n.mu.Unlock()
			if posted != tt.posts {
				t.Errorf("a message went out: %v", posted)
			}
		})
	}
}

// measured is a body that knows how much was read of it.
type measured struct {
	io.Reader
	read int
}

func (m *measured) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.read += n
	return n, err
}

// A stranger sends eight megabytes without a good token: nobody reads them.
func TestALargeBodyOfAStrangerIsNotRead(t *testing.T) {
	t.Parallel()
	n := newNode(gated(gate.Settings{BodyBytes: 100 << 20}))
	large := `{"messages":[{"topic":"t","event":"e","payload":{"x":"` + strings.Repeat("x", 2_000_000) + `"}}]}`
	for name, tt := range map[string]struct {
		token, host string
		status, max int
	}{
		"without a token":         {"", "big.x", 401, 70_000},
		"with a bad one":          {"a.b.c", "big.x", 401, 70_000},
		"with one of another":     {token(t, "some other secret of somebody else", time.Hour), "big.x", 401, 70_000},
		"to nobody":               {token(t, secret, time.Hour), "nobody.x", 401, 70_000},
		"while the store is down": {token(t, secret, time.Hour), "down.x", 503, 70_000},
		"with a good one":         {token(t, secret, time.Hour), "big.x", 202, 3_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := &measured{Reader: strings.NewReader(large)}
			r := httptest.NewRequest("POST", "/api/broadcast", body)
			r.Host = tt.host
			r.Header.Set("Content-Type", "application/json")
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			w := httptest.NewRecorder()
			n.handler.ServeHTTP(w, r)
			if w.Code != tt.status || body.read > tt.max {
				t.Errorf("answered %d after %d bytes: %s", w.Code, body.read, w.Body)
			}
		})
	}
}

func TestNobodyHoldsAllBodies(t *testing.T) {
	t.Parallel()
	n := newNode(gated(gate.Settings{BodyBytes: 1_000_000}))
	large := call{host: "big.x", body: `{"messages":[{"topic":"t","event":"e","payload":{"x":"` + strings.Repeat("x", 2_000_000) + `"}}]}`}
	w := n.do(t, large)
	if w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "overloaded") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := n.do(t, call{body: good}); w.Code != 202 {
		t.Errorf("what was held is held for ever: %d %s", w.Code, w.Body)
	}
}

// Who guesses secrets is told to wait, at each door; nobody else is.
func TestGuessersHaveToWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]call{
		"of tenants":    {body: good},
		"of management": {method: "GET", path: "/api/tenants"},
		"of metrics":    {method: "GET", path: "/metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(func(a *API) {
				withManagement(a)
				gated(gate.Settings{BadTokens: 50})(a)
			})
			c.headers = map[string]string{"Authorization": "Bearer " + token(t, "a guess that is long enough to be one", time.Hour)}
			tries := 0
			for ; tries < 1000; tries++ {
				if w := n.do(t, c); w.Code == 429 {
					if w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "TooManyBadTokens") {
						t.Errorf("got %v %s", w.Header(), w.Body)
					}
					break
				}
			}
			if tries != 50 {
				t.Errorf("it may try %d times", tries)
			}
			r := httptest.NewRequest("GET", "/api/tenants", nil)
			r.RemoteAddr = "198.51.100.7:1"
			r.Header.Set("Authorization", "Bearer "+token(t, managementSecret, time.Hour))
			w := httptest.NewRecorder()
			n.handler.ServeHTTP(w, r)
			if w.Code != 200 {
				t.Errorf("another address is answered %d", w.Code)
			}
		})
	}
}

// Secrets are changed while those who use them go on: the next is told to the
// server first, then to the callers, and then the old one is taken away.
func TestSecretsAreChangedWithoutARefusal(t *testing.T) {
	t.Parallel()
	const before, after = "the secret as it was until today", "the secret as it is from tomorrow"
	old, young := token(t, before, time.Hour), token(t, after, time.Hour)
	for name, set := range map[string]func(a *API, secrets, blocked []string) string{
		"of management": func(a *API, secrets, blocked []string) string {
			a.Management.Secrets, a.Management.Blocklist = secrets, blocked
			return "/api/tenants"
		},
		"of metrics": func(a *API, secrets, blocked []string) string {
			a.MetricsSecrets, a.MetricsBlocklist = secrets, blocked
			return "/metrics"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, step := range []struct {
				secrets, blocked, in, out []string
			}{
				{secrets: []string{before}, in: []string{old}, out: []string{young}},
				{secrets: []string{before, after}, in: []string{old, young}},
				{secrets: []string{after, before}, in: []string{old, young}},
				{secrets: []string{after}, in: []string{young}, out: []string{old}},
				{secrets: []string{after}, blocked: []string{young}, out: []string{old, young}},
				{out: []string{old, young}},
			} {
				path := ""
				n := newNode(func(a *API) {
					withManagement(a)
					path = set(a, step.secrets, step.blocked)
				})
				for token, want := range statuses(step.in, step.out) {
					if w := n.do(t, call{method: "GET", path: path, headers: bearing(token)}); w.Code != want {
						t.Errorf("step %d: answered %d, want %d", i, w.Code, want)
					}
				}
			}
		})
	}
}

// Two nodes behind one address are started anew one after the other, twice, while
// a caller asks both at every moment: it is never refused.
func TestARollingChangeOfASecret(t *testing.T) {
	t.Parallel()
	const before, after = "the secret as it was until today", "the secret as it is from tomorrow"
	with := func(secrets ...string) *node {
		return newNode(func(a *API) {
			withManagement(a)
			a.Management.Secrets, a.MetricsSecrets = secrets, secrets
		})
	}
	nodes := []*node{with(before), with(before)}
	bearer := before
	steps := []func(){
		func() { nodes[0] = with(before, after) }, func() { nodes[1] = with(before, after) }, // *_NEXT is set
		func() { bearer = after },                                            // callers change over
		func() { nodes[0] = with(after) }, func() { nodes[1] = with(after) }, // the next takes the place of the first
	}
	for i, step := range steps {
		step()
		for at, n := range nodes {
			for _, path := range []string{"/api/tenants", "/metrics", "/status"} {
				if w := n.do(t, call{method: "GET", path: path, headers: bearing(token(t, bearer, time.Hour))}); w.Code != 200 {
					t.Errorf("step %d, node %d: %s answers %d", i, at, path, w.Code)
				}
			}
		}
	}
	if w := nodes[0].do(t, call{method: "GET", path: "/metrics", headers: bearing(token(t, before, time.Hour))}); w.Code != 403 {
		t.Errorf("the old secret is answered %d", w.Code)
	}
}

func statuses(in, out []string) map[string]int {
	all := map[string]int{}
	for _, t := range in {
		all[t] = 200
	}
	for _, t := range out {
		all[t] = 403
	}
	return all
}

// A fault of ours may say anything in the log, and says nothing to callers.
func TestFaultsAreNotShown(t *testing.T) {
	t.Parallel()
	n := newNode(func(a *API) {
		withManagement(a)
		a.Management.Registry = leaking{tenants()}
	})
	for name, c := range map[string]call{
		"the store of a tenant's client": {host: "down.x", body: good},
		"the store of management":        {method: "GET", path: "/api/tenants/acme", headers: bearing(token(t, managementSecret, time.Hour))},
		"a token that is refused":        {headers: map[string]string{"Authorization": "Bearer " + token(t, "hunter2hunter2", time.Hour)}, body: good},
	} {
		t.Run(name, func(t *testing.T) {
			w := n.do(t, c)
			text := w.Body.String()
			for key, values := range w.Header() {
				text += key + strings.Join(values, " ")
			}
			for _, never := range []string{"hunter2", "postgres://", "connection refused", "eyJ", secret, managementSecret} {
				if strings.Contains(text, never) {
					t.Errorf("%q is in the answer %s", never, text)
				}
			}
			if w.Code < 400 {
				t.Errorf("answered %d", w.Code)
			}
		})
	}
}

// leaking is a Registry whose errors hold what they should not.
type leaking struct{ tenant.Fixed }

func (leaking) Find(context.Context, string) (*tutti.Tenant, error) {
	return nil, errors.New("postgres://supabase_admin:hunter2@db/postgres: connection refused")
}
