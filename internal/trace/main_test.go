package trace

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A collector takes spans over HTTP.
type collector struct {
	*httptest.Server
	t      testing.TB
	status int                   // of its answers, 200 when 0
	stall  chan struct{}         // it does not answer before this is closed; nil for at once
	came   chan *http.Request    // one for each request
	spans  chan *otlp.Span       // what was in them
	last   chan *otlp.TracesData // the whole of them
}

func newCollector(t testing.TB) *collector {
	c := &collector{t: t, came: make(chan *http.Request, 1000), spans: make(chan *otlp.Span, 10_000), last: make(chan *otlp.TracesData, 1000)}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var data otlp.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &data)
	}
	if err != nil {
		c.t.Errorf("the collector cannot read a request: %v", err)
	}
	c.came <- r
	if c.stall != nil {
		select {
		case <-c.stall:
		case <-r.Context().Done():
		}
	}
	if c.status != 0 {
		w.WriteHeader(c.status)
		return
	}
	c.last <- &data
	for _, of := range data.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans <- s
			}
		}
	}
}

// next returns the next span that has come.
func (c *collector) next() *otlp.Span {
	c.t.Helper()
	select {
	case s := <-c.spans:
		return s
	case <-time.After(10 * time.Second):
		c.t.Fatal("no span has come")
		return nil
	}
}

// A lines is a log that is kept.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A stage is a tracer that runs.
type stage struct {
	*Tracer
	log      *lines
	registry *prometheus.Registry
	stop     func()
}

// play runs a tracer until the test has ended, or stop is called.
func play(t testing.TB, s Settings) *stage {
	t.Helper()
	p := &stage{log: &lines{}, registry: prometheus.NewRegistry()}
	if s.Delay == 0 {
		s.Delay = 5 * time.Millisecond
	}
	var err error
	if p.Tracer, err = New(s, slog.New(slog.NewTextHandler(p.log, nil)), p.registry); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Run(ctx)
	}()
	p.stop = func() { cancel(); <-ended }
	t.Cleanup(p.stop)
	return p
}

// value returns the value of a metric, of all those with these values of labels.
func (p *stage) value(name string, labels ...string) (sum int) {
	families, err := p.registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			fits := f.GetName() == name
			for i, l := range m.GetLabel() {
				fits = fits && l.GetValue() == labels[i]
			}
			if fits {
				sum += int(m.GetCounter().GetValue())
			}
		}
	}
	return sum
}

// dropped returns how many spans were dropped for a reason.
func (p *stage) dropped(reason string) int { return p.value("tutti_trace_spans_dropped_total", reason) }

// until waits until something is so.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(what + ": not within 10 s")
		}
	}
}
