package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti"
)

type tenantDisconnect struct {
	Name    string `arg:"" help:"Id of the tenant."`
	Sub     string `help:"Only clients whose token has this claim sub: a user."`
	Topic   string `help:"Only clients that have joined this topic." placeholder:"TOPIC"`
	Private bool   `help:"Only if that topic is private." xor:"privacy"`
	Public  bool   `help:"Only if that topic is public." xor:"privacy"`
}

// Run disconnects clients and says how many.
func (d *tenantDisconnect) Run(ctx context.Context, k *kong.Context, t *tenantCommand) error {
	return t.visit(ctx, k, func(store tenantStore) error {
		server, ok := store.(*tenantAPI)
		if !ok {
			return wrongUse("clients are connected to a running server, so say which, with --url http://host:4000")
		}
		who, err := d.who()
		if err != nil {
			return err
		}
		n, err := server.disconnect(ctx, d.Name, who)
		switch {
		case errors.Is(err, tutti.ErrNoTenant):
			_, err = existing(ctx, store, d.Name)
			return err
		case err != nil:
			return err
		case t.JSON:
			return printJSON(map[string]int{"disconnected": n})
		case n == 1:
			fmt.Printf("1 client of tenant %q is disconnected.\n", d.Name)
		default:
			fmt.Printf("%d clients of tenant %q are disconnected.\n", n, d.Name)
		}
		return nil
	})
}

// who returns the body of the request. An empty one means everybody.
func (d *tenantDisconnect) who() (map[string]any, error) {
	who := map[string]any{}
	if d.Sub != "" {
		who["sub"] = d.Sub
	}
	if d.Topic != "" {
		who["topic"] = d.Topic
	}
	if d.Private || d.Public {
		if d.Topic == "" {
			return nil, wrongUse("--private and --public are said of a topic: name it with --topic")
		}
		who["private"] = d.Private
	}
	return who, nil
}
