package api

import (
	"context"
	"net/http"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
)

// Policies answers for a tenant's row-level security.
type Policies interface {
	// Authorize returns nil when the bearer of the token may write to a private
	// topic. A *Refusal is shown to the caller; any other error is logged and
	// shown as a fault of the server. The headers are those of the request.
	Authorize(ctx context.Context, t tutti.Topic, token *auth.Token, headers http.Header) error
}

// errUnauthorized says that no policy lets the caller write.
var errUnauthorized = &Refusal{http.StatusForbidden, "Unauthorized"}

// authorize asks the policies, if there are any.
func (a *API) authorize(r *http.Request, t tutti.Topic, token *auth.Token) error {
	if a.Policies == nil {
		return errUnauthorized
	}
	r, span := spanned(r, "policy check")
	span.Tenant(t.Tenant)
	span.Set("check", "write")
	err := a.Policies.Authorize(r.Context(), t, token, r.Header)
	finish(span, err)
	return err
}
