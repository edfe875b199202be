package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// A WriteCheck asks a tenant's database whether the bearer of claims may send
// broadcasts to a private topic, its name without "realtime:". Headers is
// a JSON object. Errors that a client may see have a *tutti.Error in them, and
// have been logged.
type WriteCheck interface {
	CheckWrite(ctx context.Context, t *tutti.Tenant, topic string, claims tutti.Claims, headers []byte) (allowed bool, err error)
}

// DatabasePolicies are Policies that ask the tenant's database, and say in the
// words of protocol, section 5.4, why it gave no answer.
type DatabasePolicies struct {
	Tenants *tenant.Directory
	Check   WriteCheck
}

// Authorize implements Policies.
func (p *DatabasePolicies) Authorize(ctx context.Context, to tutti.Topic, token *auth.Token, headers http.Header) error {
	handle, err := p.Tenants.Find(ctx, to.Tenant)
	if err != nil {
		return fmt.Errorf("find the tenant of %v: %w", to, err)
	}
	t := handle.Tenant()
	if t == nil {
		return errNoTenant
	}
	allowed, err := p.Check.CheckWrite(ctx, t, to.Name, token.Claims, headerObject(headers))
	switch {
	case err != nil:
		if refusal := refusalFor(err); refusal != nil {
			return refusal
		}
		return err
	case !allowed:
		return errUnauthorized
	}
	return nil
}

// headerObject returns the headers of a request as policies see them: a JSON
// object of lower-case names. Of a repeated one the last counts.
func headerObject(h http.Header) []byte {
	all := make(map[string]string, len(h))
	for name, values := range h {
		if len(values) > 0 {
			all[strings.ToLower(name)] = values[len(values)-1]
		}
	}
	object, _ := json.Marshal(all) // texts cannot fail
	return object
}

// The refusals of callers whose policies gave no answer.
var (
	errPolicy      = &Refusal{http.StatusUnprocessableEntity, "RLS policy error"}
	errCanceled    = &Refusal{http.StatusUnprocessableEntity, "Query canceled"}
	errPartition   = &Refusal{http.StatusUnprocessableEntity, "Missing messages partition"}
	errInitial     = &Refusal{http.StatusUnprocessableEntity, "Tenant database initializing"}
	errNoDatabase  = &Refusal{http.StatusUnprocessableEntity, "Tenant database unavailable"}
	errConnections = &Refusal{http.StatusUnprocessableEntity, "Tenant database has too many connections"}
	errPool        = &Refusal{http.StatusTooManyRequests, "Connection pool exhausted"}
)

// refusalFor returns nil for an error that no caller may see.
func refusalFor(err error) *Refusal {
	reason, ok := errors.AsType[*tutti.Error](err)
	if !ok {
		return nil
	}
	switch reason.Code {
	case tutti.Unauthorized:
		if _, ok := errors.AsType[*postgres.Refusal](err); ok {
			return errPolicy // asked, and the policy or the role was at fault
		}
		return errUnauthorized
	case tutti.QueryCanceled:
		return errCanceled
	case tutti.MissingPartition:
		return errPartition
	case tutti.InitializingProjectConnection:
		return errInitial
	case tutti.UnableToConnectToProject, tutti.DatabaseNotPrepared, tutti.DatabaseSettingsInvalid:
		return errNoDatabase
	case tutti.DatabaseLackOfConnections:
		return errConnections
	case tutti.IncreaseConnectionPool:
		return errPool
	}
	return nil
}
