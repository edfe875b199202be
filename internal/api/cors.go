package api

import "net/http"

// allowOrigin lets a page of any origin read the answer. There are no cookies
// here that a foreign page could use: a caller shows a token, or gets nothing.
func allowOrigin(h http.Header, r *http.Request) {
	if len(r.Header.Values("Origin")) == 0 {
		return
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers",
		"x-rate-rolling, x-rate-limit, x-rate-limit-remaining, x-request-id")
}

// preflight answers the question that a browser asks before it sends a
// broadcast. Applications add headers of their own to a client's requests, so
// those that are asked for are allowed; "*" would not cover Authorization.
func preflight(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
	preflightFor(w, r)
}

// preflightFor is preflight for methods that are in the answer's header.
func preflightFor(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	headers := r.Header.Get("Access-Control-Request-Headers")
	if headers == "" {
		headers = "authorization, apikey, content-type, x-client-info"
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}
