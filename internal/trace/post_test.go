package trace

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A collector that is down, slow or broken costs its own spans, and nobody waits.
func TestACollectorThatTakesNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		broken func(c *collector) (url string)
	}{
		"it answers 503": {
			broken: func(c *collector) string { c.status = http.StatusServiceUnavailable; return c.URL },
		},
		"nobody is there": {
			broken: func(c *collector) string { c.Close(); return c.URL },
		},
		"it never answers": {
			broken: func(c *collector) string { c.stall = make(chan struct{}); return c.URL },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCollector(t)
			p := play(t, Settings{Endpoint: strings.Replace(tt.broken(c), "http://", "http://user:secret@", 1), Timeout: 50 * time.Millisecond, Queue: 100, Batch: 10})
			const spans = 5000
			began := time.Now()
			for range spans {
				p.Root("join").End()
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("to end %d spans took %v", spans, took)
			}
			until(t, "all spans are dropped", func() bool { return p.dropped("queue")+p.dropped("collector") == spans })
			if p.dropped("queue") == 0 || p.dropped("collector") == 0 {
				t.Errorf("%d found the queue full, %d the collector", p.dropped("queue"), p.dropped("collector"))
			}
			p.stop()
			if text := p.log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "TraceExportFailed") || strings.Contains(text, "secret") {
				t.Errorf("logged %q, want one line", text)
			}
		})
	}
}

func TestACollectorThatComesBack(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	c.stall = make(chan struct{})
	p := play(t, Settings{Endpoint: c.URL, Timeout: 20 * time.Millisecond})
	p.Root("lost").End()
	until(t, "a span is lost", func() bool { return p.dropped("collector") == 1 })
	close(c.stall)
	until(t, "one is taken", func() bool {
		p.Root("after").End()
		return p.value("tutti_trace_spans_sent_total") > 0
	})
	until(t, "it is said", func() bool { return strings.Count(p.log.String(), "\n") == 2 })
	if text := p.log.String(); !strings.Contains(text, "takes spans again") || !strings.Contains(text, "lost="+strconv.Itoa(p.dropped("collector")+p.dropped("queue"))) {
		t.Errorf("logged %q", text)
	}
}

// Who follows a redirect asks without the spans, and takes its key to somebody else.
func TestACollectorThatIsElsewhere(t *testing.T) {
	t.Parallel()
	other := newCollector(t)
	here := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	t.Cleanup(here.Close)
	p := play(t, Settings{Endpoint: here.URL, Headers: map[string]string{"api-key": "secret"}})
	p.Root("join").End()
	until(t, "it is dropped", func() bool { return p.dropped("collector") == 1 })
	if n := len(other.came); n != 0 {
		t.Errorf("another server was asked %d times", n)
	}
	p.stop()
	if text := p.log.String(); !strings.Contains(text, "the collector answers 302") {
		t.Errorf("logged %q", text)
	}
}

// What waits when the node stops is sent, whatever the delay.
func TestTheLastSpansAreSent(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	p := play(t, Settings{Endpoint: c.URL, Delay: time.Hour, Batch: 2})
	p.Root("stop").End()
	p.stop()
	if s := c.next(); s.Name != "stop" {
		t.Errorf("got %v", s)
	}
}

// A full batch does not wait for the delay.
func TestABatchIsSentAtOnce(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	p := play(t, Settings{Endpoint: c.URL, Delay: time.Hour, Batch: 2})
	for range 4 {
		p.Root("join").End()
	}
	for range 4 {
		c.next()
	}
}
