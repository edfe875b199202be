package api

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	accept := func(mediaType string) map[string]string { return map[string]string{"Accept": mediaType} }
	bearer := func(value string) map[string]string { return map[string]string{"Authorization": value} }
	reader := token(t, metricsSecret, time.Hour)
	for name, tt := range map[string]struct {
		call   call
		status int
		body   string
		header map[string]string
	}{
		"the healthcheck":              {call{method: "GET", path: "/healthcheck"}, 200, "ok", map[string]string{"Content-Type": "text/plain; charset=utf-8"}},
		"a ping":                       {call{method: "GET", path: "/api/ping", headers: bearer("")}, 200, `{"message":"Success"}`, map[string]string{"Content-Type": "application/json; charset=utf-8", "X-Rate-Limit": "100"}},
		"a ping under the gateway":     {call{method: "GET", path: "/realtime/v1/api/ping"}, 200, `{"message":"Success"}`, nil},
		"a ping of an unknown tenant":  {call{method: "GET", path: "/api/ping", host: "nobody.x"}, 401, `{"message":"Tenant not found in database"}`, map[string]string{"X-Rate-Limit": ""}},
		"a ping of a closed tenant":    {call{method: "GET", path: "/api/ping", host: "closed.x"}, 429, `{"message":"Too many requests"}`, map[string]string{"X-Rate-Limit": "0"}},
		"the socket":                   {call{method: "GET", path: "/socket/websocket?vsn=2.0.0"}, 200, "GET socket", nil},
		"the socket by another method": {call{path: "/socket/websocket"}, 200, "POST socket", nil},
		"the socket under the gateway": {call{method: "GET", path: "/realtime/v1/websocket"}, 200, "GET socket", nil},
		"metrics":                      {call{method: "GET", path: "/metrics", headers: bearer("Bearer " + reader)}, 200, "up 1 ", nil},
		"metrics of a region":          {call{method: "GET", path: "/metrics/eu", headers: bearer("Bearer " + reader)}, 200, "up 1 eu", nil},
		"metrics with spaces":          {call{method: "GET", path: "/metrics", headers: bearer("Bearer   " + reader)}, 200, "up 1 ", nil},
		"metrics of a small bearer":    {call{method: "GET", path: "/metrics", headers: bearer("bearer " + reader)}, 403, "", nil},
		"metrics of a tenant's token":  {call{method: "GET", path: "/metrics"}, 403, "", nil},
		"metrics without a token":      {call{method: "GET", path: "/metrics", headers: bearer("")}, 403, "", nil},
		"the console":                  {call{method: "GET", path: "/"}, 200, "<title>console</title>", map[string]string{"Cache-Control": "no-cache", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}},
		"the console by its file":      {call{method: "GET", path: "/index.html"}, 200, "<title>console</title>", nil},
		"the console's head":           {call{method: "HEAD", path: "/"}, 200, "", nil},
		"the classroom":                {call{method: "GET", path: "/classroom"}, 200, "<title>classroom</title>", map[string]string{"Cache-Control": "no-cache", "Content-Type": "text/html; charset=utf-8"}},
		"the console of the admin":     {call{method: "GET", path: "/admin"}, 200, "<title>admin</title>", map[string]string{"Cache-Control": "no-cache", "Content-Type": "text/html; charset=utf-8"}},
		"its address with a slash":     {call{method: "GET", path: "/admin/"}, 200, "<title>admin</title>", nil},
		"nothing below the classroom":  {call{method: "GET", path: "/classroom/7b"}, 404, "Not Found", nil},
		"a hashed file":                {call{method: "GET", path: "/assets/app-3f9a1c.js"}, 200, "export {}", map[string]string{"Cache-Control": "public, max-age=31536000, immutable", "Content-Type": "text/javascript; charset=utf-8"}},
		"a picture":                    {call{method: "GET", path: "/favicon.svg"}, 200, "<svg/>", map[string]string{"Content-Type": "image/svg+xml"}},
		"a hidden file":                {call{method: "GET", path: "/.gitkeep"}, 404, "Not Found", nil},
		"a folder":                     {call{method: "GET", path: "/assets/"}, 404, "Not Found", nil},
		"a way out":                    {call{method: "GET", path: "/assets/%2E%2E/index.html"}, 404, "Not Found", nil},
		"a page that is sent to":       {call{path: "/"}, 404, "Not Found", nil},
		"an unknown path":              {call{method: "GET", path: "/api/nothing"}, 404, "Not Found", map[string]string{"Content-Type": "text/html; charset=utf-8"}},
		"an unknown path as JSON":      {call{method: "GET", path: "/x", headers: accept("application/json")}, 404, `"Not Found"`, map[string]string{"Content-Type": "application/json; charset=utf-8"}},
		"the old console":              {call{method: "GET", path: "/inspector?a=1&b=%20"}, 302, "", map[string]string{"Location": "/?a=1&b=%20"}},
		"the old console, new":         {call{method: "GET", path: "/inspector/new"}, 302, "", map[string]string{"Location": "/"}},
		"the status as JSON":           {call{method: "GET", path: "/status", headers: accept("application/json")}, 200, `{"version":"1.2.3","started":"1970-01-01T00:00:00Z","connections":7,"topics":5,"tenants":2,"ready":true}`, map[string]string{"Cache-Control": "no-store", "Vary": "Accept"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(func(a *API) {
				started := a.Status().Started.UTC()
				a.Status = func() Status {
					return Status{Version: "1.2.3", Started: started, Connections: 7, Topics: 5, Tenants: 2}
				}
			})
			w := n.do(t, tt.call)
			if tt.status == 302 {
				w.Body.Reset() // net/http's own words
			}
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			for header, want := range tt.header {
				if got := w.Header().Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
		})
	}
}

