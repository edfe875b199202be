package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
)

// selectTenants reads tenants with their extensions. Where old rows have no
// value it is the default of the column.
const selectTenants = `
SELECT
  t.id::text,
  t.external_id,
  coalesce(t.name, ''),
  t.jwt_secret,
  CASE WHEN jsonb_typeof(t.jwt_jwks) <> 'null' THEN t.jwt_jwks::text END,
  t.max_concurrent_users,
  t.max_events_per_second,
  t.max_joins_per_second,
  t.max_channels_per_client,
  t.max_bytes_per_second,
  coalesce(t.max_presence_events_per_second, 1000),
  coalesce(t.max_payload_size_in_kb, 3000),
  greatest(t.max_client_presence_events_per_window, 0),
  greatest(t.client_presence_window_ms, 0),
  t.presence_enabled,
  t.private_only,
  coalesce(t.suspend, false),
  coalesce(t.postgres_cdc_default, 'postgres_cdc_rls'),
  coalesce(t.broadcast_adapter, 'gen_rpc'),
  t.feature_flags::text,
  t.inserted_at,
  t.updated_at,
  (SELECT coalesce(json_agg(json_build_object(
      'type', e.type, 'settings', e.settings, 'inserted_at', e.inserted_at, 'updated_at', e.updated_at
    ) ORDER BY e.type), '[]')::text
    FROM extensions e WHERE e.tenant_external_id = t.external_id)
FROM tenants t
`

const findTenant = selectTenants + `WHERE t.external_id = $1`

// Bytes decide the order, as in other stores, and not the language of the
// database.
const listTenants = selectTenants + `
WHERE t.external_id IS NOT NULL
  AND ($1::text = '' OR position(lower($1) IN lower(t.external_id)) > 0 OR position(lower($1) IN lower(coalesce(t.name, ''))) > 0)
  AND ($2::boolean IS NULL OR coalesce(t.suspend, false) = $2)
  AND ($3::text = '' OR t.external_id COLLATE "C" > $3)
ORDER BY t.external_id COLLATE "C"
LIMIT nullif($4::bigint, 0)`

// Find returns a tenant, its secrets opened. The error is tutti.ErrNoTenant when there
// is none, and tutti.ErrUnavailable when that cannot be said. It is one query.
func (c *Control) Find(ctx context.Context, externalID string) (*tutti.Tenant, error) {
	ctx, cancel := within(ctx, c.config.Timeout)
	defer cancel()
	r, err := scanTenant(c.pool.QueryRow(ctx, findTenant, externalID))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, tutti.ErrNoTenant
	}
	if err != nil {
		return nil, fmt.Errorf("find tenant %s: %w", externalID, failed(err))
	}
	return c.open(r)
}

// List returns tenants in the order of their external ids. One whose secrets
// cannot be opened is logged and left out, so that the others can be seen.
func (c *Control) List(ctx context.Context, q tutti.TenantQuery) (tutti.TenantPage, error) {
	asking, cancel := within(ctx, c.config.Timeout)
	defer cancel()
	limit := q.Limit
	if limit > 0 {
		limit++ // shows whether there is a next page
	}
	// An error of Query is in rows as well.
	rows, _ := c.pool.Query(asking, listTenants, q.Search, q.Suspended, q.After, limit)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*tenantRow, error) { return scanTenant(row) })
	if err != nil {
		return tutti.TenantPage{}, fmt.Errorf("list tenants: %w", failed(err))
	}
	var p tutti.TenantPage
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[:q.Limit]
		p.Next = all[q.Limit-1].tenant.ExternalID
	}
	for _, r := range all {
		t, err := c.open(r)
		if err != nil {
			c.log().ErrorContext(ctx, "tenant left out of the list", "tenant", r.tenant.ExternalID, "err", err)
			continue
		}
		p.Tenants = append(p.Tenants, t)
	}
	return p, nil
}

// A tenantRow is a tenant as it lies in the tables.
type tenantRow struct {
	tenant     *tutti.Tenant // without what follows
	secret     *string       // sealed
	extensions string        // JSON array, with sealed settings
}

func scanTenant(row pgx.Row) (*tenantRow, error) {
	t := &tutti.Tenant{}
	r := &tenantRow{tenant: t}
	var (
		keys            *string
		calls, windowMS *int
		flags           string
	)
	err := row.Scan(
		&t.ID, &t.ExternalID, &t.Name, &r.secret, &keys,
		&t.MaxConcurrentUsers, &t.MaxEventsPerSecond, &t.MaxJoinsPerSecond, &t.MaxChannelsPerClient,
		&t.MaxBytesPerSecond, &t.MaxPresenceEventsPerSecond, &t.MaxPayloadSizeKB,
		&calls, &windowMS,
		&t.PresenceEnabled, &t.PrivateOnly, &t.Suspend, &t.PostgresCDCDefault, &t.BroadcastAdapter,
		&flags, &t.InsertedAt, &t.UpdatedAt, &r.extensions,
	)
	if err != nil {
		return nil, err
	}
	if keys != nil {
		t.JWTJWKS = json.RawMessage(*keys)
	}
	if calls != nil {
		t.ClientPresenceMaxCalls = *calls
	}
	if windowMS != nil {
		t.ClientPresenceWindow = time.Duration(*windowMS) * time.Millisecond
	}
	t.FeatureFlags, err = readOverrides(flags)
	return r, err
}

// readOverrides reads a tenant's own flags; what is not true or false is none.
func readOverrides(text string) (map[string]bool, error) {
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("read feature_flags: %w", err)
	}
	var flags map[string]bool
	for name, value := range all {
		if on, ok := value.(bool); ok {
			if flags == nil {
				flags = map[string]bool{}
			}
			flags[name] = on
		}
	}
	return flags, nil
}

// open returns the tenant of a row, its secrets opened.
func (c *Control) open(r *tenantRow) (*tutti.Tenant, error) {
	t := r.tenant
	var err error
	if r.secret != nil {
		if t.JWTSecret, err = c.cipher.Open(*r.secret); err != nil {
			return nil, fmt.Errorf("jwt_secret of tenant %s: %w", t.ExternalID, err)
		}
	}
	if t.Extensions, err = c.readExtensions(r.extensions); err != nil {
		return nil, fmt.Errorf("tenant %s: %w", t.ExternalID, err)
	}
	return t, nil
}
