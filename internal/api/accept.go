package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// An accepted is one entry of an Accept header (RFC 9110, section 12.5.1).
type accepted struct {
	kind, sub string  // "*" for any
	quality   float64 // above 0
}

// negotiate returns the media type that the client likes best among those on
// offer, and false with the first of them if it likes none. The client's order
// decides between those that it likes equally; a client that does not say
// takes the first.
func negotiate(h http.Header, offered ...string) (mediaType string, ok bool) {
	wishes := strings.Join(h.Values("Accept"), ",")
	if wishes == "" {
		return offered[0], true
	}
	var list []accepted
	for wish := range strings.SplitSeq(wishes, ",") {
		if a, ok := parseAccepted(wish); ok {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b accepted) int {
		return int(1000*b.quality) - int(1000*a.quality)
	})
	for _, a := range list {
		for _, mediaType := range offered {
			if a.matches(mediaType) {
				return mediaType, true
			}
		}
	}
	return offered[0], false
}

// parseAccepted reads one entry, and reports false for those that are malformed
// or have a quality of 0.
func parseAccepted(entry string) (a accepted, ok bool) {
	mediaRange, params, _ := strings.Cut(entry, ";")
	a.kind, a.sub, ok = strings.Cut(strings.ToLower(strings.TrimSpace(mediaRange)), "/")
	if !ok {
		return a, false
	}
	a.quality = 1
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return a, false
		}
		a.quality = q
	}
	return a, a.quality > 0
}

// matches reports whether a covers a media type. Whoever takes some kind of
// JSON, such as application/problem+json, takes JSON.
func (a accepted) matches(mediaType string) bool {
	kind, sub, _ := strings.Cut(mediaType, "/")
	switch {
	case a.kind == "*":
		return a.sub == "*"
	case a.kind != kind:
		return false
	}
	return a.sub == "*" || a.sub == sub || strings.HasSuffix(a.sub, "+"+sub)
}
