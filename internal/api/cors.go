package api

import (
	"net/http"

	"github.com/tutti-realtime/tutti/internal/gate"
)

// allowOrigin lets a page read the answer: one of any origin, unless the operator
// has named some. There are no cookies here that a foreign page could use: a
// caller shows a token, or gets nothing. A tenant may have a list of its own,
// which meet looks at.
func (a *API) allowOrigin(h http.Header, r *http.Request) {
	if !a.answersOrigin(h, r) {
		return
	}
	h.Set("Access-Control-Expose-Headers",
		"x-rate-rolling, x-rate-limit, x-rate-limit-remaining, x-request-id, retry-after")
}

// answersOrigin says in the answer's header which pages may read it, and reports
// whether the one that asks may.
func (a *API) answersOrigin(h http.Header, r *http.Request) bool {
	everybody := a.Gate.Everybody(nil)
	if !everybody {
		h.Add("Vary", "Origin")
	}
	if len(r.Header.Values("Origin")) == 0 || a.Gate.Origin(r, nil) != nil {
		return false
	}
	if everybody {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	}
	return true
}

// preflight answers the question that a browser asks before it sends a
// broadcast. Applications add headers of their own to a client's requests, so
// those that are asked for are allowed; "*" would not cover Authorization.
func (a *API) preflight(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
	a.preflightFor(w, r)
}

// preflightFor is preflight for methods that are in the answer's header. A page
// that may not call the server is told nothing that its browser could take for
// a permission.
func (a *API) preflightFor(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	headers := r.Header.Get("Access-Control-Request-Headers")
	if headers == "" {
		headers = "authorization, apikey, content-type, x-client-info"
	}
	if !a.answersOrigin(h, r) && len(r.Header.Values("Origin")) > 0 {
		h.Del("Access-Control-Allow-Methods")
		a.fail(w, r, a.Gate.Origin(r, nil))
		return
	}
	h.Set("Access-Control-Allow-Origin", allowed(h))
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// allowed returns the origin that an answer names, "*" when it names none: who
// asks without an origin is no page.
func allowed(h http.Header) string {
	if origin := h.Get("Access-Control-Allow-Origin"); origin != "" {
		return origin
	}
	return "*"
}

// refused answers with a refusal of the gate.
func refused(w http.ResponseWriter, why *gate.Refusal) {
	said := map[string]string{"message": why.Cause, "code": why.Code}
	if why.Cure != "" {
		said["cure"] = why.Cure
	}
	answer(w, why.Status, said)
}
