package trace

import (
	"bufio"
	"net"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	otel "go.opentelemetry.io/otel/trace"
)

// Handler returns next with a span for each request, which is part of what the
// headers traceparent and baggage say. Neither the path nor the query are told,
// only the route: one may hold names, the other a key.
func (t *Tracer) Handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if probe(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		ctx := t.received(r.Context(), r.Header)
		s := t.start(ctx, methodOf(r), otel.SpanKindServer)
		defer s.End() // also of a handler that panics
		request := r.WithContext(With(ctx, s))
		answer := &watchedWriter{ResponseWriter: w}
		next.ServeHTTP(answer, request)
		s.answered(request, answer)
	})
}

// methodOf returns the method of a request, "_OTHER" for one that is not known:
// a client may write there what it likes, as long as it likes.
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return "_OTHER"
}

// answered says how a request ended.
func (s *Span) answered(r *http.Request, w *watchedWriter) {
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	s.otel.SetAttributes(attribute.String("http.request.method", methodOf(r)), attribute.Int("http.response.status_code", status))
	s.Set(KeyRequest, w.Header().Get("X-Request-Id"))
	if status >= http.StatusInternalServerError {
		s.otel.SetStatus(codes.Error, http.StatusText(status))
	}
	// The mux has put the route there.
	if _, route, found := strings.Cut(r.Pattern, " "); found || r.Pattern != "" {
		if !found {
			route = r.Pattern
		}
		s.otel.SetName(methodOf(r) + " " + route)
		s.Set("http.route", route)
	}
}

// probe reports whether a path is asked for so often, and to so little purpose,
// that its spans would hide all others.
func probe(path string) bool {
	path = strings.TrimPrefix(path, "/realtime/v1")
	return path == "/healthcheck" || path == "/status" || strings.HasPrefix(path, "/health/") ||
		strings.HasPrefix(path, "/metrics") || strings.HasPrefix(path, "/assets/")
}

// A watchedWriter knows the status of its answer.
type watchedWriter struct {
	http.ResponseWriter
	status int
}

func (w *watchedWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Hijack is for the WebSocket, whose answer nobody here sees.
func (w *watchedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, buffered, err
}

// Unwrap lets http.ResponseController find what else the writer can do.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
