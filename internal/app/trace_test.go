package app

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// A collector takes spans, as any of OpenTelemetry does.
type collector struct {
	t testing.TB

	mu    sync.Mutex // guards spans
	spans map[string]*otlp.Span
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var data otlp.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &data)
	}
	if err != nil {
		c.t.Errorf("the collector cannot read a request: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range data.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans[string(s.SpanId)] = s
			}
		}
	}
}

// collects has a server send its spans to a collector.
func collects(t testing.TB, s *script) *collector {
	c := &collector{t: t, spans: map[string]*otlp.Span{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	s.flags = append(s.flags, "--otel-exporter-otlp-endpoint="+server.URL, "--otel-bsp-schedule-delay=10")
	return c
}

// path returns a span with all above it, such as "join > token".
func (c *collector) path(s *otlp.Span) string {
	above := c.spans[string(s.ParentSpanId)]
	if above == nil {
		return s.Name
	}
	return c.path(above) + " > " + s.Name
}

// find returns the spans with a path, all of which have come.
func (c *collector) find(path string) (found []*otlp.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if c.path(s) == path {
			found = append(found, s)
		}
	}
	return found
}

// await waits for a span with a path, and returns it.
func (c *collector) await(path string) *otlp.Span {
	c.t.Helper()
	var found []*otlp.Span
	end := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ; len(found) == 0; <-tick.C {
		if found = c.find(path); time.Now().After(end) {
			c.t.Fatalf("there is no span %q, but\n%s", path, strings.Join(c.paths(), "\n"))
		}
	}
	return found[0]
}

func (c *collector) paths() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		all = append(all, c.path(s))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// text returns all that was sent.
func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.spans)
}

