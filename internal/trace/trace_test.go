package trace

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tutti-realtime/tutti"
)

// attributes returns what a span says.
func attributes(s *otlp.Span) map[string]string {
	all := map[string]string{}
	for _, a := range s.Attributes {
		all[a.Key] = a.Value.GetStringValue()
		if all[a.Key] == "" {
			all[a.Key] = fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return all
}

func TestSpansArriveAsTheyWere(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	p := play(t, Settings{
		Endpoint: c.URL + "/v1/traces", Headers: map[string]string{"api-key": "of the collector"},
		Resource: map[string]string{"service.name": "realtime", "region": ""},
	})
	root := p.Root("phx_join")
	root.Tenant("acme")
	root.Count("entries", 3)
	other := p.Root("other")
	child := root.Child("token")
	child.Link(other)
	child.Finish(fmt.Errorf("with a %q in its text: %w", "secret", &tutti.Error{Code: tutti.InvalidJWTToken, Reason: "secret"}))
	failed := root.Child("query")
	failed.Finish(errors.New("a secret of the database"))
	root.End()
	token, query, join := c.next(), c.next(), c.next()
	if join.Name != "phx_join" || token.Name != "token" || query.Name != "query" {
		t.Fatalf("got %s, %s, %s", token.Name, query.Name, join.Name)
	}
	if string(token.ParentSpanId) != string(join.SpanId) || string(token.TraceId) != string(join.TraceId) || len(join.ParentSpanId) != 0 {
		t.Error("the token is not part of the join")
	}
	if len(token.Links) != 1 || len(token.Links[0].SpanId) != 8 {
		t.Errorf("the token has the links %v", token.Links)
	}
	if got := fmt.Sprint(attributes(join)); got != "map[entries:3 external_id:acme]" {
		t.Error(got)
	}
	if token.Status.Code != otlp.Status_STATUS_CODE_ERROR || token.Status.Message != "InvalidJWTToken" || attributes(token)["error_code"] != "InvalidJWTToken" {
		t.Errorf("the token ended with %v", token)
	}
	if query.Status.Message != "UnknownError" || strings.Contains(query.String(), "secret") || strings.Contains(token.String(), "secret") {
		t.Errorf("the query ended with %v", query)
	}
	if join.EndTimeUnixNano < join.StartTimeUnixNano || join.StartTimeUnixNano == 0 {
		t.Error("the join has no times")
	}
	if r := <-c.came; r.Header.Get("Api-Key") != "of the collector" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.URL.Path != "/v1/traces" {
		t.Errorf("the collector was sent %v %v", r.URL, r.Header)
	}
	of := (<-c.last).ResourceSpans[0].Resource.Attributes
	if len(of) != 1 || of[0].Key != "service.name" || of[0].Value.GetStringValue() != "realtime" {
		t.Errorf("the resource is %v", of)
	}
}

func TestTextThatIsNotUTF8DoesNotSpoilTheOthers(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	s := play(t, Settings{Endpoint: c.URL}).Root("join")
	s.Set("topic", strings.Repeat("ü", 1000))
	s.Set("cut", "a"+strings.Repeat("ü", 1000)) // the cut is within a letter
	s.Set("request_id", "\xff\xfe")
	s.End()
	got := attributes(c.next())
	if len(got["topic"]) != longest || !strings.HasSuffix(got["cut"], "\uFFFD") || got["request_id"] != "\uFFFD" {
		t.Errorf("got %q", got)
	}
}

func TestASpanCrossesNodes(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	here, there := play(t, Settings{Endpoint: c.URL}), play(t, Settings{Endpoint: c.URL})
	ask := here.Root("ask nodes")
	carrier := here.Carrier(With(t.Context(), ask))
	ctx, answer := there.Remote(t.Context(), carrier, "answer node")
	_, inner := Start(ctx, "inner")
	inner.End()
	answer.End()
	ask.End()
	spans := map[string]*otlp.Span{}
	for range 3 {
		s := c.next()
		spans[s.Name] = s
	}
	if string(spans["answer node"].ParentSpanId) != string(spans["ask nodes"].SpanId) || string(spans["inner"].ParentSpanId) != string(spans["answer node"].SpanId) {
		t.Errorf("the spans are %v", spans)
	}
	for _, carrier := range []map[string]string{nil, {"traceparent": "no trace"}, {"traceparent": strings.Repeat("0", 55)}} {
		_, s := there.Remote(t.Context(), carrier, "alone")
		s.End()
		if got := c.next(); len(got.ParentSpanId) != 0 {
			t.Errorf("%v is taken for a span", carrier)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	c := newCollector(t)
	p := play(t, Settings{Endpoint: c.URL})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/tenants/{id}", func(w http.ResponseWriter, r *http.Request) {
		Of(r.Context()).Tenant(r.PathValue("id"))
		w.Header().Set("X-Request-Id", "0123456789")
		w.WriteHeader(http.StatusInternalServerError)
		w.WriteHeader(http.StatusOK) // too late
	})
	mux.HandleFunc("/health/live", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/socket", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	})
	server := httptest.NewServer(p.Handler(mux))
	defer server.Close()
	transport := &http.Transport{DisableKeepAlives: true} // or what fails is asked again
	ask := func(method, path string) {
		r, _ := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		r.Header.Set("Traceparent", parent)
		r.Header.Set("Baggage", "key=secret")
		if answer, err := transport.RoundTrip(r); err == nil {
			_ = answer.Body.Close()
		}
	}
	ask(http.MethodGet, "/health/live")
	ask(http.MethodGet, "/api/tenants/acme?apikey=secret")
	s := c.next()
	if s.Name != "GET /api/tenants/{id}" || s.Kind != otlp.Span_SPAN_KIND_SERVER || fmt.Sprintf("%x", s.ParentSpanId) != "b7ad6b7169203331" {
		t.Errorf("got %v", s)
	}
	want := "map[external_id:acme http.request.method:GET http.response.status_code:500 http.route:/api/tenants/{id} request_id:0123456789]"
	if got := fmt.Sprint(attributes(s)); got != want || s.Status.Message != "Internal Server Error" {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if strings.Contains(s.String(), "secret") {
		t.Errorf("it tells a secret: %v", s)
	}
	ask(http.MethodGet, "/socket")
	if s := c.next(); s.Name != "GET /socket" || attributes(s)["http.response.status_code"] != "101" {
		t.Errorf("got %v", s)
	}
	for method, name := range map[string]string{"GET": "GET", "secret": "_OTHER"} {
		ask(method, "/nowhere/secret")
		if s := c.next(); s.Name != name || strings.Contains(s.String(), "secret") {
			t.Errorf("got %v", s)
		}
	}
}

func TestSamplers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sampler, arg string
		wrong        string // "" when it is right
		taken        bool   // a root
		asked        bool   // one whose caller wants it
	}{
		"none is given":                 {taken: true, asked: true},
		"all":                           {sampler: "always_on", taken: true, asked: true},
		"none":                          {sampler: "always_off"},
		"those of callers":              {sampler: "parentbased_always_off", asked: true},
		"a share":                       {sampler: "traceidratio", arg: "0"},
		"a share, and those of callers": {sampler: "parentbased_traceidratio", arg: "0", asked: true},
		"a share of nothing said":       {sampler: "traceidratio", taken: true, asked: true},
		"unknown":                       {sampler: "jaeger_remote", wrong: "OTEL_TRACES_SAMPLER"},
		"no share":                      {sampler: "traceidratio", arg: "1.5", wrong: "OTEL_TRACES_SAMPLER_ARG"},
		"no number":                     {sampler: "traceidratio", arg: "NaN", wrong: "OTEL_TRACES_SAMPLER_ARG"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := samplerOf(tt.sampler, tt.arg)
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_ = s
			c := newCollector(t)
			p := play(t, Settings{Endpoint: c.URL, Sampler: tt.sampler, SamplerArg: tt.arg})
			root := p.Root("root")
			_, asked := p.Remote(t.Context(), map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "asked")
			if root.otel.SpanContext().IsSampled() != tt.taken || asked.otel.SpanContext().IsSampled() != tt.asked {
				t.Errorf("sampled: root %v, asked %v", root.otel.SpanContext().IsSampled(), asked.otel.SpanContext().IsSampled())
			}
			child := root.Child("child")
			if child.otel.SpanContext().IsSampled() != tt.taken {
				t.Error("a child is not treated as its parent")
			}
		})
	}
}

func TestAWrongEndpointIsRefusedWithoutBeingShown(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:4318", "grpc://host", "http://", "http://user:pa ss@host", "::"} {
		if _, err := newPost(Settings{Endpoint: url}, nil, nil); err == nil || strings.Contains(err.Error(), "pa ss") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// What is not traced costs nothing: the path of every join and of every policy.
func TestWithoutATracerNothingIsAllocated(t *testing.T) {
	var tracer *Tracer
	ctx := context.WithValue(t.Context(), requestKey{}, "a request")
	failure := &tutti.Error{Code: tutti.Unauthorized}
	if n := testing.AllocsPerRun(100, func() {
		root := tracer.Root("join")
		root.Tenant("acme")
		child := root.Child("token")
		child.Set("a", "b")
		child.Count("n", 1)
		child.Link(root)
		child.Finish(failure)
		with, s := Start(ctx, "check")
		if with != ctx || s != nil {
			t.Error("there is a span")
		}
		if _, s := tracer.Remote(ctx, nil, "answer"); s != nil || tracer.Carrier(ctx) != nil {
			t.Error("there is a span of another node")
		}
		s.End()
		root.End()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	next := http.NewServeMux()
	if tracer.Handler(next) != http.Handler(next) {
		t.Error("requests go through a handler")
	}
}

func BenchmarkJoinOff(b *testing.B) { benchmarkJoin(b, nil) }

func BenchmarkJoinOn(b *testing.B) {
	benchmarkJoin(b, play(b, Settings{Endpoint: newCollector(b).URL}).Tracer)
}

func benchmarkJoin(b *testing.B, tracer *Tracer) {
	b.ReportAllocs()
	for b.Loop() {
		join := tracer.Root("phx_join")
		join.Tenant("acme")
		token := join.Child("token")
		token.Finish(nil)
		join.End()
	}
}
