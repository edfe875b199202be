package socket

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// callerOf returns who asks for a connection, as the log and traces know it.
func callerOf(r *http.Request) *channel.Caller {
	return &channel.Caller{
		RequestID: strings.Clone(trace.Request(r.Context())), // or it would hold the headers
		Verbosity: verbosity(r.URL.Query()["log_level"]),
		Span:      trace.Of(r.Context()).Anchor(), // as long as the connection is open
	}
}

// verbosity reads the parameter log_level: the least of the lines about its
// channels that a client wants logged. What is not one of the reference's words
// is "error", even "warn", which the types of supabase-js allow. Protocol,
// section 1.2.
func verbosity(given []string) slog.Level {
	if len(given) == 0 {
		return slog.LevelError
	}
	switch given[len(given)-1] {
	case "info":
		return slog.LevelInfo
	case "warning":
		return slog.LevelWarn
	}
	return slog.LevelError
}
