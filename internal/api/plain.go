package api

import (
	"net/http"
	"strings"

	"github.com/tutti-realtime/tutti/internal/gate"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// healthcheck says that the process answers. It asks nothing else, so that a
// database that is down does not get the node restarted.
func healthcheck(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok"))
}

// ping says whether the tenant of the host exists and may send requests.
func (a *API) ping(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", trace.Request(r.Context()))
	if _, err := a.meet(r, w.Header()); err != nil {
		a.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, message("Success"))
}

// metrics lets those read who show a token of the metrics' own secret. Others
// are told nothing, not even why.
func (a *API) metrics(w http.ResponseWriter, r *http.Request) {
	if _, ok := a.service(w, r, a.metricsService()); !ok {
		return
	}
	gate.Data(w.Header())
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
