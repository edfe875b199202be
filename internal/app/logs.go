package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/tutti-realtime/tutti/internal/trace"
)

// NewLog makes the log of a process: lines of a level ("debug" to "error") and
// above, as text or JSON. Attributes get the names that they have in the
// reference, so that what reads its logs reads ours. docs/logs.md has the list.
func NewLog(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // the configuration has checked it
	options := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(&printer{slog.NewJSONHandler(w, options)})
	}
	return slog.New(&printer{slog.NewTextHandler(w, options)})
}

// A printer is the last that sees a line. It names things as the reference does,
// says which request a line belongs to, and takes secrets out of texts: what
// other programs and libraries put into errors is not in our hands.
type printer struct{ next slog.Handler }

// Enabled implements slog.Handler.
func (p *printer) Enabled(ctx context.Context, l slog.Level) bool { return p.next.Enabled(ctx, l) }

// WithGroup implements slog.Handler.
func (p *printer) WithGroup(name string) slog.Handler { return &printer{p.next.WithGroup(name)} }

// WithAttrs implements slog.Handler.
func (p *printer) WithAttrs(attrs []slog.Attr) slog.Handler {
	var all []slog.Attr
	for _, a := range attrs {
		all = appendPrinted(all, a)
	}
	return &printer{p.next.WithAttrs(all)}
}

// Handle implements slog.Handler.
func (p *printer) Handle(ctx context.Context, r slog.Record) error {
	line := slog.NewRecord(r.Time, r.Level, scrub(r.Message), r.PC)
	var attrs []slog.Attr
	named := false
	r.Attrs(func(a slog.Attr) bool {
		attrs = appendPrinted(attrs, a)
		named = named || a.Key == keyRequest || a.Key == trace.KeyRequest
		return true
	})
	if id := trace.Request(ctx); id != "" && !named {
		attrs = append(attrs, slog.String(trace.KeyRequest, scrub(id)))
	}
	if id, span := trace.Of(ctx).ID(); id != "" {
		attrs = append(attrs, slog.String("trace_id", id), slog.String("span_id", span))
	}
	line.AddAttrs(attrs...)
	return p.next.Handle(ctx, line)
}

// Keys of our lines that have other names in the reference's.
const (
	keyTenant  = "tenant"
	keyCode    = "code"
	keyRequest = "request"
)

// appendPrinted appends an attribute as it is printed. The reference calls
// a tenant by two names, of which operators filter by either.
func appendPrinted(dst []slog.Attr, a slog.Attr) []slog.Attr {
	a.Value = printed(a.Key, a.Value)
	switch a.Key {
	case keyTenant:
		return append(dst, slog.Attr{Key: "project", Value: a.Value}, slog.Attr{Key: trace.KeyTenant, Value: a.Value})
	case keyCode:
		a.Key = trace.KeyCode
	case keyRequest:
		a.Key = trace.KeyRequest
	}
	return append(dst, a)
}

// Bytes of a text in the log. A client may choose topics and events of eight
// thousand; a stack is only printed after a panic.
const (
	longest      = 2000
	longestStack = 16_000
)

// printed returns a value without secrets, and cut if it is too long.
func printed(key string, v slog.Value) slog.Value {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(cleaned(v.String(), limitOf(key)))
	case slog.KindGroup:
		var all []slog.Attr
		for _, a := range v.Group() {
			all = append(all, slog.Attr{Key: a.Key, Value: printed(a.Key, a.Value)})
		}
		return slog.GroupValue(all...)
	case slog.KindAny:
		return slog.StringValue(cleaned(text(v.Any()), limitOf(key)))
	default:
		return v
	}
}

func limitOf(key string) int {
	if key == "stack" {
		return longestStack
	}
	return longest
}

func text(v any) string {
	if err, is := v.(error); is {
		return errorText(err)
	}
	return fmt.Sprint(v)
}

// cleaned takes the secrets out of a text and cuts it. It is cut before as well, or a
// very long one would cost much; but behind what is printed, because the beginning of
// some secrets does not look like one: a password ends at the @ of its URL.
func cleaned(text string, most int) string {
	return shortened(scrub(shortened(text, 2*most)), most)
}

// shortened cuts a text.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
