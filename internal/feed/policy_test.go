package feed

import (
	"testing"

	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

func TestCommonPoliciesAreJudgedInMemory(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, guarded, "CREATE TYPE mood AS ENUM ('sad', 'ok')", "ALTER TABLE notes ADD COLUMN mood mood, ADD COLUMN open boolean",
		"CREATE TABLE members (id uuid)", "GRANT SELECT ON members TO authenticated")
	settings, _, err := tenant.Database(tenantOf(t, dsn, nil))
	if err != nil {
		t.Fatal(err)
	}
	d, err := postgres.OpenDatabase(settings)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for using, want := range map[string]bool{
		"owner = auth.uid()":                   true,
		"(SELECT auth.uid()) = owner":          true,
		"true":                                 true,
		"auth.role() = 'authenticated'":        true,
		"open OR owner = auth.uid()":           true,
		"mood = 'ok'":                          true,
		"(auth.jwt() ->> 'sub')::uuid = owner": true,
		"EXISTS (SELECT FROM members WHERE members.id = auth.uid())":   false,
		"owner = auth.uid() AND now() > '2020-01-01'::timestamptz":     false,
		"owner IN (SELECT id FROM members) OR pg_sleep(0) IS NOT NULL": false,
	} {
		psql(t, db, "ALTER POLICY own ON notes USING ("+using+")")
		c, err := d.Catalog(t.Context(), settings.Publication, []string{"authenticated"})
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range c.Relations {
			if table.Name != "notes" {
				continue
			}
			rights := c.Roles["authenticated"].Privileges[table.OID]
			if got := (plans{}).read(nil, table, &rights) != nil; got != want {
				t.Errorf("%s: judged in memory: %v", using, got)
			}
		}
	}
}
