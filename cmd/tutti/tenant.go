package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// tenantCommand manages tenants, wherever they are.
type tenantCommand struct {
	Place tenantPlace `embed:""`
	JSON  bool        `help:"Print JSON."`

	Add         tenantAdd         `cmd:"" help:"Add a tenant."`
	List        tenantListing     `cmd:"" help:"List tenants."`
	Show        tenantShow        `cmd:"" help:"Show what is known of a tenant, but for its secrets."`
	Set         tenantSet         `cmd:"" help:"Change fields of a tenant."`
	Remove      tenantRemove      `cmd:"" help:"Remove a tenant."`
	Disconnect  tenantDisconnect  `cmd:"" help:"Disconnect clients of a tenant from a running server."`
	Reauthorize tenantReauthorize `cmd:"" help:"Have the policies of private channels asked again on a running server."`
}

// A tenantStore is where tenants are: a running server, or what a server keeps
// them in. Errors are tutti.ErrNoTenant, a tenant.Invalid, a wrongUse, or a
// sentence.
type tenantStore interface {
	find(ctx context.Context, name string) (tenantView, error)

	// list returns a page of tenants, or all of them without a limit.
	list(ctx context.Context, q tutti.TenantQuery) (tenantPage, error)

	// write changes the fields of a tenant that are in a JSON object, or makes a
	// tenant of them, and returns the names of those that changed, as far as
	// that can be told. Without fields there is no tenant thereafter.
	write(ctx context.Context, name string, fields json.RawMessage) (changed []string, err error)
}

// A tenantPage is what the list of tenants shows, in the form of the tenants API.
type tenantPage struct {
	Data []tenantView `json:"data"`
	Next string       `json:"next,omitempty"` // where the next page begins, "" for the last
}

// A wrongUse says what is wrong with a command line, and how to put it right.
// The process ends with status 2.
type wrongUse string

func (w wrongUse) Error() string { return string(w) }

func wrongUsef(format string, args ...any) error { return wrongUse(fmt.Sprintf(format, args...)) }

// visit opens the place where tenants are and does something there.
func (t *tenantCommand) visit(ctx context.Context, k *kong.Context, do func(tenantStore) error) error {
	store, leave, err := t.Place.open(k)
	if err == nil {
		err = do(store)
		leave()
	}
	return finish(ctx, k, t.Place.explain(err))
}

// finish ends the process with status 2 when the command was used wrongly.
func finish(ctx context.Context, k *kong.Context, err error) error {
	if invalid, ok := errors.AsType[tenant.Invalid](err); ok {
		err = wrongUse(faultSentence(invalid))
	}
	var wrong wrongUse
	switch {
	case errors.As(err, &wrong):
		fmt.Fprintln(os.Stderr, "tutti: "+wrong.Error())
		k.Exit(2)
	case err != nil && ctx.Err() != nil:
		// Without its cause, which would pass for a stop that was asked for.
		return errors.New("interrupted: look with tutti tenant show whether it was done")
	}
	return err
}

// existing finds a tenant that has to be there.
func existing(ctx context.Context, store tenantStore, name string) (tenantView, error) {
	view, err := store.find(ctx, name)
	if errors.Is(err, tutti.ErrNoTenant) {
		return nil, fmt.Errorf("there is no tenant %q: tutti tenant list shows those that there are", name)
	}
	return view, err
}
