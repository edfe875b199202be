package api

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/gate"
)

// verify verifies the token of a request when it is its turn. A bad one, or none,
// counts against the address that shows it.
func (a *API) verify(r *http.Request, t *tutti.Tenant) (*auth.Token, error) {
	raw, ok := tokenOf(r.Header)
	if !ok {
		return nil, errNoToken
	}
	leave, err := a.Gate.Desk(r.Context())
	if err != nil {
		return nil, err
	}
	defer leave()
	token, err := a.Verifier.Verify(t, raw, time.Now())
	if err != nil {
		a.Gate.Bad(r)
		a.Log.DebugContext(r.Context(), "token refused", "tenant", t.ExternalID, "err", err)
		return nil, errNoToken
	}
	return token, nil
}

// knock is what a request of a tenant's client passes before anything is read of
// it. What it returns must be called when the request has been served: a large
// body is read of those only who have a good token.
func (a *API) knock(r *http.Request) (release func(), err error) {
	if err := a.Gate.Patience(r); err != nil {
		return nil, err
	}
	body := a.Gate.Body(r.Body, func() error { return a.known(r) })
	r.Body = body
	return body.Release, nil
}

// known returns nil when a request has a good token. It counts nothing as asked
// for: admit will.
func (a *API) known(r *http.Request) error {
	handle, err := a.Tenants.ByHost(r.Context(), r.Host)
	if errors.Is(err, tutti.ErrNoTenant) {
		return errNoTenant
	}
	if err != nil {
		return &storeError{err}
	}
	t := handle.Tenant()
	if t == nil {
		return errNoTenant
	}
	_, err = a.verify(r, t)
	return err
}

// service lets those in who show a good token of some secrets, and reports
// whether it did. Others are told nothing, not even why; only who has shown too
// many bad tokens is told to wait.
func (a *API) service(w http.ResponseWriter, r *http.Request, s *auth.Service) (token string, ok bool) {
	if err := a.Gate.Patience(r); err != nil {
		a.fail(w, r, err)
		return "", false
	}
	if token, ok = bearer(r.Header); ok && s.Verify(token, time.Now()) == nil {
		return token, true
	}
	a.Gate.Bad(r)
	w.WriteHeader(http.StatusForbidden)
	return "", false
}

// insider reports whether a request shows a token of those who run the server:
// one that may manage tenants, or read the metrics.
func (a *API) insider(r *http.Request) bool {
	token, ok := bearer(r.Header)
	if !ok || a.Gate.Patience(r) != nil {
		return false
	}
	services := []*auth.Service{a.metricsService()}
	if a.Management != nil {
		services = append(services, a.Management.service(a.Verifier.Validators))
	}
	for _, s := range services {
		if s.Verify(token, time.Now()) == nil {
			return true
		}
	}
	a.Gate.Bad(r)
	return false
}

// metricsService verifies the tokens that may read the metrics.
func (a *API) metricsService() *auth.Service {
	return &auth.Service{Secrets: a.MetricsSecrets, Blocked: a.MetricsBlocklist, Validators: a.Verifier.Validators}
}

// service verifies the tokens that may manage tenants.
func (m *Management) service(validators map[string]any) *auth.Service {
	return &auth.Service{Secrets: m.Secrets, Blocked: m.Blocklist, Validators: validators}
}

// retryAfter says when to come again.
func retryAfter(h http.Header, why *gate.Refusal) {
	if why.After > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(why.After.Seconds()))))
	}
}
