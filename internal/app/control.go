package app

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// prepareControl brings the tables of the control database up to date and seeds
// the ready-made tenant. A database that is not there yet is waited for: the
// node serves meanwhile, and says of every tenant that it cannot tell.
func (a *App) prepareControl(ctx context.Context) error {
	const first, longest = 250 * time.Millisecond, 5 * time.Second
	for wait := first; ; wait = min(2*wait, longest) {
		err := a.migrateAndSeed(ctx)
		if err == nil {
			close(a.ready)
		}
		if err == nil || !errors.Is(err, tutti.ErrUnavailable) {
			return err
		}
		a.log.Warn("control database is not there yet", "err", err, "again_in", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (a *App) migrateAndSeed(ctx context.Context) error {
	if err := a.control.Migrate(ctx); err != nil {
		return err
	}
	if !a.config.Seed {
		return nil
	}
	if err := a.control.Seed(ctx, a.dev); err != nil {
		return err
	}
	a.log.Info("tenant was made anew", "tenant", a.dev.ExternalID)
	return a.directory.Refresh(ctx, a.dev.ExternalID)
}

// selfHosted is the tenant of a self-hosted stack, whose database is the one
// that the control tables are in.
func (a *App) selfHosted() *tutti.Tenant {
	t := a.readyMade()
	if t.JWTSecret == "" && len(t.JWTJWKS) == 0 {
		t.JWTSecret = standardSecret
		a.log.Warn("API_JWT_SECRET is not set, so the ready-made tenant has a secret that everybody knows", "tenant", t.ExternalID)
	}
	t.Extensions = append(t.Extensions, tenant.CompleteExtension(tutti.TenantExtension{
		Type: tenant.DatabaseExtension,
		Settings: map[string]any{
			"db_host": a.config.DB.Host, "db_port": strconv.Itoa(int(a.config.DB.Port)), "db_name": a.config.DB.Name,
			"db_user": a.config.DB.User, "db_password": a.config.DB.Password,
			"region": "us-east-1", "ssl_enforced": false,
		},
	}))
	return t
}

// standardSecret is the reference's when API_JWT_SECRET is not set.
const standardSecret = "super-secret-jwt-token-with-at-least-32-characters-long"

// resealSecrets writes secrets of the old form in the new one, once, where that
// is wished. What fails is tried again at the next start; the old form is read
// as well as the new.
func (a *App) resealSecrets(ctx context.Context) error {
	select {
	case <-a.ready:
	case <-ctx.Done():
		return nil
	}
	replaced, err := a.control.ResealAll(ctx)
	if replaced > 0 {
		a.log.Info("secrets were encrypted anew", "secrets", replaced)
	}
	if err != nil && ctx.Err() == nil {
		a.log.Error("secrets could not be encrypted anew", "code", "EncryptionReconcileFailed", "err", err)
	}
	return nil
}

// watchControl tells the directory what changes in the control database.
func (a *App) watchControl(ctx context.Context) error {
	if err := a.prepareControl(ctx); err != nil {
		return err
	}
	return a.control.Listen(ctx, func(ids []string) {
		if ids == nil {
			ids = a.directory.Known()
		}
		if err := a.directory.Refresh(ctx, ids...); err != nil && ctx.Err() == nil {
			a.log.Error("tenants could not be refreshed", "err", err)
		}
	})
}
