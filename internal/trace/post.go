package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// A post takes spans that have ended to the collector. Ours and not the SDK's,
// whose exporter brings gRPC along (6.8 MB of binary in place of 1.0), starts
// a goroutine when it is made, and says nothing of what it drops.
type post struct {
	url      string
	headers  map[string]string
	client   *http.Client
	resource *resource.Resource
	timeout  time.Duration
	delay    time.Duration
	batch    int

	queue chan sdk.ReadOnlySpan
	full  chan struct{} // rings when the queue holds a batch
	log   *slog.Logger
	trouble

	sent    prometheus.Counter
	dropped *prometheus.CounterVec
	lost    atomic.Int64 // that found the queue full, since the last batch was sent
}

// farewell is how long the spans that wait may take when the node stops.
const farewell = 2 * time.Second

func newPost(s Settings, log *slog.Logger, registry prometheus.Registerer) (*post, error) {
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The error would hold the URL, and that may hold a password.
		return nil, errors.New("the endpoint of the collector must be a URL such as http://localhost:4318")
	}
	p := &post{
		url: s.Endpoint, headers: s.Headers, resource: resource.NewSchemaless(attributesOf(s.Resource)...), log: log,
		client: &http.Client{
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
			// A redirect would be asked without the spans, and be told the headers.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout: orElse(s.Timeout, 10*time.Second), delay: orElse(s.Delay, 5*time.Second),
		batch: orElse(s.Batch, 512), full: make(chan struct{}, 1),
		queue: make(chan sdk.ReadOnlySpan, orElse(s.Queue, 2048)),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tutti_trace_spans_sent_total", Help: "Spans that the collector has taken."}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tutti_trace_spans_dropped_total", Help: "Spans that were dropped: because too many wait (queue), or the collector did not take them (collector)."}, []string{"reason"}),
	}
	for _, c := range []prometheus.Collector{p.sent, p.dropped} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of traces: %w", err)
		}
	}
	return p, nil
}

func orElse[T int | time.Duration](value, standard T) T {
	if value > 0 {
		return value
	}
	return standard
}

func attributesOf(texts map[string]string) (list []attribute.KeyValue) {
	for key, value := range texts {
		if value != "" {
			list = append(list, attribute.String(clean(key), clean(value)))
		}
	}
	return list
}

// OnStart implements the SDK's SpanProcessor.
func (p *post) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd implements the SDK's SpanProcessor. It never waits.
func (p *post) OnEnd(s sdk.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	select {
	case p.queue <- s:
	default:
		p.dropped.WithLabelValues("queue").Inc()
		p.lost.Add(1)
		return
	}
	if len(p.queue) >= p.batch {
		select {
		case p.full <- struct{}{}:
		default:
		}
	}
}

// ForceFlush implements the SDK's SpanProcessor. Nobody calls it.
func (p *post) ForceFlush(context.Context) error { return nil }

// Shutdown implements the SDK's SpanProcessor. Nobody calls it: Run ends the post.
func (p *post) Shutdown(context.Context) error { return nil }

// run sends what waits, every now and then, or when it is a batch.
func (p *post) run(ctx context.Context) error {
	defer p.client.CloseIdleConnections()
	pulse := time.NewTicker(p.delay)
	defer pulse.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
			for len(p.queue) > 0 && last.Err() == nil {
				p.send(last)
			}
			return context.Cause(ctx)
		case <-pulse.C:
		case <-p.full:
		}
		for p.send(ctx) == p.batch && ctx.Err() == nil { // more may wait
		}
	}
}

// send sends one batch, and returns how many spans that was. What the collector
// does not take is lost: spans are not worth the memory of an outage.
func (p *post) send(ctx context.Context) int {
	spans := p.take()
	if len(spans) == 0 {
		return 0
	}
	err := p.deliver(ctx, spans)
	if err == nil {
		p.sent.Add(float64(len(spans)))
	} else {
		p.dropped.WithLabelValues("collector").Add(float64(len(spans)))
	}
	p.note(p.log, err, len(spans), p.lost.Swap(0))
	return len(spans)
}

func (p *post) take() (spans []sdk.ReadOnlySpan) {
	for len(spans) < p.batch {
		select {
		case s := <-p.queue:
			spans = append(spans, s)
		default:
			return spans
		}
	}
	return spans
}

// deliver posts spans. https://opentelemetry.io/docs/specs/otlp/#otlphttp
func (p *post) deliver(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	body, err := encode(p.resource, spans)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return withoutURL(err)
	}
	for name, value := range p.headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	answer, err := p.client.Do(r)
	if err != nil {
		return withoutURL(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return errors.New("the collector answers " + strconv.Itoa(answer.StatusCode))
	}
	return nil
}

// withoutURL returns what is wrong without the URL, which may hold a password.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// trouble is what was said of a collector that takes nothing.
type trouble struct {
	said    bool
	without int64 // spans that it did not get since then
}

// note says once that the collector takes nothing, and once that it does again. Each
// is told of a batch, and of the spans that were lost before it.
func (t *trouble) note(log *slog.Logger, err error, batch int, lost int64) {
	if err == nil {
		if t.said {
			log.Info("the collector takes spans again", "lost", t.without+lost)
		}
		*t = trouble{}
		return
	}
	if !t.said {
		log.Warn("the collector takes no spans, they are dropped until it does", "code", "TraceExportFailed", "err", err)
	}
	t.said = true
	t.without += lost + int64(batch)
}

func shareOf(arg string) (float64, error) {
	if arg == "" {
		return 1, nil
	}
	share, err := strconv.ParseFloat(arg, 64)
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, got %q", arg)
	}
	return share, nil
}
