package postgres

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/secret"
)

// legacyLeft counts secrets of the legacy form, and stamped the tenants that
// are said to have none.
const (
	legacyLeft = `SELECT (SELECT count(*) FROM _realtime.tenants WHERE jwt_secret NOT LIKE 'g1:%') +
		(SELECT count(*) FROM _realtime.extensions, jsonb_each_text(settings) s (name, value) WHERE name LIKE 'db\_%' AND value NOT LIKE 'g1:%')`
	stamped = `SELECT coalesce(string_agg(external_id, ' ' ORDER BY external_id), '') FROM _realtime.tenants WHERE gcm_migrated_at IS NOT NULL`
)

func referenceWith(t *testing.T, keys secret.Config) *Control {
	t.Helper()
	c := open(t, place(t), keys)
	load(t, c.config, "testdata/reference_schema.sql")
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReseal(t *testing.T) {
	t.Parallel()
	c := referenceWith(t, gcm)
	before, err := c.Find(t.Context(), "legacy")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]int{"legacy": 6, "gcm": 0, "keys": 0} {
		if n, err := c.Reseal(t.Context(), id); err != nil || n != want {
			t.Errorf("%s: replaced %d, %v, want %d", id, n, err, want)
		}
	}
	if n := value[int](t, c.config, legacyLeft); n != 0 {
		t.Errorf("%d are left", n)
	}
	if ids := value[string](t, c.config, stamped); ids != "gcm keys legacy" {
		t.Errorf("stamped are %s", ids)
	}
	if after, err := c.Find(t.Context(), "legacy"); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("was %+v, is %+v, %v", before, after, err)
	}
	if n, err := c.Reseal(t.Context(), "legacy"); err != nil || n != 0 {
		t.Errorf("the second time: %d, %v", n, err)
	}
	if _, err := c.Reseal(t.Context(), "nobody"); !errors.Is(err, tutti.ErrNoTenant) {
		t.Error(err)
	}
}

func TestNothingIsResealedInTheLegacyForm(t *testing.T) {
	t.Parallel()
	c := referenceWith(t, secret.Config{Key: key16, KeyGCM: key32})
	if n, err := c.Reseal(t.Context(), "legacy"); err != nil || n != 0 {
		t.Errorf("replaced %d, %v", n, err)
	}
	if ids := value[string](t, c.config, stamped); ids != "" {
		t.Errorf("stamped are %s", ids)
	}
}

func TestASecretThatCannotBeOpenedStopsReseal(t *testing.T) {
	t.Parallel()
	c := referenceWith(t, gcm)
	psql(t, c.config, `UPDATE _realtime.extensions SET settings = settings || '{"db_user": "plain"}'`)
	before := value[int](t, c.config, legacyLeft)
	_, err := c.Reseal(t.Context(), "legacy")
	if err == nil || !strings.Contains(err.Error(), "reseal tenant legacy: setting db_user") {
		t.Error(err)
	}
	if after := value[int](t, c.config, legacyLeft); after != before {
		t.Errorf("%d were of the legacy form, %d are", before, after)
	}
	if ids := value[string](t, c.config, stamped); ids != "" {
		t.Errorf("stamped are %s", ids)
	}
}

// meddler is a Cipher that lets somebody write between our reading and writing.
type meddler struct {
	Cipher
	meddle func()
}

func (m *meddler) Open(sealed string) (string, error) {
	if m.meddle != nil {
		m.meddle()
		m.meddle = nil
	}
	return m.Cipher.Open(sealed)
}

func TestResealGivesWayToOthers(t *testing.T) {
	t.Parallel()
	c := referenceWith(t, gcm)
	theirs, err := secret.New(secret.Config{Key: key16})
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := theirs.Seal("another")
	c.cipher = &meddler{c.cipher, func() {
		psql(t, c.config, `UPDATE _realtime.extensions SET settings = settings || '{"db_name": "`+sealed+`"}' WHERE tenant_external_id = 'legacy';
			UPDATE _realtime.tenants SET jwt_secret = '`+sealed+`' WHERE external_id = 'legacy'`)
	}}
	if n, err := c.Reseal(t.Context(), "legacy"); err != nil || n != 4 {
		t.Errorf("replaced %d, %v", n, err)
	}
	if got, err := c.Find(t.Context(), "legacy"); err != nil || got.JWTSecret != "another" || got.Extensions[0].Settings["db_name"] != "another" {
		t.Errorf("%+v, %v", got, err)
	}
	if ids := value[string](t, c.config, stamped); ids != "" {
		t.Errorf("stamped are %s", ids)
	}
}

func TestPutSaysWhetherAllIsSealedWithGCM(t *testing.T) {
	t.Parallel()
	c := migrated(t)
	old := open(t, c.config, secret.Config{Key: key16, KeyGCM: key32})
	for _, step := range []struct {
		by   *Control
		want string
	}{{c, "acme"}, {old, ""}, {c, "acme"}} {
		if _, err := step.by.Put(t.Context(), acme()); err != nil {
			t.Fatal(err)
		}
		if ids := value[string](t, c.config, stamped); ids != step.want {
			t.Errorf("stamped are %q, want %q", ids, step.want)
		}
	}
}
