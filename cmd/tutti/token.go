package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/postmaster"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

type tokenCommand struct {
	Tenant  string            `arg:"" optional:"" help:"Tenant in the file; not needed with --secret."`
	Tenants string            `help:"File that holds the tenants." env:"TENANTS_FILE" type:"path"`
	Secret  string            `help:"JWT secret to sign with, instead of a tenant's." env:"API_JWT_SECRET"`
	Dev     bool              `help:"Sign for the ready-made tenant of tutti dev."`
	Data    string            `help:"The folder of tutti dev." env:"TUTTI_DATA" type:"path"`
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
	case t.Dev:
		return t.devSecret()
	case t.Tenant == "" && t.Secret == "":
		return "", fmt.Errorf("name a tenant of the file given with --tenants, or give a --secret, or --dev for tutti dev")
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

// devSecret returns the secret that tutti dev has made.
func (t *tokenCommand) devSecret() (string, error) {
	folder := t.Data
	if folder == "" {
		var err error
		if folder, err = postmaster.DefaultDir(); err != nil {
			return "", err
		}
	}
	path := filepath.Join(folder, "keys.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no %s: start tutti dev once, or say with --data which folder it uses", path)
	}
	var keys devKeys
	if err == nil {
		err = json.Unmarshal(text, &keys)
	}
	if err != nil {
		return "", fmt.Errorf("read the keys of tutti dev: %w", err)
	}
	return keys.JWTSecret, nil
}
