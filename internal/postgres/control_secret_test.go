package postgres

import (
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
)

func TestSecretsOfExtensionsLieSealed(t *testing.T) {
	t.Parallel()
	config := placeWithTables(t)
	config.Extensions = []tutti.Extension{{Key: "band", Secrets: []string{"key", "count"}}}
	c := open(t, config, gcm)
	tenant := &tutti.Tenant{ExternalID: "acme", Name: "acme", JWTSecret: "0123456789abcdef", Extensions: []tutti.TenantExtension{
		{Type: "band", Settings: map[string]any{"key": "hush", "size": 3.0, "count": 4.0}},
		{Type: "choir", Settings: map[string]any{"key": "known"}},
	}}
	if _, err := c.Put(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	conn := stranger(t, config)
	defer conn.Close(t.Context())
	read := func(kind string) (lies string) {
		if err := conn.QueryRow(t.Context(), "SELECT settings ->> 'key' FROM _realtime.extensions WHERE type = $1", kind).Scan(&lies); err != nil {
			t.Fatal(err)
		}
		return lies
	}
	if lies := read("band"); !strings.HasPrefix(lies, sealedMark) || strings.Contains(lies, "hush") {
		t.Errorf("in the table lies %q", lies)
	}
	if lies := read("choir"); lies != "known" {
		t.Errorf("of an extension that is not the server's lies %q", lies)
	}
	found := func() map[string]any {
		got, err := c.Find(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range got.Extensions {
			if e.Type == "band" {
				return e.Settings
			}
		}
		return nil
	}
	if s := found(); s["key"] != "hush" || s["size"] != 3.0 || s["count"] != 4.0 {
		t.Errorf("it comes back as %v", s)
	}
	psql(t, config, `UPDATE _realtime.extensions SET settings = jsonb_set(settings, '{key}', '"older"') WHERE type = 'band'`)
	if s := found(); s["key"] != "older" {
		t.Errorf("what was written before it was a secret comes back as %v", s)
	}
}
