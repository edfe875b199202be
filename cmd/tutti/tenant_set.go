package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type tenantSet struct {
	Name   string   `arg:"" help:"Id of the tenant."`
	Fields []string `arg:"" name:"field=value" help:"What is to change, such as max_events_per_second=500; null puts the default back; all of it in one row, without flags between."`
}

// Run changes fields of a tenant and says which.
func (s *tenantSet) Run(ctx context.Context, k *kong.Context, t *tenantCommand) error {
	return t.visit(ctx, k, func(store tenantStore) error {
		fields, err := parseFields(s.Fields)
		if err != nil {
			return err
		}
		if _, err := existing(ctx, store, s.Name); err != nil {
			return err
		}
		changed, err := store.write(ctx, s.Name, encodeJSON(fields))
		if err != nil {
			return err
		}
		if !t.JSON {
			fmt.Println(changeSentence(s.Name, changed))
			return nil
		}
		view, err := store.find(ctx, s.Name)
		if err != nil {
			return err
		}
		return printJSON(map[string]any{"changed": append([]string{}, changed...), "tenant": view})
	})
}

// changeSentence says what changed, and what clients notice of it.
func changeSentence(name string, changed []string) string {
	if len(changed) == 0 {
		return fmt.Sprintf("Tenant %q is as it was: it had these values already.", name)
	}
	sentence := fmt.Sprintf("Tenant %q is changed: %s.", name, strings.Join(changed, ", "))
	if slices.ContainsFunc(changed, func(field string) bool {
		return slices.Contains([]string{"jwt_secret", "jwt_jwks", "private_only", "suspend"}, field)
	}) {
		sentence += " Servers disconnect its clients, which come back by themselves."
	}
	return sentence
}
