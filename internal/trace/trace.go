// Package trace knows which request something belongs to: the name of the
// request, and the spans that say how long its parts took. internal/app makes
// the Tracer and runs it; rooms begin spans where a client waits for something.
//
// A *Tracer and a *Span may be nil: then nothing is traced, and every method
// does nothing and allocates nothing. That is how a server runs unless an
// operator names a collector.
//
// A span says what was done, for which tenant and how it ended, by a code. No
// method takes an error's text or a client's bytes: spans leave the building.
//
// It owns one goroutine, which sends spans to the collector (Run). Whoever ends
// a span never waits for it: what finds the queue full is counted and dropped.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"

	"github.com/tutti-realtime/tutti"
)

// scope names who makes the spans.
const scope = "github.com/tutti-realtime/tutti"

// Settings is where spans go, and which.
type Settings struct {
	Endpoint string            // URL to post spans to
	Headers  map[string]string // of these requests, such as a key of the collector's
	Timeout  time.Duration     // of one of them; 0 is 10 s

	Resource   map[string]string // what spans say of this process: service.name and others
	Sampler    string            // OTEL_TRACES_SAMPLER; "" is parentbased_always_on
	SamplerArg string            // share of traces from 0 to 1, for the samplers that take one

	Queue int           // spans that may wait; 0 is 2048
	Batch int           // spans of one request to the collector; 0 is 512
	Delay time.Duration // how long a span may wait for others; 0 is 5 s
}

// A Tracer begins spans and sends those that have ended. nil begins none.
type Tracer struct {
	otel   otel.Tracer
	post   *post
	format propagation.TextMapPropagator
}

// New makes a tracer. It starts nothing: spans wait for Run.
func New(s Settings, log *slog.Logger, registry prometheus.Registerer) (*Tracer, error) {
	sampler, err := samplerOf(s.Sampler, s.SamplerArg)
	if err != nil {
		return nil, err
	}
	p, err := newPost(s, log, registry)
	if err != nil {
		return nil, err
	}
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(p), sdk.WithSampler(sampler), sdk.WithResource(p.resource))
	return &Tracer{
		otel: provider.Tracer(scope), post: p,
		format: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
	}, nil
}

// Run sends spans to the collector until ctx ends, and then, for a moment, those
// that still wait. That the collector is not there is no error.
func (t *Tracer) Run(ctx context.Context) error { return t.post.run(ctx) }

// Root begins a span that is part of nothing. Its end is the caller's affair.
func (t *Tracer) Root(name string) *Span {
	if t == nil {
		return nil
	}
	return t.start(context.Background(), name, otel.SpanKindInternal)
}

// Remote begins a span that is part of what another node does, which has sent
// the carrier (Carrier). The context carries the span.
func (t *Tracer) Remote(ctx context.Context, carrier map[string]string, name string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	ctx = t.format.Extract(ctx, propagation.MapCarrier(carrier))
	s := t.start(ctx, name, otel.SpanKindServer)
	return With(ctx, s), s
}

// Carrier returns what tells another node of the span that ctx carries, nil when
// there is none.
func (t *Tracer) Carrier(ctx context.Context) map[string]string {
	if t == nil {
		return nil
	}
	c := propagation.MapCarrier{}
	t.format.Inject(ctx, c)
	return c
}

// received is what a request says of the span that it is part of.
func (t *Tracer) received(ctx context.Context, h http.Header) context.Context {
	return t.format.Extract(ctx, propagation.HeaderCarrier(h))
}

func (t *Tracer) start(ctx context.Context, name string, kind otel.SpanKind) *Span {
	_, s := t.otel.Start(ctx, name, otel.WithSpanKind(kind))
	return &Span{tracer: t, otel: s}
}

// A Span is the time that something takes. nil is one of which nobody wants to
// know. It may be ended once, after which nothing of it may be set; spans that
// are part of it may still begin and end.
type Span struct {
	tracer *Tracer
	otel   otel.Span
}

// Child begins a span that is part of s.
func (s *Span) Child(name string) *Span {
	if s == nil {
		return nil
	}
	// Loops have no context; to OpenTelemetry a parent is nothing but one.
	return s.tracer.start(otel.ContextWithSpan(context.Background(), s.otel), name, otel.SpanKindInternal)
}

