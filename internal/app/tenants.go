package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/api"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/database"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// openRegistry finds the place where tenants live: a control database, a file,
// or the ready-made tenant alone.
func (a *App) openRegistry() (err error) {
	c := &a.config
	switch {
	case c.DB.Host != "" && c.Tenants != "":
		return errors.New("tenants are either in a control database (DB_HOST) or in a file (TENANTS_FILE): unset one of the two")
	case c.DB.Host != "":
		a.control, a.cipher, err = c.DB.Open(c.AppName)
		if err != nil {
			return fmt.Errorf("open the control database: %w", err)
		}
		a.control.Log = a.log
		a.registry = a.control
		if c.Seed {
			a.dev = a.selfHosted()
		}
		if c.DB.EncWriteGCM && !a.cipher.WritesGCM() {
			a.log.Warn("DB_ENC_WRITE_GCM is set without DB_ENC_KEY_GCM, so secrets are written in the old form")
		}
	case c.Tenants != "":
		a.file, err = tenant.OpenFile(c.Tenants, os.Getenv, c.Limits.Defaults())
		if err != nil {
			return fmt.Errorf("read the tenants: %w", err)
		}
		a.file.Log = a.log
		a.registry = a.file
	default:
		a.dev = a.readyMade()
		if a.dev.JWTSecret == "" {
			a.dev.JWTSecret = newSecret()
		}
		a.registry = tenant.Fixed{a.dev}
	}
	return nil
}

// readyMade returns the tenant that the configuration describes.
func (a *App) readyMade() *tutti.Tenant {
	t := a.config.Limits.Defaults().Tenant(a.config.DevTenant)
	t.JWTSecret, t.JWTJWKS = a.config.DevSecret, []byte(a.config.DevJWKS)
	return t
}

// management is what the tenants API needs.
func (a *App) management() *api.Management {
	m := &api.Management{
		Registry:  a.registry,
		Defaults:  a.config.Limits.Defaults(),
		Secrets:   given(a.config.DevSecret, a.config.API.NextSecret),
		Blocklist: a.config.API.Blocklist,
		Reload: func(_ context.Context, id string) error {
			a.sockets.Dismiss(id)
			return nil
		},
		Disconnect: func(ctx context.Context, id string, who api.Who) (int, error) {
			return a.sockets.Expel(ctx, id, channel.Who(who))
		},
		Reauthorize: func(ctx context.Context, id string, who api.Who) (int, error) {
			return a.sockets.Reauthorize(ctx, id, channel.Who(who))
		},
		Health: func(_ context.Context, t *tutti.Tenant) api.Health { return a.health(t) },
		Shutdown: func(_ context.Context, id string) error {
			a.feeds.Restart(id)
			return nil
		},
	}
	if a.cipher != nil {
		m.Sealer = a.cipher
	}
	return m
}

// health says how a tenant is. One that has clients wants its database read, if it
// has one.
func (a *App) health(t *tutti.Tenant) api.Health {
	users := a.meters.Of(t.ExternalID).Users()
	_, wanted, _ := tenant.Database(t)
	live := a.feeds.Live(t.ExternalID)
	return api.Health{
		Healthy: users == 0 || !wanted || live, DBConnected: live, ReplicationConnected: live,
		ConnectedCluster: users, Region: a.config.Region, Node: a.config.AppName,
	}
}

// A writeCheck asks the databases whether requests may write.
type writeCheck struct{ *database.Databases }

// CheckWrite implements api.WriteCheck.
func (w writeCheck) CheckWrite(ctx context.Context, t *tutti.Tenant, topic string, claims tutti.Claims, headers []byte) (bool, error) {
	p, err := w.Databases.CheckWrite(ctx, database.Question{Tenant: t, Topic: topic, Claims: claims, Headers: headers})
	return p.Broadcast, err
}

// given returns the texts that are not empty.
func given(texts ...string) []string {
	var all []string
	for _, text := range texts {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}

// defaultTenant is the tenant of hosts that name none. The ready-made one is,
// unless another was chosen.
func (a *App) defaultTenant() string {
	if a.config.DefaultTenant == "" && a.dev != nil {
		return a.dev.ExternalID
	}
	return a.config.DefaultTenant
}

// tenantChanged passes on that a tenant is not as it was.
func (a *App) tenantChanged(id string, before, after *tutti.Tenant) {
	a.feeds.TenantChanged(id, before, after)
	a.databases.TenantChanged(id, after)
	if tenant.Disconnects(before, after) {
		a.log.Info("tenant changed, its clients are disconnected", "tenant", id)
		a.sockets.Dismiss(id)
	}
}

// Keys returns tokens for the ready-made tenant, good for ten years: one for
// browsers and one for servers. There are none when tenants come from elsewhere.
func (a *App) Keys() (anon, service string, err error) {
	if a.dev == nil {
		return "", "", nil
	}
	if anon, err = a.mint("anon"); err != nil {
		return "", "", err
	}
	service, err = a.mint("service_role")
	return anon, service, err
}

func (a *App) mint(role string) (string, error) {
	token, err := auth.Mint(a.dev.JWTSecret, map[string]any{
		"role": role, "iss": "tutti", "iat": a.began.Unix(), "exp": a.began.AddDate(10, 0, 0).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("mint a key for %s: %w", role, err)
	}
	return token, nil
}

// Tenant returns the id of the ready-made tenant, "" when there is none.
func (a *App) Tenant() string {
	if a.dev == nil {
		return ""
	}
	return a.dev.ExternalID
}

// newSecret returns 256 random bits in hexadecimal.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
