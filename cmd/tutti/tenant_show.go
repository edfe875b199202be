package main

import (
	"context"
	"os"

	"github.com/alecthomas/kong"
)

type tenantShow struct {
	Name string `arg:"" help:"Id of the tenant."`
}

// Run prints a tenant without its secrets.
func (s *tenantShow) Run(ctx context.Context, k *kong.Context, t *tenantCommand) error {
	return t.visit(ctx, k, func(store tenantStore) error {
		view, err := existing(ctx, store, s.Name)
		if err != nil {
			return err
		}
		if t.JSON {
			return printJSON(view)
		}
		return view.print(os.Stdout)
	})
}
