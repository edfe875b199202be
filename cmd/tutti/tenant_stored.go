package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// storedTenants are the tenants in a file or in a control database. Servers that
// have them from there take over what changes.
type storedTenants struct {
	registry tenant.Registry
	defaults tenant.Defaults
}

func (s *storedTenants) find(ctx context.Context, name string) (tenantView, error) {
	t, err := s.registry.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	return viewOf(t), nil
}

func (s *storedTenants) list(ctx context.Context, q tutti.TenantQuery) (tenantPage, error) {
	all := tenantPage{Data: []tenantView{}}
	for {
		page, err := s.registry.List(ctx, q)
		if err != nil {
			return tenantPage{}, err
		}
		for _, t := range page.Tenants {
			all.Data = append(all.Data, viewOf(t))
		}
		if q.Limit > 0 || page.Next == "" {
			all.Next = page.Next
			return all, nil
		}
		q.After = page.Next
	}
}

func (s *storedTenants) write(ctx context.Context, name string, fields json.RawMessage) ([]string, error) {
	if fields == nil {
		_, err := s.registry.Delete(ctx, name)
		return nil, err
	}
	before, err := s.registry.Find(ctx, name)
	if err != nil && !errors.Is(err, tutti.ErrNoTenant) {
		return nil, err
	}
	wanted, err := s.defaults.Revise(before, name, fields, time.Now())
	if err != nil {
		return nil, err
	}
	if _, err := s.registry.Put(ctx, wanted); err != nil {
		return nil, err
	}
	after, err := s.registry.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	return tenant.ChangedFields(before, after), nil
}
