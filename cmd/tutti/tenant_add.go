package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/auth"
)

type tenantAdd struct {
	Name      string   `arg:"" help:"Id of the tenant: the first label of the host by which clients reach it."`
	Fields    []string `arg:"" optional:"" name:"field=value" help:"What is to be set, such as max_events_per_second=500 private_only=true; all of it in one row, without flags between."`
	JWTSecret string   `help:"Secret of its tokens; made up when there is none and no keys." name:"jwt-secret"`
	JWKS      string   `help:"File that holds the JSON Web Key Set of its tokens." name:"jwks" type:"path" placeholder:"FILE"`
	DBURL     string   `help:"The tenant's own database." name:"db-url" placeholder:"postgres://user:password@host:5432/name"`
}

// Run adds a tenant, and prints its secret when that was made up just now.
func (a *tenantAdd) Run(ctx context.Context, k *kong.Context, t *tenantCommand) error {
	return t.visit(ctx, k, func(store tenantStore) error {
		fields, err := a.fields()
		if err != nil {
			return err
		}
		made, err := makeKeys(fields)
		if err != nil {
			return err
		}
		switch _, err := store.find(ctx, a.Name); {
		case err == nil:
			return fmt.Errorf("there is a tenant %q already: tutti tenant set changes it", a.Name)
		case !errors.Is(err, tutti.ErrNoTenant):
			return err
		}
		if _, err := store.write(ctx, a.Name, encodeJSON(fields)); err != nil {
			return err
		}
		return a.print(ctx, store, t.JSON, made)
	})
}

// fields puts together what the new tenant is to have.
func (a *tenantAdd) fields() (givenFields, error) {
	fields, err := parseFields(a.Fields)
	if err != nil {
		return nil, err
	}
	if fields["name"] != nil {
		return nil, wrongUse("a new tenant is named as its id: tutti tenant set changes its name")
	}
	give := func(field, flag string, value json.RawMessage) error {
		if fields[field] != nil {
			return wrongUsef("%s is given twice, by its name and as --%s: give it once", field, flag)
		}
		fields[field] = value
		return nil
	}
	if a.JWTSecret != "" {
		if err := give("jwt_secret", "jwt-secret", encodeJSON(a.JWTSecret)); err != nil {
			return nil, err
		}
	}
	if a.JWKS != "" {
		text, err := os.ReadFile(a.JWKS)
		if err != nil {
			return nil, fmt.Errorf("read the keys: %w", err)
		}
		if !json.Valid(text) {
			return nil, wrongUsef("%s holds no JSON: a key set is {\"keys\": [...]}", a.JWKS)
		}
		if err := give("jwt_jwks", "jwks", text); err != nil {
			return nil, err
		}
	}
	if a.DBURL != "" {
		extensions, err := databaseExtension(a.DBURL)
		if err != nil {
			return nil, err
		}
		if err := give("extensions", "db-url", extensions); err != nil {
			return nil, err
		}
	}
	if fields["extensions"] == nil {
		fields["extensions"] = json.RawMessage("[]")
	}
	return fields, nil
}

// madeKeys are what a new tenant's tokens are signed with, and two of them.
type madeKeys struct {
	Secret  string `json:"jwt_secret"`
	Anon    string `json:"anon_key"`
	Service string `json:"service_key"`
}

// makeKeys makes up a secret for fields that have nothing to verify tokens with,
// and two keys of it, good for ten years; nil when there is something.
func makeKeys(fields givenFields) (*madeKeys, error) {
	if fields["jwt_secret"] != nil || fields["jwt_jwks"] != nil {
		return nil, nil
	}
	made := &madeKeys{Secret: randomHex(32)}
	now := time.Now()
	for role, key := range map[string]*string{"anon": &made.Anon, "service_role": &made.Service} {
		token, err := auth.Mint(made.Secret, map[string]any{
			"role": role, "iss": "tutti", "iat": now.Unix(), "exp": now.AddDate(10, 0, 0).Unix(),
		})
		if err != nil {
			return nil, fmt.Errorf("mint a key for %s: %w", role, err)
		}
		*key = token
	}
	fields["jwt_secret"] = encodeJSON(made.Secret)
	return made, nil
}

// print says that the tenant is there. Its secret is lost if that fails, so it
// comes before anything else that could.
func (a *tenantAdd) print(ctx context.Context, store tenantStore, asJSON bool, made *madeKeys) error {
	if asJSON {
		answer := struct {
			*madeKeys
			Tenant tenantView `json:"tenant,omitempty"`
		}{madeKeys: made}
		view, err := store.find(ctx, a.Name)
		answer.Tenant = view
		return errors.Join(printJSON(answer), err)
	}
	fmt.Printf("Tenant %q is added.\n", a.Name)
	if made != nil {
		fmt.Printf(`
  JWT secret   %s
  anon key     %s
  service key  %s

Keep the secret and the keys, which are good for ten years: they are not shown again.
`, made.Secret, made.Anon, made.Service)
	}
	return nil
}
