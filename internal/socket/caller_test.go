package socket

import (
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/tutti-realtime/tutti/internal/trace"
)

func TestWhoCalls(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]slog.Level{
		"":                               slog.LevelError,
		"log_level=error":                slog.LevelError,
		"log_level=warning":              slog.LevelWarn,
		"log_level=info":                 slog.LevelInfo,
		"log_level=warn":                 slog.LevelError, // protocol, section 1.2
		"log_level=debug":                slog.LevelError,
		"log_level=INFO":                 slog.LevelError,
		"log_level=info&log_level=error": slog.LevelError,
		"log_level[]=info":               slog.LevelError,
	} {
		r := httptest.NewRequestWithContext(trace.WithRequest(t.Context(), "a request"), "GET", "/socket/websocket?"+query, nil)
		c := callerOf(r)
		if c.Verbosity != want || c.RequestID != "a request" || c.Span != nil {
			t.Errorf("%q: got %+v, want %v", query, c, want)
		}
	}
}
