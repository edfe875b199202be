package channel

import (
	"context"
	"log/slog"

	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// A Caller is who opened a connection, as the log and traces know it.
type Caller struct {
	RequestID string     // of the handshake
	Verbosity slog.Level // the least of the lines about its channels that the client wants logged
	Span      *trace.Span
}

// span returns the span that what the client does is part of, nil when nothing
// is traced.
func (c *Client) span() *trace.Span {
	if c.Caller == nil {
		return nil
	}
	return c.Caller.Span
}

// joinSpan begins the span of a join, which ends with the reply.
func (c *Client) joinSpan(name string) *trace.Span {
	s := c.span().Child("phx_join")
	if s != nil {
		s.Tenant(c.TenantID)
		s.Set(trace.KeyRequest, c.Caller.RequestID)
		s.Set("topic", name)
	}
	return s
}

// checkSpan begins the span of a question to policies.
func (ch *Channel) checkSpan(about string) *trace.Span {
	above := ch.client.span()
	if ch.joining() {
		above = ch.access.knock.config.span
	}
	s := above.Child("policy check")
	s.Tenant(ch.topic.Tenant)
	s.Set("check", about)
	return s
}

// log returns the log for lines about the channel.
func (ch *Channel) log() *slog.Logger {
	return ch.client.log(ch.topic.Name, ch.token.Claims.Subject, ch.token.Claims.Raw, ch.token.Claims.Expires)
}

// log returns the log for lines about a topic of the client: they say in whose
// name, by claims of a token that was verified.
func (c *Client) log(topic, subject string, claims []byte, expires int64) *slog.Logger {
	l := c.Desk.Log.With("tenant", c.TenantID, "topic", topic)
	if c.Caller != nil && c.Caller.RequestID != "" {
		l = l.With("request_id", c.Caller.RequestID)
	}
	if subject != "" {
		l = l.With("sub", subject)
	}
	raw, _ := phoenix.Lookup(claims, "iss")
	if issuer, ok := phoenix.Unquote(raw); ok {
		l = l.With("iss", issuer)
	}
	if expires != 0 {
		l = l.With("exp", expires)
	}
	return l
}

// wants reports whether a line is logged that is about nothing but this client:
// its own log_level decides, as in the reference (protocol, section 1.2), unless
// an operator wants to see everything.
func (c *Client) wants(level slog.Level) bool {
	asked := c.Caller != nil && level >= c.Caller.Verbosity
	return asked && c.logs(level) || c.logs(slog.LevelDebug)
}

// logs reports whether lines of a level are printed at all: what they say need
// not be put together if not.
func (c *Client) logs(level slog.Level) bool {
	return c.Desk.Log.Enabled(context.Background(), level) // loops have no context
}
