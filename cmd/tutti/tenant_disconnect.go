package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti"
)

// tenantClients chooses clients of a tenant on a running server.
type tenantClients struct {
	Name    string `arg:"" help:"Id of the tenant."`
	Sub     string `help:"Only clients whose token has this claim sub: a user."`
	Topic   string `help:"Only clients that have joined this topic." placeholder:"TOPIC"`
	Private bool   `help:"Only if that topic is private." xor:"privacy"`
	Public  bool   `help:"Only if that topic is public." xor:"privacy"`
}

type tenantDisconnect struct {
	tenantClients `embed:""`
}

// Run disconnects clients and says how many.
func (d *tenantDisconnect) Run(ctx context.Context, k *kong.Context, t *tenantCommand) error {
	return d.operate(ctx, k, t, "disconnect", "disconnected", func(n int) string {
		if n == 1 {
			return fmt.Sprintf("1 client of tenant %q is disconnected.", d.Name)
		}
		return fmt.Sprintf("%d clients of tenant %q are disconnected.", n, d.Name)
	})
}

type tenantReauthorize struct {
	tenantClients `embed:""`
}

// Run has the policies of private channels asked again, and says about how many.
func (r *tenantReauthorize) Run(ctx context.Context, k *kong.Context, t *tenantCommand) error {
	return r.operate(ctx, k, t, "reauthorize", "reauthorized", func(n int) string {
		if n == 1 {
			return fmt.Sprintf("The policies of tenant %q are asked again about 1 private channel.", r.Name)
		}
		return fmt.Sprintf("The policies of tenant %q are asked again about %d private channels.", r.Name, n)
	})
}

// operate has a server do something with the clients, and prints with how many.
func (c *tenantClients) operate(ctx context.Context, k *kong.Context, t *tenantCommand, operation, done string, say func(int) string) error {
	return t.visit(ctx, k, func(store tenantStore) error {
		server, ok := store.(*tenantAPI)
		if !ok {
			return wrongUse("clients are connected to a running server, so say which, with --url http://host:4000")
		}
		who, err := c.who()
		if err != nil {
			return err
		}
		n, err := server.clients(ctx, c.Name, operation, done, who)
		switch {
		case errors.Is(err, tutti.ErrNoTenant):
			_, err = existing(ctx, store, c.Name)
			return err
		case err != nil:
			return err
		case t.JSON:
			return printJSON(map[string]int{done: n})
		}
		fmt.Println(say(n))
		return nil
	})
}

// who returns the body of the request. An empty one means everybody.
func (c *tenantClients) who() (map[string]any, error) {
	who := map[string]any{}
	if c.Sub != "" {
		who["sub"] = c.Sub
	}
	if c.Topic != "" {
		who["topic"] = c.Topic
	}
	if c.Private || c.Public {
		if c.Topic == "" {
			return nil, wrongUse("--private and --public are said of a topic: name it with --topic")
		}
		who["private"] = c.Private
	}
	return who, nil
}
