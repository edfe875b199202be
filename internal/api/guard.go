package api

import (
	"bufio"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
)

// guard is what every request passes first: paths get one spelling, and a
// handler that panics answers for itself only.
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, outer *http.Request) {
		started := &startedWriter{ResponseWriter: w}
		r := a.named(outer)
		defer a.recover(started, r)
		request := withoutEmptySegments(r)
		defer func() { outer.Pattern = request.Pattern }() // for who looks at it from outside
		next.ServeHTTP(started, request)
	})
}

// recover is deferred. An answer that has begun cannot be taken back: the
// connection is cut, so that nobody takes half an answer for a whole one.
func (a *API) recover(w *startedWriter, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if fault == http.ErrAbortHandler {
		panic(fault)
	}
	a.Log.ErrorContext(r.Context(), "handler panicked", "code", "UnknownErrorOnController", "host", r.Host, "err", fault, "stack", string(debug.Stack()))
	if w.started {
		panic(http.ErrAbortHandler)
	}
	answer(w, http.StatusInternalServerError, message(http.StatusText(http.StatusInternalServerError)))
}

// A startedWriter knows whether its answer has begun.
type startedWriter struct {
	http.ResponseWriter
	started bool
}

func (w *startedWriter) WriteHeader(status int) {
	w.started = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *startedWriter) Write(b []byte) (int, error) {
	w.started = true
	return w.ResponseWriter.Write(b)
}

// Hijack is for the WebSocket, whose connection is no longer ours.
func (w *startedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.started = true
	}
	return conn, buffered, err
}

// Unwrap lets http.ResponseController find what else the writer can do.
func (w *startedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// withoutEmptySegments returns the request as if its path had no doubled and no
// trailing slashes, which the reference does not see either. The mux would send
// a redirect, and browsers follow none in answer to a preflight.
func withoutEmptySegments(r *http.Request) *http.Request {
	path := r.URL.EscapedPath()
	if !strings.Contains(path, "//") && (len(path) < 2 || !strings.HasSuffix(path, "/")) {
		return r
	}
	isSlash := func(c rune) bool { return c == '/' }
	path = "/" + strings.Join(strings.FieldsFunc(path, isSlash), "/")
	plain, err := url.PathUnescape(path)
	if err != nil {
		return r // cannot be: it comes from a URL that was parsed
	}
	clean, address := *r, *r.URL
	address.Path, address.RawPath = plain, path
	clean.URL = &address
	return &clean
}