// longest is how many bytes of a value are sent.
const longest = 256

// Anchor returns a span that others can be part of when s has ended, and which
// holds nothing else of it. Nothing can be set of it.
func (s *Span) Anchor() *Span {
	if s == nil {
		return nil
	}
	ctx := otel.ContextWithSpanContext(context.Background(), s.otel.SpanContext())
	return &Span{tracer: s.tracer, otel: otel.SpanFromContext(ctx)}
}

// Set says something of the span. Values are names and codes, never what
// a client has sent as a payload.
func (s *Span) Set(key, value string) {
	if s != nil && value != "" {
		s.otel.SetAttributes(attribute.String(key, clean(value)))
	}
}

// clean returns a value as it may be sent: text that is not UTF-8 would spoil
// all spans of its request.
func clean(value string) string {
	return strings.ToValidUTF8(value[:min(len(value), longest)], "\uFFFD")
}

// Count says how many of something the span is about.
func (s *Span) Count(key string, n int) {
	if s != nil {
		s.otel.SetAttributes(attribute.Int(key, n))
	}
}

// Tenant says whose the span is.
func (s *Span) Tenant(id string) { s.Set(KeyTenant, id) }

// Keys of attributes that several rooms set.
const (
	KeyTenant  = "external_id"
	KeyRequest = "request_id"
	KeyCode    = "error_code"
)

// Fail says that the span ends with an error: the code of a *tutti.Error, or
// UnknownError. A text is not sent, it may be of somebody's data. Nil is no error.
func (s *Span) Fail(err error) {
	if s == nil || err == nil {
		return
	}
	code := unknownError
	if e, ok := errors.AsType[*tutti.Error](err); ok && e.Code != "" {
		code = e.Code
	}
	s.FailCode(code)
}

// unknownError is the code of what has none.
const unknownError = "UnknownError"

// FailCode is Fail for who has the code.
func (s *Span) FailCode(code string) {
	if s != nil {
		s.otel.SetStatus(codes.Error, code)
		s.Set(KeyCode, code)
	}
}

// Link says that the span is of use to another as well, which is not above it.
func (s *Span) Link(other *Span) {
	if s != nil && other != nil {
		s.otel.AddLink(otel.Link{SpanContext: other.otel.SpanContext()})
	}
}

// End ends the span now.
func (s *Span) End() {
	if s != nil {
		s.otel.End()
	}
}

// Finish is Fail and End.
func (s *Span) Finish(err error) {
	s.Fail(err)
	s.End()
}

// ID returns the names of the trace and of the span, "" for nil.
func (s *Span) ID() (trace, span string) {
	if s == nil {
		return "", ""
	}
	c := s.otel.SpanContext()
	return c.TraceID().String(), c.SpanID().String()
}

type spanKey struct{}

// With returns a context that carries a span.
func With(ctx context.Context, s *Span) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(otel.ContextWithSpan(ctx, s.otel), spanKey{}, s)
}

// Of returns the span that a context carries, nil for none.
func Of(ctx context.Context) *Span {
	s, _ := ctx.Value(spanKey{}).(*Span)
	return s
}

// Start begins a span that is part of what ctx carries; it is nil when that is
// nothing. The context carries the new one.
func Start(ctx context.Context, name string) (context.Context, *Span) {
	s := Of(ctx).Child(name)
	return With(ctx, s), s
}

// samplerOf returns the sampler of that name, in the words of OTEL_TRACES_SAMPLER.
func samplerOf(name, arg string) (sdk.Sampler, error) {
	share, err := shareOf(arg)
	if err != nil {
		return nil, err
	}
	switch name {
	case "always_on":
		return sdk.AlwaysSample(), nil
	case "always_off":
		return sdk.NeverSample(), nil
	case "traceidratio":
		return sdk.TraceIDRatioBased(share), nil
	case "", "parentbased_always_on":
		return sdk.ParentBased(sdk.AlwaysSample()), nil
	case "parentbased_always_off":
		return sdk.ParentBased(sdk.NeverSample()), nil
	case "parentbased_traceidratio":
		return sdk.ParentBased(sdk.TraceIDRatioBased(share)), nil
	}
	return nil, fmt.Errorf("OTEL_TRACES_SAMPLER %q is not known: take parentbased_traceidratio, always_on or another of the specification's", name)
}
