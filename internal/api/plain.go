package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
)

// healthcheck says that the process answers. It asks nothing else, so that a
// database that is down does not get the node restarted.
func healthcheck(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok"))
}

// ping says whether the tenant of the host exists and may send requests.
func (a *API) ping(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", requestID(r.Header, a.BaggageKey))
	if _, err := a.meet(r, w.Header()); err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, message("Success"))
}

// metrics lets those read who show a token of the metrics' own secret. Others
// are told nothing, not even why.
func (a *API) metrics(w http.ResponseWriter, r *http.Request) {
	service := auth.Service{
		Secrets:    []string{a.MetricsSecret},
		Blocked:    a.MetricsBlocklist,
		Validators: a.Verifier.Validators,
	}
	token, ok := bearer(r.Header)
	if !ok || service.Verify(token, time.Now()) != nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	a.Metrics.ServeHTTP(w, r)
}

// bearer returns the token of an Authorization that begins exactly with "Bearer ".
func bearer(h http.Header) (token string, ok bool) {
	return strings.CutPrefix(h.Get("Authorization"), "Bearer ")
}

// toConsole sends those who know the reference's address of the console there.
func toConsole(w http.ResponseWriter, r *http.Request) {
	to := "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	http.Redirect(w, r, to, http.StatusFound)
}
