package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
)

// putTenant writes a row. A row that is new has not been locked by anybody,
// which is how it is told from one that was there.
const putTenant = `
INSERT INTO tenants (
  id, external_id, name, jwt_secret, jwt_jwks,
  max_concurrent_users, max_events_per_second, max_joins_per_second, max_channels_per_client,
  max_bytes_per_second, max_presence_events_per_second, max_payload_size_in_kb,
  max_client_presence_events_per_window, client_presence_window_ms,
  presence_enabled, private_only, suspend, postgres_cdc_default, broadcast_adapter,
  feature_flags, gcm_migrated_at, inserted_at, updated_at
) VALUES (
  coalesce(nullif(@id, '')::uuid, gen_random_uuid()), @external_id, @name, nullif(@jwt_secret, ''), nullif(@jwt_jwks, '')::jsonb,
  @max_concurrent_users, @max_events_per_second, @max_joins_per_second, @max_channels_per_client,
  @max_bytes_per_second, @max_presence_events_per_second, @max_payload_size_in_kb,
  nullif(@presence_calls::integer, 0), nullif(@presence_window_ms::integer, 0),
  @presence_enabled, @private_only, @suspend, @postgres_cdc_default, @broadcast_adapter,
  @feature_flags::jsonb,
  CASE WHEN @all_gcm THEN date_trunc('second', now() AT TIME ZONE 'utc') END,
  coalesce(@inserted_at::timestamp, date_trunc('second', now() AT TIME ZONE 'utc')),
  coalesce(@updated_at::timestamp, date_trunc('second', now() AT TIME ZONE 'utc'))
)
ON CONFLICT (external_id) DO UPDATE SET
  name = excluded.name,
  jwt_secret = excluded.jwt_secret,
  jwt_jwks = excluded.jwt_jwks,
  max_concurrent_users = excluded.max_concurrent_users,
  max_events_per_second = excluded.max_events_per_second,
  max_joins_per_second = excluded.max_joins_per_second,
  max_channels_per_client = excluded.max_channels_per_client,
  max_bytes_per_second = excluded.max_bytes_per_second,
  max_presence_events_per_second = excluded.max_presence_events_per_second,
  max_payload_size_in_kb = excluded.max_payload_size_in_kb,
  max_client_presence_events_per_window = excluded.max_client_presence_events_per_window,
  client_presence_window_ms = excluded.client_presence_window_ms,
  presence_enabled = excluded.presence_enabled,
  private_only = excluded.private_only,
  suspend = excluded.suspend,
  postgres_cdc_default = excluded.postgres_cdc_default,
  broadcast_adapter = excluded.broadcast_adapter,
  feature_flags = excluded.feature_flags,
  gcm_migrated_at = excluded.gcm_migrated_at,
  updated_at = excluded.updated_at
RETURNING xmax = 0`

// lockTenant makes our processes write one tenant one after the other. The lock
// on its row would not do: there may be none, while it is deleted and created.
// The first number only keeps these locks apart from other ones.
const lockTenant = `SELECT pg_advisory_xact_lock(19830, hashtext($1))`

// deleteTenant deletes extensions as well, by their foreign key.
const deleteTenant = `DELETE FROM tenants WHERE external_id = $1`

// Put creates a tenant, or puts it in the place of the one with its external id,
// and reports whether it is new. Of the row that was there the id and
// inserted_at stay, and of its extensions those of the types that t has. Times
// and ids that t does not have are made up; times are stored to the second. The
// error is ErrNoSecret for a tenant without a secret and keys.
func (c *Control) Put(ctx context.Context, t *tutti.Tenant) (created bool, err error) {
	err = c.write(ctx, t, func(ctx context.Context, tx pgx.Tx, s *sealed) error {
		created, err = s.put(ctx, tx)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("put tenant %s: %w", t.ExternalID, err)
	}
	return created, nil
}

// Seed makes t what it is, as if it had been deleted and created: nothing stays
// of a tenant that was there. Nobody sees the moment between.
func (c *Control) Seed(ctx context.Context, t *tutti.Tenant) error {
	err := c.write(ctx, t, func(ctx context.Context, tx pgx.Tx, s *sealed) error {
		if _, err := tx.Exec(ctx, deleteTenant, t.ExternalID); err != nil {
			return err
		}
		_, err := s.put(ctx, tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("seed tenant %s: %w", t.ExternalID, err)
	}
	return nil
}

// Delete removes a tenant with its extensions, and reports whether there was one.
func (c *Control) Delete(ctx context.Context, externalID string) (existed bool, err error) {
	err = c.change(ctx, externalID, func(ctx context.Context, tx pgx.Tx) error {
		done, err := tx.Exec(ctx, deleteTenant, externalID)
		existed = done.RowsAffected() > 0
		if err != nil || !existed {
			return err
		}
		return tell(ctx, tx, externalID)
	})
	if err != nil {
		return false, fmt.Errorf("delete tenant %s: %w", externalID, failed(err))
	}
	return existed, nil
}

// change runs a transaction that has a tenant to itself.
func (c *Control) change(ctx context.Context, externalID string, run func(context.Context, pgx.Tx) error) error {
	ctx, cancel := within(ctx, c.config.Timeout)
	defer cancel()
	return pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockTenant, externalID); err != nil {
			return fmt.Errorf("wait for other writers: %w", err)
		}
		return run(ctx, tx)
	})
}

