package postgres

import (
	"context"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
)

const selectFlags = `SELECT name, enabled, rollout_percentage, coalesce(bucket_key, '') FROM feature_flags`

// A Flag switches something on for some or all tenants (database.md §1.3).
type Flag struct {
	Name      string
	Enabled   bool
	Rollout   int    // percent of the tenants for which an enabled flag is on
	BucketKey string // flags of one key are on for the same tenants; "" is Name
}

// Flags are the flags of the server, by name.
type Flags map[string]Flag

// Flags reads the flags of the server.
func (c *Control) Flags(ctx context.Context) (Flags, error) {
	ctx, cancel := within(ctx, c.config.Timeout)
	defer cancel()
	// An error of Query is in rows as well.
	rows, _ := c.pool.Query(ctx, selectFlags)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Flag])
	if err != nil {
		return nil, fmt.Errorf("read flags: %w", failed(err))
	}
	flags := make(Flags, len(all))
	for _, f := range all {
		flags[f.Name] = f
	}
	return flags, nil
}

// On reports whether a flag is on for a tenant: one that does not exist never,
// otherwise as the tenant's own flags say, otherwise if it is enabled and the
// tenant is in its share. Which tenants are in a share is always the same, but
// not the same as in the reference, which asks the hash function of its language.
func (f Flags) On(name string, t *tutti.Tenant) bool {
	flag, ok := f[name]
	if !ok {
		return false
	}
	if on, ok := t.FeatureFlags[name]; ok {
		return on
	}
	return flag.Enabled && flag.bucket(t) < flag.Rollout
}

// bucket returns a number from 0 to 99 that a tenant always has.
func (f Flag) bucket(t *tutti.Tenant) int {
	key := f.BucketKey
	if key == "" {
		key = f.Name
	}
	h := fnv.New32a()
	h.Write([]byte(t.ExternalID + "\x00" + key))
	return int(h.Sum32() % 100)
}
