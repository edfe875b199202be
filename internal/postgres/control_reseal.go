package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
)

// Each replaces a secret only if it is still the one that was read: who is not
// of us does not wait while we replace them.
const (
	resealSecret = `UPDATE tenants SET jwt_secret = $3 WHERE external_id = $1 AND jwt_secret = $2`

	resealSetting = `
UPDATE extensions SET settings = jsonb_set(settings, ARRAY[$4], to_jsonb($3::text))
WHERE tenant_external_id = $1 AND type = 'postgres_cdc_rls' AND settings ->> $4 = $2`
)

const selectSealed = `
SELECT jwt_secret, coalesce((SELECT settings::text FROM extensions
    WHERE tenant_external_id = external_id AND type = 'postgres_cdc_rls'), '{}')
FROM tenants WHERE external_id = $1`

// stampGCM looks again at what is there, since somebody may have written a
// secret of the legacy form in the meantime.
const stampGCM = `
UPDATE tenants SET gcm_migrated_at = date_trunc('second', now() AT TIME ZONE 'utc')
WHERE external_id = $1 AND gcm_migrated_at IS NULL
  AND (jwt_secret IS NULL OR jwt_secret LIKE 'g1:%')
  AND NOT EXISTS (
    SELECT FROM extensions, jsonb_each_text(settings) AS setting (name, value)
    WHERE tenant_external_id = $1 AND type = 'postgres_cdc_rls'
      AND setting.name = ANY ($2::text[]) AND setting.value NOT LIKE 'g1:%')`

const selectUnstamped = `SELECT external_id FROM tenants WHERE gcm_migrated_at IS NULL AND external_id IS NOT NULL ORDER BY external_id`

// ResealAll is Reseal for every tenant that is not stamped. It reports how many
// secrets it replaced, and goes on with the next tenant where one fails.
func (c *Control) ResealAll(ctx context.Context) (replaced int, err error) {
	asking, cancel := within(ctx, c.config.Timeout)
	defer cancel()
	rows, _ := c.pool.Query(asking, selectUnstamped) // its error is in rows as well
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, fmt.Errorf("find secrets to reseal: %w", failed(err))
	}
	var faults []error
	for _, id := range ids {
		n, err := c.Reseal(ctx, id)
		replaced += n
		if err != nil && !errors.Is(err, tutti.ErrNoTenant) {
			faults = append(faults, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return replaced, errors.Join(faults...)
}

// Reseal replaces the secrets of a tenant that are of the legacy form by such as
// Seal writes now, and stamps gcm_migrated_at when none of it is left. It
// reports how many it replaced. A secret that somebody else changes meanwhile
// stays as they wrote it. While Seal writes the legacy form there is nothing to
// do. The tenant that Find returns is the same before and after.
func (c *Control) Reseal(ctx context.Context, externalID string) (replaced int, err error) {
	probe, err := c.cipher.Seal("")
	if err != nil || c.cipher.Legacy(probe) {
		return 0, err
	}
	err = c.change(ctx, externalID, func(ctx context.Context, tx pgx.Tx) error {
		replaced, err = c.reseal(ctx, tx, externalID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, stampGCM, externalID, sealedSettings[:])
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, tutti.ErrNoTenant
	}
	if err != nil {
		return 0, fmt.Errorf("reseal tenant %s: %w", externalID, failed(err))
	}
	return replaced, nil
}

func (c *Control) reseal(ctx context.Context, tx pgx.Tx, externalID string) (replaced int, err error) {
	var secret *string
	var text string
	if err := tx.QueryRow(ctx, selectSealed, externalID).Scan(&secret, &text); err != nil {
		return 0, err
	}
	var settings map[string]any
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return 0, fmt.Errorf("read settings: %w", err)
	}
	swap := func(statement, old string, more ...any) error {
		if !c.cipher.Legacy(old) {
			return nil
		}
		opened, err := c.cipher.Open(old)
		if err != nil {
			return err
		}
		fresh, err := c.cipher.Seal(opened)
		if err != nil {
			return err
		}
		done, err := tx.Exec(ctx, statement, append([]any{externalID, old, fresh}, more...)...)
		replaced += int(done.RowsAffected())
		return err
	}
	if secret != nil {
		if err := swap(resealSecret, *secret); err != nil {
			return 0, fmt.Errorf("jwt_secret: %w", err)
		}
	}
	for _, name := range sealedSettings {
		if old, ok := settings[name].(string); ok {
			if err := swap(resealSetting, old, name); err != nil {
				return 0, fmt.Errorf("setting %s: %w", name, err)
			}
		}
	}
	return replaced, nil
}