func said(s *otlp.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// operator sends a request to the tenants API.
func (s *script) operator(method, path, body string) int {
	status, _ := s.ask(method, path, body)
	return status
}

// guarded is a table whose rows only a policy can judge, which calls a function.
const guarded = `
CREATE TABLE public.notes (id int PRIMARY KEY, owner text, body text);
CREATE FUNCTION public.mine(owner text) RETURNS bool LANGUAGE sql STABLE AS $$ SELECT owner = auth.jwt()->>'sub' $$;
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON public.notes FOR SELECT TO authenticated USING (public.mine(owner));
GRANT SELECT ON public.notes TO authenticated;
DO $$ BEGIN
	IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'supabase_realtime') THEN CREATE PUBLICATION supabase_realtime; END IF;
END $$;
ALTER PUBLICATION supabase_realtime ADD TABLE public.notes;`

// What a client waits for is a tree: from its handshake, by its join, to what the
// database did for it.
func TestTheSpansOfAClient(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	withDatabase(t, dsn, nil, func(s *script) {
		spans := collects(t, s)
		s.flags = append(s.flags, "--dev-secret="+testSecret)
		db := consoleOf(t, dsn)
		db.do(guarded)
		who := identity{role: "authenticated", sub: "u1"}
		s.serve()
		s.enter("zoe", service, "2.0.0").mustJoin("prepares", privately)
		db.do(allMayAll)
		s.connect("ann", "traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 query=vsn=2.0.0&apikey="+s.mint(who))
		ann := s.client("ann")
		if got := ann.joinWith("t", `{"private":true,"presence":{"key":"k","enabled":true},"postgres_changes":[{"event":"*","schema":"public","table":"notes"}]}`); got != "ok" {
			t.Fatal(got)
		}
		ann.hearUntil("system Subscribed to PostgreSQL")
		ann.push("realtime:t", "broadcast", "2", `{"type":"broadcast","event":"e","payload":{"x":"PAYLOAD"}}`)
		db.do(`INSERT INTO public.notes VALUES (1, 'u1', 'PAYLOAD')`)
		ann.hearUntil("postgres_changes")

		const socket = "GET /socket/websocket"
		upgrade := spans.await(socket)
		if fmt.Sprintf("%x", upgrade.TraceId) != "0af7651916cd43dd8448eb211c80319c" { // zoe's has come first, maybe
			for _, one := range spans.find(socket) {
				if fmt.Sprintf("%x", one.ParentSpanId) == "b7ad6b7169203331" {
					upgrade = one
				}
			}
		}
		if fmt.Sprintf("%x", upgrade.ParentSpanId) != "b7ad6b7169203331" || said(upgrade, "external_id") != "acme" || said(upgrade, "request_id") == "" {
			t.Errorf("the handshake is %v", upgrade)
		}
		for _, path := range []string{
			socket + " > admit",
			socket + " > phx_join",
			socket + " > phx_join > token",
			socket + " > phx_join > policy check",
			socket + " > phx_join > policy check > connect tenant database",
			socket + " > phx_join > policy check > query tenant database",
			socket + " > phx_join > presence",
			socket + " > phx_join > subscription",
			socket + " > policy check > query tenant database", // for the broadcast
			"connect feed",
			"changes",
			"changes > match",
			"changes > visible",
			"changes > hand out",
		} {
			one := spans.await(path)
			if one.Status.Code == otlp.Status_STATUS_CODE_ERROR {
				t.Errorf("%s ended with %v", path, one.Status)
			}
		}
		for _, join := range spans.find(socket + " > phx_join") {
			if said(join, "external_id") != "acme" || said(join, "request_id") == "" || said(join, "topic") == "" {
				t.Errorf("a join is %v", join)
			}
		}

		if code, _ := s.rest("/api/broadcast", "application/json",
			`{"messages":[{"topic":"t","event":"e","payload":{"x":"PAYLOAD"},"private":true}]}`, s.mint(who), ""); code != http.StatusAccepted {
			t.Errorf("the broadcast is answered with %d", code)
		}
		if code := s.operator("POST", "/api/tenants/acme/reauthorize", `{"topic":"nowhere"}`); code != http.StatusOK {
			t.Errorf("the operator is answered with %d", code)
		}
		for _, path := range []string{
			"POST /api/broadcast > broadcast > policy check > query tenant database",
			"POST /api/tenants/{id}/reauthorize > ask nodes",
		} {
			spans.await(path)
		}
		if root := spans.await("POST /api/tenants/{id}/reauthorize"); said(root, "external_id") != "acme" || said(root, "request_id") == "" {
			t.Errorf("the request is %v", root)
		}

		db.do(`DROP POLICY "all read" ON realtime.messages`)
		if got := ann.joinWith("u", `{"private":true}`); !strings.Contains(got, "Unauthorized") {
			t.Error(got)
		}
		eventuallyTrue(t, "a join fails", func() bool {
			return slices.ContainsFunc(spans.find(socket+" > phx_join"), func(s *otlp.Span) bool {
				return s.Status.Code == otlp.Status_STATUS_CODE_ERROR && said(s, "error_code") == "Unauthorized"
			})
		})
		for _, secret := range []string{"PAYLOAD", "eyJ", testSecret, "apikey"} {
			if strings.Contains(spans.text(), secret) {
				t.Errorf("the spans tell %q", secret)
			}
		}
	})
}

// What one node asks of the others is part of the request that it got.
func TestASpanGoesOnInOtherNodes(t *testing.T) {
	t.Parallel()
	spans := &collector{t: t, spans: map[string]*otlp.Span{}}
	server := httptest.NewServer(spans)
	t.Cleanup(server.Close)
	n := severalNodes(t, 2, func(s *script) {
		s.flags = append(s.flags, "--dev-secret="+testSecret, "--otel-exporter-otlp-endpoint="+server.URL, "--otel-bsp-schedule-delay=10")
	})
	n[1].join("ann", "t")
	if code := n[0].operator("POST", "/api/tenants/acme/disconnect", `{"topic":"t"}`); code != http.StatusOK {
		t.Fatalf("the operator is answered with %d", code)
	}
	answer := spans.await("POST /api/tenants/{id}/disconnect > ask nodes > answer node")
	if said(answer, "call") != callExpel || said(answer, "external_id") != "acme" {
		t.Errorf("the other node's is %v", answer)
	}
}

// A collector that is not there costs clients nothing.
func TestACollectorThatIsNotThere(t *testing.T) {
	t.Parallel()
	overTCP(t, func(s *script) {
		book := &logbook{}
		s.log = NewLog(book, "info", "text").Handler()
		s.flags = append(s.flags, "--otel-traces-exporter=otlp", "--otel-exporter-otlp-endpoint=http://127.0.0.1:1", "--otel-bsp-schedule-delay=10")
		s.unlimited()
		ann := s.join("ann", "t")
		bob := s.join("bob", "t")
		ann.say("t", 1, "")
		if name, n := bob.heardFrom(); name != "ann" || n != 1 {
			t.Errorf("heard %d from %s", n, name)
		}
		eventuallyTrue(t, "it is said", func() bool { return book.says("TraceExportFailed") })
		if dropped := s.metric(`tutti_trace_spans_dropped_total{reason="collector"}`); dropped == 0 {
			t.Error("no span was dropped")
		}
	})
}

func TestWhenThereAreTraces(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		flags string
		on    bool
		wrong string
		url   string
	}{
		"nothing is said":           {},
		"an endpoint":               {flags: "--otel-exporter-otlp-endpoint=http://c:4318/", on: true, url: "http://c:4318/v1/traces"},
		"one with its path":         {flags: "--otel-exporter-otlp-traces-endpoint=http://c/x", on: true, url: "http://c/x"},
		"an exporter":               {flags: "--otel-traces-exporter=otlp", on: true, url: "http://localhost:4318/v1/traces"},
		"none":                      {flags: "--otel-traces-exporter=none --otel-exporter-otlp-endpoint=http://c"},
		"all is off":                {flags: "--otel-sdk-disabled --otel-traces-exporter=otlp"},
		"an exporter that is none":  {flags: "--otel-traces-exporter=jaeger", wrong: "OTEL_TRACES_EXPORTER"},
		"a protocol that is not":    {flags: "--otel-traces-exporter=otlp --otel-exporter-otlp-protocol=grpc", wrong: "4318"},
		"headers that are none":     {flags: "--otel-traces-exporter=otlp --otel-exporter-otlp-headers=secret", wrong: "OTEL_EXPORTER_OTLP_HEADERS"},
		"attributes that are none":  {flags: "--otel-traces-exporter=otlp --otel-resource-attributes==b", wrong: "OTEL_RESOURCE_ATTRIBUTES"},
		"a service of another name": {flags: "--otel-traces-exporter=otlp --otel-resource-attributes=service.name=mine,a=b%20c", on: true, url: "http://localhost:4318/v1/traces"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c Config
			parser, err := kong.New(&c)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(strings.Fields(tt.flags)); err != nil {
				t.Fatal(err)
			}
			on, err := c.Traces.on()
			s, settled := c.Traces.settings(map[string]string{"region": "eu"})
			if err == nil {
				err = settled
			}
			switch {
			case tt.wrong != "":
				if err == nil || !strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v", err)
				}
				return
			case err != nil:
				t.Fatal(err)
			case on != tt.on, on && s.Endpoint != tt.url:
				t.Errorf("got %v, %s", on, s.Endpoint)
			}
			want := "map[region:eu service.name:realtime]"
			if strings.Contains(tt.flags, "mine") {
				want = "map[a:b c region:eu service.name:mine]"
			}
			if got := fmt.Sprint(s.Resource); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
