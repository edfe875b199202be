// Package tenant finds a tenant by its external id, remembers it, and forgets it
// when told; it says what a request makes of a tenant, and writes that into the
// tenants file. internal/socket and internal/api ask the Directory, internal/api
// changes a Registry, internal/app runs the File and passes on what changed. It
// owns no goroutine: File.Run polls on its caller's, and a Directory asks its
// Store on the goroutine of whoever needs the answer.
package tenant

import (
	"context"

	"github.com/tutti-realtime/tutti"
)

// Store is where tenants live. *File and Fixed are stores, and so is a control
// database.
type Store interface {
	// Find returns the tenant, or an error that is tutti.ErrNoTenant.
	Find(ctx context.Context, externalID string) (*tutti.Tenant, error)
}

// Fixed is a Store of tenants that never change.
type Fixed []*tutti.Tenant

// Find returns the tenant, or tutti.ErrNoTenant.
func (f Fixed) Find(_ context.Context, externalID string) (*tutti.Tenant, error) {
	for _, t := range f {
		if t.ExternalID == externalID {
			return t, nil
		}
	}
	return nil, tutti.ErrNoTenant
}