func TestPagesThatDidNotChangeAreNotSentAgain(t *testing.T) {
	t.Parallel()
	n := newNode(nil)
	tag := n.do(t, call{method: "GET", path: "/"}).Header().Get("Etag")
	w := n.do(t, call{method: "GET", path: "/", headers: map[string]string{"If-None-Match": tag}})
	if tag == "" || w.Code != 304 {
		t.Errorf("tag %q: got %d", tag, w.Code)
	}
}

func TestWithoutPagesAHintIsShown(t *testing.T) {
	t.Parallel()
	n := newNode(func(a *API) { a.Pages = nil })
	for _, path := range []string{"/", "/classroom", "/admin"} {
		if w := n.do(t, call{method: "GET", path: path}); w.Code != 200 || w.Body.String() != notBuilt {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
	}
	if w := n.do(t, call{method: "GET", path: "/favicon.svg"}); w.Code != 404 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestMetricsAreForThoseWhoMay(t *testing.T) {
	t.Parallel()
	reader := token(t, metricsSecret, time.Hour)
	for name, change := range map[string]func(*API){
		"no secret is set":       func(a *API) { a.MetricsSecrets = nil },
		"the token is blocked":   func(a *API) { a.MetricsBlocklist = []string{reader} },
		"a claim is not as told": func(a *API) { a.Verifier = &auth.Verifier{Validators: map[string]any{"iss": "x"}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newNode(change).do(t, call{method: "GET", path: "/metrics", headers: map[string]string{"Authorization": "Bearer " + reader}})
			if w.Code != 403 || w.Body.Len() > 0 {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestOtherOriginsMayBroadcast(t *testing.T) {
	t.Parallel()
	n := newNode(nil)
	for name, c := range map[string]call{
		"accepted":              {body: good},
		"a single":              {path: oneOf},
		"no JSON":               {body: "{"},
		"no token":              {body: good, headers: map[string]string{"Authorization": ""}},
		"too large":             {body: payload(maxBody + 1)},
		"a fault of ours":       {body: good, host: "panic.x"},
		"under the gateway":     {path: "/realtime/v1/api/broadcast", body: good},
		"nothing is acceptable": {body: good, headers: map[string]string{"Accept": "text/html"}},
	} {
		headers := map[string]string{"Origin": "https://app.example.com"}
		maps.Copy(headers, c.headers)
		c.headers = headers
		h := n.do(t, c).Header()
		if h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "x-request-id") {
			t.Errorf("%s: got %v", name, h)
		}
	}
	if h := n.do(t, call{body: good}).Header(); h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without an origin: got %v", h)
	}
	if h := n.do(t, call{method: "GET", path: "/api/ping", headers: map[string]string{"Origin": "x"}}).Header(); h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a ping: got %v", h)
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	n := newNode(nil)
	for _, path := range []string{"/api/broadcast", oneOf, "/realtime/v1/api/broadcast", "/realtime/v1" + oneOf, "/api/broadcast/"} {
		w := n.do(t, call{method: "OPTIONS", path: path, headers: map[string]string{
			"Origin":                         "https://app.example.com",
			"Access-Control-Request-Method":  "POST",
			"Access-Control-Request-Headers": "apikey,authorization,x-mine",
		}})
		h := w.Header()
		if w.Code != 204 || h.Get("Access-Control-Allow-Origin") != "*" ||
			h.Get("Access-Control-Allow-Methods") != "POST" || h.Get("Access-Control-Allow-Headers") != "apikey,authorization,x-mine" {
			t.Errorf("%s: got %d %v", path, w.Code, h)
		}
	}
	if h := n.do(t, call{method: "OPTIONS"}).Header().Get("Access-Control-Allow-Headers"); !strings.Contains(h, "authorization") {
		t.Errorf("allowed %q to one who did not ask", h)
	}
	if w := n.do(t, call{method: "OPTIONS", path: "/api/ping"}); w.Code != 404 {
		t.Errorf("ping: got %d", w.Code)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	const fresh = ""
	for name, tt := range map[string]struct {
		id, baggage, want string
	}{
		"none is given":                    {"", "", fresh},
		"twenty bytes are echoed":          {strings.Repeat("i", 20), "", strings.Repeat("i", 20)},
		"nineteen are not":                 {strings.Repeat("i", 19), "", fresh},
		"two hundred are echoed":           {strings.Repeat("i", 200), "", strings.Repeat("i", 200)},
		"two hundred and one are not":      {strings.Repeat("i", 201), "", fresh},
		"an entry of the baggage":          {"", "a=b, request-id = 0123456789;p=1 ,c=d", "0123456789"},
		"an entry that is encoded":         {"", "request-id=01234%2056789", "01234 56789"},
		"an entry that is too short":       {"", "request-id=012345678", fresh},
		"an entry with a line end in it":   {"", "request-id=0123456789%0A", fresh},
		"an entry of another name":         {"", "id=0123456789", fresh},
		"the header wins over the baggage": {strings.Repeat("i", 20), "request-id=0123456789", strings.Repeat("i", 20)},
		"a short header leaves it to it":   {"short", "request-id=0123456789", "0123456789"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(nil)
			headers := map[string]string{"X-Request-Id": tt.id, "Baggage": tt.baggage}
			got := n.do(t, call{body: good, headers: headers}).Header().Get("X-Request-Id")
			if tt.want != fresh && got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.want == fresh && (len(got) < 20 || got == tt.id || got == requestID(http.Header{}, "")) {
				t.Errorf("got %q, want a new one", got)
			}
		})
	}
	if got := requestID(http.Header{"Baggage": {"request-id=0123456789,=0123456789"}}, ""); strings.HasPrefix(got, "0123") {
		t.Errorf("got %q without a key", got)
	}
}

func TestAFullNodeRefusesBroadcasts(t *testing.T) {
	t.Parallel()
	n := newNode(func(a *API) { a.Full = func() bool { return true } })
	for _, path := range []string{"/api/broadcast", oneOf} {
		w := n.do(t, call{path: path, body: good})
		if w.Code != 503 || w.Body.String() != `{"message":"The server is overloaded, please try again"}` || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: got %d %s %v", path, w.Code, w.Body, w.Header())
		}
	}
	if lines := strings.Count(n.log.String(), "level=WARN"); lines != 2 {
		t.Errorf("%d lines for two requests:\n%s", lines, n.log.String())
	}
}

func TestAPanicThatBeganAnAnswerCutsIt(t *testing.T) {
	t.Parallel()
	n := newNode(func(a *API) {
		a.Socket = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half an")
			panic("a fault of ours")
		})
	})
	defer func() {
		if fault := recover(); fault != http.ErrAbortHandler {
			t.Errorf("recovered %v", fault)
		}
		if lines := strings.Count(n.log.String(), "\n"); lines != 1 {
			t.Errorf("%d lines in the log:\n%s", lines, n.log.String())
		}
	}()
	n.do(t, call{method: "GET", path: "/socket/websocket"})
}

func TestAnAnswerSaysNothingOfAPanic(t *testing.T) {
	t.Parallel()
	n := newNode(nil)
	w := n.do(t, call{body: good, host: "panic.x"})
	if strings.Contains(w.Body.String(), "ours") || !strings.Contains(n.log.String(), "a fault of ours") {
		t.Errorf("answer %s, log %s", w.Body, n.log.String())
	}
	if strings.Contains(n.log.String(), "Bearer") || strings.Contains(n.log.String(), "room1") {
		t.Errorf("the log tells too much: %s", n.log.String())
	}
}

func TestTheSocketTakesTheConnectionOver(t *testing.T) {
	t.Parallel()
	n := newNode(func(a *API) {
		a.Socket = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(conn, "mine now")
			_ = conn.Close()
		})
	})
	server := httptest.NewServer(n.handler)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /socket/websocket HTTP/1.1\r\nHost: acme.x\r\n\r\n")
	if got, _ := io.ReadAll(conn); string(got) != "mine now" {
		t.Errorf("got %q", got)
	}
}