// write seals t, and runs a change that writes it and tells of it.
func (c *Control) write(ctx context.Context, t *tutti.Tenant, run func(context.Context, pgx.Tx, *sealed) error) error {
	s, err := c.seal(t)
	if err != nil {
		return err
	}
	err = c.change(ctx, t.ExternalID, func(ctx context.Context, tx pgx.Tx) error {
		if err := run(ctx, tx, s); err != nil {
			return err
		}
		return tell(ctx, tx, t.ExternalID)
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.ConstraintName == "jwt_secret_or_jwt_jwks_required" {
		return ErrNoSecret
	}
	return failed(err)
}

// A sealed is a tenant whose secrets may lie in the tables.
type sealed struct {
	columns    pgx.StrictNamedArgs
	externalID string
	extensions []parcel
}

// A sealer seals, and remembers in which form.
type sealer struct {
	cipher      Cipher
	gcm, legacy int
}

func (s *sealer) seal(text string) (string, error) {
	sealed, err := s.cipher.Seal(text)
	if s.cipher.Legacy(sealed) {
		s.legacy++
	} else {
		s.gcm++
	}
	return sealed, err
}

func (c *Control) seal(t *tutti.Tenant) (*sealed, error) {
	sealing := &sealer{cipher: c.cipher}
	var secret string
	var err error
	if t.JWTSecret != "" {
		if secret, err = sealing.seal(t.JWTSecret); err != nil {
			return nil, fmt.Errorf("seal jwt_secret: %w", err)
		}
	}
	extensions, err := c.pack(t.Extensions, sealing)
	if err != nil {
		return nil, err
	}
	columns, err := columnsOf(t)
	if err != nil {
		return nil, err
	}
	columns["jwt_secret"] = secret
	columns["all_gcm"] = sealing.gcm > 0 && sealing.legacy == 0
	return &sealed{columns: columns, externalID: t.ExternalID, extensions: extensions}, nil
}

// columnsOf returns the arguments of putTenant that need no sealing.
func columnsOf(t *tutti.Tenant) (pgx.StrictNamedArgs, error) {
	flags := []byte("{}")
	if len(t.FeatureFlags) > 0 {
		var err error
		if flags, err = json.Marshal(t.FeatureFlags); err != nil {
			return nil, fmt.Errorf("write feature_flags: %w", err)
		}
	}
	keys := string(bytes.TrimSpace(t.JWTJWKS))
	if keys == "null" {
		keys = ""
	}
	return pgx.StrictNamedArgs{
		"id": t.ID, "external_id": t.ExternalID, "name": t.Name, "jwt_jwks": keys,
		"max_concurrent_users":           t.MaxConcurrentUsers,
		"max_events_per_second":          t.MaxEventsPerSecond,
		"max_joins_per_second":           t.MaxJoinsPerSecond,
		"max_channels_per_client":        t.MaxChannelsPerClient,
		"max_bytes_per_second":           t.MaxBytesPerSecond,
		"max_presence_events_per_second": t.MaxPresenceEventsPerSecond,
		"max_payload_size_in_kb":         t.MaxPayloadSizeKB,
		"presence_calls":                 t.ClientPresenceMaxCalls,
		"presence_window_ms":             t.ClientPresenceWindow.Milliseconds(),
		"presence_enabled":               t.PresenceEnabled,
		"private_only":                   t.PrivateOnly,
		"suspend":                        t.Suspend,
		"postgres_cdc_default":           t.PostgresCDCDefault,
		"broadcast_adapter":              t.BroadcastAdapter,
		"feature_flags":                  string(flags),
		"inserted_at":                    second(t.InsertedAt),
		"updated_at":                     second(t.UpdatedAt),
	}, nil
}

func (s *sealed) put(ctx context.Context, tx pgx.Tx) (created bool, err error) {
	if err := tx.QueryRow(ctx, putTenant, s.columns).Scan(&created); err != nil {
		return false, err
	}
	return created, putExtensions(ctx, tx, s.externalID, s.extensions)
}

// second returns a time as it is stored, nil for one that is not known.
func second(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
