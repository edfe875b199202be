package tenant

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/tutti-realtime/tutti"
)

// Registry is a Store that can be asked for all of its tenants and be changed.
// *File is one, and so is a control database; Fixed refuses changes.
//
// Errors of Put and Delete are an Invalid for a tenant that the store cannot
// hold, a *Conflict for a change that it cannot make as things are, and
// tutti.ErrUnavailable when it gives no answer. With any of them nothing has changed.
type Registry interface {
	Store

	// List returns tenants in the order of their external ids.
	List(ctx context.Context, q tutti.TenantQuery) (tutti.TenantPage, error)

	// Put creates the tenant, or puts it in the place of the one with its
	// external id, and reports whether it is new. It does not keep t.
	Put(ctx context.Context, t *tutti.Tenant) (created bool, err error)

	// Delete removes a tenant, and reports whether there was one.
	Delete(ctx context.Context, externalID string) (existed bool, err error)
}

// A Conflict says why a store cannot make a change as things are.
type Conflict struct {
	Reason string // cause and cure, for whoever manages the server
}

// Error returns the reason.
func (c *Conflict) Error() string { return c.Reason }

// matches reports whether a query chooses a tenant.
func matches(q *tutti.TenantQuery, t *tutti.Tenant) bool {
	if q.Suspended != nil && *q.Suspended != t.Suspend {
		return false
	}
	part := strings.ToLower(q.Search)
	return strings.Contains(strings.ToLower(t.ExternalID), part) || strings.Contains(strings.ToLower(t.Name), part)
}

// page returns the page of a query among tenants sorted by id.
func page(q *tutti.TenantQuery, sorted []*tutti.Tenant) tutti.TenantPage {
	var p tutti.TenantPage
	for _, t := range sorted {
		switch {
		case q.After != "" && t.ExternalID <= q.After, !matches(q, t):
		case q.Limit > 0 && len(p.Tenants) == q.Limit:
			p.Next = p.Tenants[q.Limit-1].ExternalID
			return p
		default:
			p.Tenants = append(p.Tenants, t)
		}
	}
	return p
}

// errFixed is what becomes of changes to tenants that never change.
var errFixed = &Conflict{"the tenant of this server is ready-made and cannot be changed: " +
	"start the server with a tenants file (--tenants, TENANTS_FILE) or with a control database (DB_HOST) to manage tenants"}

// List returns the tenants that the query chooses.
func (f Fixed) List(_ context.Context, q tutti.TenantQuery) (tutti.TenantPage, error) {
	return page(&q, slices.SortedFunc(slices.Values(f), byID)), nil
}

// Put changes nothing, and returns a *Conflict that says what to do.
func (f Fixed) Put(context.Context, *tutti.Tenant) (bool, error) { return false, errFixed }

// Delete returns a *Conflict, unless there is no such tenant.
func (f Fixed) Delete(ctx context.Context, externalID string) (bool, error) {
	if _, err := f.Find(ctx, externalID); err != nil {
		return false, nil
	}
	return false, errFixed
}

func byID(a, b *tutti.Tenant) int { return cmp.Compare(a.ExternalID, b.ExternalID) }
