package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/api"
	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/database"
	"github.com/tutti-realtime/tutti/internal/tenant"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// openRegistry finds the place where tenants live: a control database, a file,
// or the ready-made tenant alone.
func (a *App) openRegistry() (err error) {
	c := &a.config
	switch {
	case c.DB.Host != "" && c.Tenants != "":
		return errors.New("tenants are either in a control database (DB_HOST) or in a file (TENANTS_FILE): unset one of the two")
	case c.DB.Host != "":
		a.control, a.cipher, err = c.DB.Open(c.AppName, c.Extensions)
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
		a.file, err = tenant.OpenFile(c.Tenants, os.Getenv, c.Defaults())
		if err != nil {
			return fmt.Errorf("read the tenants: %w", err)
		}
		a.file.Log = a.log
		a.registry = a.file
		if c.Cluster.Several() {
			a.registry = oneOfSeveral{a.file}
		}
	default:
		a.dev = a.readyMade()
		if a.dev.JWTSecret == "" {
			a.dev.JWTSecret = newSecret()
		}
		a.registry = tenant.Fixed{a.dev}
	}
	return nil
}

// oneOfSeveral is the tenants' file of a node of a cluster. Each has its own, so
// that one node must not change its alone.
type oneOfSeveral struct{ *tenant.File }

var errOneOfSeveral = &tenant.Conflict{Reason: "each node of this cluster has a tenants file of its own: " +
	"change them all, or keep the tenants in a control database (DB_HOST)"}

// Put implements tenant.Registry.
func (oneOfSeveral) Put(context.Context, *tutti.Tenant) (bool, error) { return false, errOneOfSeveral }

// Delete implements tenant.Registry.
func (oneOfSeveral) Delete(context.Context, string) (bool, error) { return false, errOneOfSeveral }

// readyMade returns the tenant that the configuration describes.
func (a *App) readyMade() *tutti.Tenant {
	t := a.config.Defaults().Tenant(a.config.DevTenant)
	t.JWTSecret, t.JWTJWKS = a.config.DevSecret, []byte(a.config.DevJWKS)
	for _, key := range slices.Sorted(maps.Keys(a.config.DevExtensions)) {
		settings, _ := a.config.DevExtensions[key].(map[string]any)
		t.Extensions = append(t.Extensions, tutti.TenantExtension{Type: key, Settings: settings})
	}
	return t
}

// management is what the tenants API needs.
func (a *App) management() *api.Management {
	m := &api.Management{
		Registry:    a.registry,
		Defaults:    a.config.Defaults(),
		Secrets:     given(a.config.DevSecret, a.config.API.NextSecret),
		Blocklist:   a.config.API.Blocklist,
		Reload:      a.tenantWide(callDismiss),
		Shutdown:    a.tenantWide(callRestart),
		Disconnect:  a.someClients(callExpel),
		Reauthorize: a.someClients(callReauthorize),
		Health:      a.health,
	}
	if a.cipher != nil {
		m.Sealer = a.cipher
	}
	return m
}

// health says how a tenant is. One that has clients wants its database read, if it
// has one.
func (a *App) health(ctx context.Context, t *tutti.Tenant) api.Health {
	users := a.meters.Of(t.ExternalID).ClusterUsers()
	_, wanted, _ := tenant.Database(t)
	live := a.feeds.Live(t.ExternalID)
	if wanted && !live { // nobody here reads it
		n, err := a.everywhere(ctx, callLive, &operation{Tenant: t.ExternalID})
		if err != nil {
			a.log.Warn("not all nodes said how a tenant is", "tenant", t.ExternalID, "err", err)
		}
		live = n > 0
	}
	self := a.bus.Members()[0]
	return api.Health{
		Healthy: users == 0 || !wanted || live, DBConnected: live, ReplicationConnected: live,
		ConnectedCluster: users, Region: self.Region, Node: self.ID,
	}
}

// A writeCheck asks the databases whether requests may write.
type writeCheck struct{ *database.Databases }

// CheckWrite implements api.WriteCheck.
func (w writeCheck) CheckWrite(ctx context.Context, t *tutti.Tenant, topic string, claims tutti.Claims, headers []byte) (bool, error) {
	p, err := w.Databases.CheckWrite(ctx, database.Question{Tenant: t, Topic: topic, Claims: claims, Headers: headers, Span: trace.Of(ctx)})
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
	a.extensions.TenantChanged(id, after)
	a.workshops.TenantChanged(id, after)
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
