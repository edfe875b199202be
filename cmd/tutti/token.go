package main

import (
	"fmt"
	"os"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

type tokenCommand struct {
	Tenant  string            `arg:"" optional:"" help:"Tenant in the file; not needed with --secret."`
	Tenants string            `help:"File that holds the tenants." env:"TENANTS_FILE" type:"path"`
	Secret  string            `help:"JWT secret to sign with, instead of a tenant's." env:"API_JWT_SECRET"`
	Role    string            `help:"Claim role." default:"anon"`
	Sub     string            `help:"Claim sub: the user."`
	Expires time.Duration     `help:"How long the token is good." default:"1h"`
	Claim   map[string]string `help:"More claims, as name=text." placeholder:"NAME=TEXT"`
	JSON    bool              `help:"Print JSON."`
}

// Run mints a token and prints it.
func (t *tokenCommand) Run() error {
	secret, err := t.secret()
	if err != nil {
		return err
	}
	now := time.Now()
	claims := map[string]any{"role": t.Role, "iat": now.Unix(), "exp": now.Add(t.Expires).Unix()}
	if t.Sub != "" {
		claims["sub"] = t.Sub
	}
	for name, text := range t.Claim {
		claims[name] = text
	}
	token, err := auth.Mint(secret, claims)
	if err != nil {
		return fmt.Errorf("mint a token: %w", err)
	}
	if t.JSON {
		return printJSON(map[string]any{"token": token, "claims": claims})
	}
	fmt.Println(token)
	return nil
}

// secret finds what to sign with.
func (t *tokenCommand) secret() (string, error) {
	switch {
	case t.Tenant == "" && t.Secret == "":
		return "", fmt.Errorf("name a tenant of the file given with --tenants, or give a --secret")
	case t.Tenant == "" || t.Tenants == "":
		if t.Secret == "" {
			return "", fmt.Errorf("to sign for tenant %q, say in which file it is with --tenants or TENANTS_FILE", t.Tenant)
		}
		return t.Secret, nil
	}
	file, err := tenant.OpenFile(t.Tenants, os.Getenv, tenant.StandardDefaults())
	if err != nil {
		return "", fmt.Errorf("read the tenants: %w", err)
	}
	for _, known := range file.All() {
		if known.ExternalID != t.Tenant {
			continue
		}
		if known.JWTSecret == "" {
			return "", fmt.Errorf("tenant %q has public keys only, so its tokens come from whoever has the private ones", t.Tenant)
		}
		return known.JWTSecret, nil
	}
	return "", fmt.Errorf("there is no tenant %q in %s", t.Tenant, t.Tenants)
}
