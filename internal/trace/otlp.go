package trace

import (
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	described "go.opentelemetry.io/proto/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// encode writes spans as the body of a request to a collector. TracesData has
// the bytes of an ExportTraceServiceRequest, and is in a package without gRPC.
//
// Specification: https://opentelemetry.io/docs/specs/otlp/
func encode(of *resource.Resource, spans []sdk.ReadOnlySpan) ([]byte, error) {
	list := make([]*otlp.Span, len(spans))
	for i, s := range spans {
		list[i] = wire(s)
	}
	body, err := proto.Marshal(&otlp.TracesData{ResourceSpans: []*otlp.ResourceSpans{{
		Resource:   &described.Resource{Attributes: keyValues(of.Attributes())},
		ScopeSpans: []*otlp.ScopeSpans{{Scope: &common.InstrumentationScope{Name: scope}, Spans: list}},
	}}})
	if err != nil {
		return nil, fmt.Errorf("encode spans: %w", err)
	}
	return body, nil
}

func wire(s sdk.ReadOnlySpan) *otlp.Span {
	c := s.SpanContext()
	trace, span := c.TraceID(), c.SpanID()
	w := &otlp.Span{
		TraceId: trace[:], SpanId: span[:], TraceState: c.TraceState().String(), Flags: uint32(c.TraceFlags()),
		Name: s.Name(), Kind: kinds[s.SpanKind()],
		StartTimeUnixNano: nanos(s.StartTime()), EndTimeUnixNano: nanos(s.EndTime()),
		Attributes: keyValues(s.Attributes()), DroppedAttributesCount: uint32(s.DroppedAttributes()),
		Status: status(s.Status()),
	}
	if above := s.Parent().SpanID(); above.IsValid() {
		w.ParentSpanId = above[:]
	}
	for _, l := range s.Links() {
		trace, span := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		w.Links = append(w.Links, &otlp.Span_Link{TraceId: trace[:], SpanId: span[:], Flags: uint32(l.SpanContext.TraceFlags())})
	}
	return w
}

// nanos is never of a time before 1970: these are of spans.
func nanos(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) }

// kinds is what we make; the rest counts as unspecified.
var kinds = map[otel.SpanKind]otlp.Span_SpanKind{
	otel.SpanKindInternal: otlp.Span_SPAN_KIND_INTERNAL,
	otel.SpanKindServer:   otlp.Span_SPAN_KIND_SERVER,
}

func status(s sdk.Status) *otlp.Status {
	switch s.Code {
	case codes.Error:
		return &otlp.Status{Code: otlp.Status_STATUS_CODE_ERROR, Message: s.Description}
	case codes.Ok:
		return &otlp.Status{Code: otlp.Status_STATUS_CODE_OK}
	}
	return &otlp.Status{}
}

// keyValues writes the types that Span sets.
func keyValues(list []attribute.KeyValue) []*common.KeyValue {
	all := make([]*common.KeyValue, 0, len(list))
	for _, a := range list {
		v := &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: a.Value.String()}}
		if a.Value.Type() == attribute.INT64 {
			v.Value = &common.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		}
		all = append(all, &common.KeyValue{Key: string(a.Key), Value: v})
	}
	return all
}
