package feed

import (
	"fmt"
	"slices"
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

// A crowd is found by what their rows have in common with them, and hears the
// same as if each were asked about.
func TestACrowdHearsItsOwnRows(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, guarded, "ALTER TABLE notes ADD COLUMN open boolean NOT NULL DEFAULT false")
	n := newNode(t, dsn, nil)
	const entry = `[{"event":"*","schema":"public","table":"notes"}]`
	const users = 3 * crowd
	ears := make([]*ear, users)
	user := func(i int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", i) }
	for i := range ears {
		ears[i] = n.subscribe(user(i), entry)
	}
	others := []*ear{n.subscribe("anon", entry), n.subscribe("service_role", entry)}
	for _, e := range append(others, ears...) {
		e.expect("ok: Subscribed to PostgreSQL")
	}
	round := func(name string) {
		for i := range users {
			psql(t, db, fmt.Sprintf("INSERT INTO notes VALUES ((SELECT count(*) FROM notes), '%s %d', '%s')", name, i, user(i)))
		}
	}
	hear := func(name string) {
		t.Helper()
		for i, e := range ears {
			if got := e.titles(1)[0]; got != fmt.Sprint(name, " ", i) {
				t.Fatalf("user %d heard %s in round %s", i, got, name)
			}
		}
	}
	round("first") // after which all are known
	hear("first")
	round("second")
	hear("second")

	n.Renew(ears[0].Subscriber, claimsOf(user(1)))
	ears[0].expect("ok: Subscribed to PostgreSQL")
	n.Unsubscribe(ears[1].Subscriber)
	psql(t, db, fmt.Sprintf("INSERT INTO notes VALUES (-1, 'another', '%s'), (-2, 'nobody', NULL)", user(1)))
	if got := ears[0].titles(1)[0]; got != "another" {
		t.Errorf("a renewed one heard %s", got)
	}

	psql(t, db, "ALTER POLICY own ON notes USING (open OR owner = auth.uid())",
		fmt.Sprintf("INSERT INTO notes VALUES (-3, 'open', NULL, true), (-4, 'shut', '%s', false)", user(2)),
		"INSERT INTO notes VALUES (-5, 'end', NULL, true)")
	for i, e := range ears {
		want := []string{"open", "end"}
		switch i {
		case 1:
			want = nil
		case 2:
			want = []string{"open", "shut", "end"}
		}
		if got := e.titles(len(want)); !slices.Equal(got, want) {
			t.Errorf("user %d heard %v", i, got)
		}
		e.silent()
	}
	others[0].silent()
	if got := others[1].titles(2*users + 5); got[len(got)-1] != "end" {
		t.Errorf("service_role heard %v", got)
	}
}
