package api

import (
	"errors"
	"net/http"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// spanned begins a span of a request, and returns the request with it.
func spanned(r *http.Request, name string) (*http.Request, *trace.Span) {
	ctx, s := trace.Start(r.Context(), name)
	if s == nil {
		return r, nil
	}
	return r.WithContext(ctx), s
}

// finish ends a span with what a caller is told.
func finish(s *trace.Span, err error) {
	if errors.Is(err, errUnauthorized) {
		err = &tutti.Error{Code: tutti.Unauthorized}
	}
	s.Finish(err)
}