func TestABodyIsNotReadBeyondItsLimit(t *testing.T) {
	t.Parallel()
	n := newNode(nil)
	endless := &countingReader{}
	r := httptest.NewRequest("POST", "/api/broadcast", endless) // no length is known
	w := httptest.NewRecorder()
	n.handler.ServeHTTP(w, r)
	if w.Code != 413 || endless.read > maxBody+1<<20 {
		t.Errorf("got %d after %d bytes", w.Code, endless.read)
	}
	r = httptest.NewRequest("POST", "/api/broadcast", failingReader{})
	w = httptest.NewRecorder()
	n.handler.ServeHTTP(w, r)
	if w.Code != 400 {
		t.Errorf("got %d for a body that breaks off", w.Code)
	}
}

type countingReader struct{ read int }

func (c *countingReader) Read(p []byte) (int, error) {
	c.read += len(p)
	return len(p), nil
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("reset") }

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		accept []string
		want   string // "" is none
	}{
		"no header":                        {nil, "text/html"},
		"an empty header":                  {[]string{""}, "text/html"},
		"anything":                         {[]string{"*/*"}, "text/html"},
		"JSON":                             {[]string{"application/json"}, mediaJSON},
		"JSON in capitals":                 {[]string{"Application/JSON"}, mediaJSON},
		"some kind of JSON":                {[]string{"application/vnd.x+json"}, mediaJSON},
		"any application":                  {[]string{"application/*"}, mediaJSON},
		"the client's order":               {[]string{"application/json, text/html"}, mediaJSON},
		"what a browser sends":             {[]string{"text/html,application/xhtml+xml,*/*;q=0.8"}, "text/html"},
		"the better quality":               {[]string{"text/html;q=0.5, application/json;q=0.6"}, mediaJSON},
		"the better quality of two fields": {[]string{"text/html;q=0.5", "application/json;level=1;Q=0.6"}, mediaJSON},
		"a quality of 0":                   {[]string{"application/json;q=0"}, ""},
		"a quality that is none":           {[]string{"application/json;q=x, text/plain"}, ""},
		"a quality beyond 1":               {[]string{"application/json;q=2"}, ""},
		"no slash":                         {[]string{"json"}, ""},
		"something else":                   {[]string{"image/png, */json"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := negotiate(http.Header{"Accept": tt.accept}, "text/html", mediaJSON)
			if ok != (tt.want != "") || ok && got != tt.want {
				t.Errorf("got %q %v, want %q", got, ok, tt.want)
			}
		})
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add("text/html;q=0.5,*/*", "application/json", "request-id=0123456789;x", "Bearer x.y.z", []byte(good))
	f.Add(";q=,/", "application/octet-stream;", "=%zz,,;", " ", []byte(`{"messages":`))
	n := newNode(nil)
	f.Fuzz(func(t *testing.T, accept, mediaType, baggage, authorization string, body []byte) {
		for _, path := range []string{"/api/broadcast", oneOf} {
			w := n.do(t, call{path: path, body: string(body), headers: map[string]string{
				"Accept": accept, "Content-Type": mediaType, "Baggage": baggage, "Authorization": authorization,
			}})
			if w.Code >= 500 {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if strings.HasPrefix(w.Header().Get("Content-Type"), mediaJSON) && !json.Valid(w.Body.Bytes()) {
				t.Fatalf("not JSON: %s", w.Body)
			}
		}
	})
}
