package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
)

// databaseExtension is the type of the extension whose settings are a tenant's
// database, and sealed are those of them that are secrets (database.md §1.2).
const databaseExtension = "postgres_cdc_rls"

var sealedSettings = [...]string{"db_host", "db_port", "db_name", "db_user", "db_password"}

// jsonTime is how PostgreSQL writes a timestamp without a zone into JSON.
const jsonTime = "2006-01-02T15:04:05"

// An extensionRow is an extension as it lies in the table.
type extensionRow struct {
	Type       string         `json:"type"`
	Settings   map[string]any `json:"settings"`
	InsertedAt string         `json:"inserted_at"`
	UpdatedAt  string         `json:"updated_at"`
}

// readExtensions reads extensions that the database wrote, and opens secrets.
func (c *Control) readExtensions(text string) ([]tutti.TenantExtension, error) {
	var rows []extensionRow
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		return nil, fmt.Errorf("read extensions: %w", err)
	}
	var all []tutti.TenantExtension
	for _, r := range rows {
		e := tutti.TenantExtension{Type: r.Type, Settings: r.Settings}
		var err error
		if e.InsertedAt, err = time.Parse(jsonTime, r.InsertedAt); err != nil {
			return nil, fmt.Errorf("read inserted_at of extension %s: %w", r.Type, err)
		}
		if e.UpdatedAt, err = time.Parse(jsonTime, r.UpdatedAt); err != nil {
			return nil, fmt.Errorf("read updated_at of extension %s: %w", r.Type, err)
		}
		if err := c.recode(e, c.cipher.Open, false); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// sealedMark begins a secret of an extension that is sealed. One without it was
// written before it was said to be a secret.
const sealedMark = "sealed:"

// recode puts in place of each secret in the settings what code, which seals or
// opens, makes of it.
func (c *Control) recode(e tutti.TenantExtension, code func(string) (string, error), seals bool) error {
	if e.Type != databaseExtension {
		return c.recodeOthers(e, code, seals)
	}
	for _, name := range sealedSettings {
		text, ok := e.Settings[name].(string)
		if !ok {
			continue
		}
		coded, err := code(text)
		if err != nil {
			return fmt.Errorf("%s of extension %s: %w", name, e.Type, err)
		}
		e.Settings[name] = coded
	}
	return nil
}

// recodeOthers is recode for the extensions of the server.
func (c *Control) recodeOthers(e tutti.TenantExtension, code func(string) (string, error), seals bool) error {
	i := slices.IndexFunc(c.config.Extensions, func(x tutti.Extension) bool { return x.Key == e.Type })
	if i < 0 {
		return nil
	}
	for _, name := range c.config.Extensions[i].Secrets {
		text, ok := e.Settings[name].(string)
		closed, isClosed := strings.CutPrefix(text, sealedMark)
		switch {
		case !ok || !seals && !isClosed:
			continue
		case !seals:
			text = closed
		}
		coded, err := code(text)
		if err != nil {
			return fmt.Errorf("%s of extension %s: %w", name, e.Type, err)
		}
		if seals {
			coded = sealedMark + coded
		}
		e.Settings[name] = coded
	}
	return nil
}

const dropExtensions = `
DELETE FROM extensions WHERE tenant_external_id = $1 AND (type IS NULL OR type <> ALL ($2::text[]))`

const putExtension = `
INSERT INTO extensions (id, type, settings, tenant_external_id, inserted_at, updated_at)
VALUES (gen_random_uuid(), $1, $2::jsonb, $3,
  coalesce($4::timestamp, date_trunc('second', now() AT TIME ZONE 'utc')),
  coalesce($5::timestamp, date_trunc('second', now() AT TIME ZONE 'utc')))
ON CONFLICT (tenant_external_id, type) DO UPDATE SET settings = excluded.settings, updated_at = excluded.updated_at`

// A parcel is an extension, ready to be written.
type parcel struct {
	extension tutti.TenantExtension
	settings  string // JSON, secrets sealed
}

// pack seals the secrets of extensions. Sealing counts in s.
func (c *Control) pack(extensions []tutti.TenantExtension, s *sealer) ([]parcel, error) {
	var all []parcel
	for _, e := range extensions {
		e.Settings = maps.Clone(e.Settings)
		if e.Settings == nil {
			e.Settings = map[string]any{}
		}
		if err := c.recode(e, s.seal, true); err != nil {
			return nil, err
		}
		settings, err := json.Marshal(e.Settings)
		if err != nil {
			return nil, fmt.Errorf("write settings of extension %s: %w", e.Type, err)
		}
		all = append(all, parcel{extension: e, settings: string(settings)})
	}
	return all, nil
}

// putExtensions makes parcels the extensions of a tenant, and keeps no others.
func putExtensions(ctx context.Context, tx pgx.Tx, externalID string, parcels []parcel) error {
	types := []string{}
	for _, p := range parcels {
		types = append(types, p.extension.Type)
	}
	if _, err := tx.Exec(ctx, dropExtensions, externalID, types); err != nil {
		return fmt.Errorf("drop extensions: %w", err)
	}
	for _, p := range parcels {
		_, err := tx.Exec(ctx, putExtension, p.extension.Type, p.settings, externalID,
			second(p.extension.InsertedAt), second(p.extension.UpdatedAt))
		if err != nil {
			return fmt.Errorf("put extension %s: %w", p.extension.Type, err)
		}
	}
	return nil
}
