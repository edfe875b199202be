package api

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"

	"github.com/tutti-realtime/tutti/internal/trace"
)

// named returns the request with its name in its context, for the answer, the log
// and traces.
func (a *API) named(r *http.Request) *http.Request {
	id := requestID(r.Header, a.BaggageKey)
	trace.Of(r.Context()).Set(trace.KeyRequest, id)
	return r.WithContext(trace.WithRequest(r.Context(), id))
}

// requestID returns the name of a request: the one that the caller gave it, or
// the entry of the baggage header under that key, or a new one.
func requestID(h http.Header, baggageKey string) string {
	if id := h.Get("X-Request-Id"); len(id) >= 20 && len(id) <= 200 {
		return id
	}
	if id := baggage(h, baggageKey); len(id) >= 10 && len(id) <= 200 && printable(id) {
		return id
	}
	return rand.Text()
}

// baggage returns an entry of the baggage header, "" when there is none:
// "key=value;property,other=value", where values are percent-encoded.
//
// Specification: https://www.w3.org/TR/baggage/
func baggage(h http.Header, key string) string {
	if key == "" {
		return ""
	}
	for entry := range strings.SplitSeq(strings.Join(h.Values("Baggage"), ","), ",") {
		entry, _, _ = strings.Cut(entry, ";")
		name, value, _ := strings.Cut(entry, "=")
		if strings.TrimSpace(name) != key {
			continue
		}
		if text, err := url.PathUnescape(strings.TrimSpace(value)); err == nil {
			return text
		}
	}
	return ""
}

// printable reports whether s is ASCII that may stand in a header.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
