package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/trace"
)

var (
	errNoTenant     = &Refusal{http.StatusUnauthorized, "Tenant not found in database"}
	errRequests     = &Refusal{http.StatusTooManyRequests, "Too many requests"}
	errNoToken      = &Refusal{http.StatusUnauthorized, "Unauthorized"}
	errSuspended    = &Refusal{http.StatusForbidden, "Tenant is suspended"}
	errOverloaded   = &Refusal{http.StatusServiceUnavailable, "The server is overloaded, please try again"}
	errEvents       = &Refusal{http.StatusTooManyRequests, "You have exceeded your rate limit"}
	errBatchTooLong = &Refusal{http.StatusTooManyRequests, "Too many messages to broadcast, please reduce the batch size"}
)

// A caller is a tenant's client that may use the HTTP interface.
type caller struct {
	tenant *tutti.Tenant
	meters *limit.Tenant
	token  *auth.Token // nil on routes that need none
}

// meet finds the tenant of a request and counts the request. It puts the
// tenant's rate into the answer's header.
func (a *API) meet(r *http.Request, h http.Header) (*caller, error) {
	handle, err := a.Tenants.ByHost(r.Context(), r.Host)
	if errors.Is(err, tutti.ErrNoTenant) {
		a.Gate.Bad(r)
		return nil, errNoTenant
	}
	if err != nil {
		return nil, err
	}
	t := handle.Tenant()
	if t == nil {
		return nil, errNoTenant // deleted a moment ago
	}
	if err := a.Gate.Origin(r, t); err != nil {
		h.Del("Access-Control-Allow-Origin")
		return nil, err
	}
	trace.Of(r.Context()).Tenant(t.ExternalID)
	c := &caller{tenant: t, meters: a.Meters.Of(t.ExternalID)}
	c.meters.Requests.Add(0, 1)
	rate, most := int(c.meters.Requests.Average()), t.MaxEventsPerSecond
	h.Set("X-Rate-Rolling", strconv.Itoa(rate))
	h.Set("X-Rate-Limit", strconv.Itoa(most))
	h.Set("X-Rate-Limit-Remaining", strconv.Itoa(max(most-rate, 0)))
	if rate >= most {
		return nil, errRequests
	}
	return c, nil
}

// admit is meet for routes that need a token.
func (a *API) admit(r *http.Request, h http.Header) (*caller, error) {
	c, err := a.meet(r, h)
	if err != nil {
		return nil, err
	}
	if c.token, err = a.verify(r, c.tenant); err != nil {
		return nil, err
	}
	if c.tenant.Suspend {
		return nil, errSuspended
	}
	return c, nil
}

// tokenOf returns the token of a request: that of an Authorization of the
// scheme Bearer, else the header apikey. An Authorization that is not a scheme,
// one space and a value is no reason to look further.
func tokenOf(h http.Header) (string, bool) {
	if given := h.Get("Authorization"); given != "" {
		scheme, token, ok := strings.Cut(given, " ")
		if !ok || token == "" || strings.Contains(token, " ") {
			return "", false
		}
		if strings.EqualFold(scheme, "Bearer") {
			return token, true
		}
	}
	key := h.Get("Apikey")
	return key, key != ""
}
