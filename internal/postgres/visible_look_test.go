package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
)

// rowsOwned is a table of which each row is one user's.
const rowsOwned = `
	CREATE TABLE t (id int PRIMARY KEY, owner uuid);
	INSERT INTO t SELECT n, ('00000000-0000-4000-8000-' || lpad((n % 100)::text, 12, '0'))::uuid FROM generate_series(0, 999) n;
	ALTER TABLE t ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON t FOR SELECT TO authenticated USING ((SELECT auth.uid()) = owner);
	CREATE PUBLICATION p FOR TABLE t;`

func rowsKeys(keys ...int) (all [][]string) {
	for _, k := range keys {
		all = append(all, []string{strconv.Itoa(k)})
	}
	return all
}

// rowsLook asks one look and wants it answered.
func rowsLook(t testing.TB, d *Database, l *Look) string {
	t.Helper()
	if err := d.Visible(t.Context(), []*Look{l}); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(l.Seen)
}

func TestEachSeesTheirOwn(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, rowsOwned)
	table := rowsTable(t, d, "t")
	var looks []*Look
	for i := range 2000 {
		keys := rowsKeys(i%100, (i+1)%100, 100+i%100, 5000, i%100)
		if i%2 == 0 {
			keys = keys[:1]
		}
		looks = append(looks, &Look{Viewer: rowsUser(i % 100), Table: table, Keys: keys})
	}
	looks = append(looks,
		&Look{Viewer: &Viewer{Role: "service_role"}, Table: table, Keys: rowsKeys(1, 2, 5000)},
		&Look{Viewer: &Viewer{Role: "anon"}, Table: table, Keys: rowsKeys(1, 2)},
		&Look{Viewer: rowsUser(1), Table: table})
	if err := d.Visible(t.Context(), looks); err != nil {
		t.Fatal(err)
	}
	for i, l := range looks {
		want := "[true]"
		switch {
		case i == 2000:
			want = "[true true false]"
		case i == 2001:
			want = "[false false]"
		case i == 2002:
			want = "[]"
		case i%2 == 1:
			want = "[true false true false true]"
		}
		if got := fmt.Sprint(l.Seen); got != want || l.Err != nil {
			t.Fatalf("look %d: %s, %v", i, got, l.Err)
		}
	}
}

func TestKeysOfAnyType(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, filterTypes, `CREATE SCHEMA other; CREATE TYPE other.kind AS ENUM ('Yes', 'No'); GRANT USAGE ON SCHEMA other TO anon;
		CREATE PUBLICATION p`)
	for name, tt := range map[string]struct {
		columns, values string
		others          []string
	}{
		"a uuid":           {"a uuid PRIMARY KEY", "'c0ffee00-0000-4000-8000-000000000000'", []string{"c0ffee00-0000-4000-8000-000000000001"}},
		"text":             {"a text PRIMARY KEY", `E'it''s "x", {y}\\\n$1'`, []string{"NULL"}},
		"nothing":          {"a text PRIMARY KEY", `''`, []string{"x"}},
		"a time":           {"a timestamptz PRIMARY KEY", "'2026-01-01 00:00:00.123456+02'", []string{"2026-01-01"}},
		"an enum":          {"a mood PRIMARY KEY", "'ok'", []string{"sad"}},
		"a domain":         {"a small PRIMARY KEY", "5", []string{"6"}},
		"a padded text":    {"a char(5) PRIMARY KEY", "'abc'", []string{"a"}},
		"bits":             {"a bit(3) PRIMARY KEY", "'101'", []string{"100"}},
		"an array":         {"a int[] PRIMARY KEY", "'{1,2}'", []string{"{1}"}},
		"a record":         {"a pair PRIMARY KEY", "(1,2)", []string{"(1,3)"}},
		"bytes":            {"a bytea PRIMARY KEY", `'\x0001'`, []string{`\x00`}},
		"a number":         {"a numeric PRIMARY KEY", "1.50", []string{"1.51"}},
		"odd names":        {`"Odd ""name" int PRIMARY KEY`, "1", []string{"2"}},
		"two columns":      {"x text, b int, a text, PRIMARY KEY (a, b)", "'x', 1, 'a'", []string{"1", "b"}},
		"five columns":     {"a int, b text, c uuid, d date, e bool, PRIMARY KEY (e, d, c, b, a)", "1, 'b', 'c0ffee00-0000-4000-8000-000000000000', '2026-01-01', true", []string{"1", "b", "c0ffee00-0000-4000-8000-000000000000", "2026-01-01", "f"}},
		"a name reserved":  {`"select" int PRIMARY KEY`, "1", []string{"2"}},
		"a foreign schema": {"a other.kind PRIMARY KEY", "'Yes'", []string{"No"}},
	} {
		t.Run(name, func(t *testing.T) {
			rowsExec(t, d, `CREATE TABLE "The ""table" (`+tt.columns+`)`, `INSERT INTO "The ""table" VALUES (`+tt.values+`)`,
				`ALTER TABLE "The ""table" ENABLE ROW LEVEL SECURITY`, `CREATE POLICY everybody ON "The ""table" USING (true)`,
				`ALTER PUBLICATION p ADD TABLE "The ""table"`)
			defer rowsExec(t, d, `DROP TABLE "The ""table"`)
			table := rowsTable(t, d, `The "table`)
			var key []string
			for _, c := range table.Columns {
				if c.Primary {
					var text string
					q := `SELECT ` + pgx.Identifier{c.Name}.Sanitize() + `::text FROM "The ""table"`
					if err := d.rows.QueryRow(t.Context(), q).Scan(&text); err != nil {
						t.Fatal(err)
					}
					key = append(key, text)
				}
			}
			for want, keys := range map[string][][]string{
				"[true]": {key}, "[false]": {tt.others}, "[false true false]": {tt.others, key, tt.others},
			} {
				l := &Look{Viewer: &Viewer{Role: "anon"}, Table: table, Keys: keys}
				if got := rowsLook(t, d, l); got != want || l.Err != nil {
					t.Errorf("%q: got %s, %v, want %s", keys, got, l.Err, want)
				}
			}
		})
	}
}

func TestPartitionsAndInheritance(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, `
		CREATE TABLE root (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
		CREATE TABLE leaf PARTITION OF root FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
		INSERT INTO root VALUES (1, '2026-05-05');
		CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
		INSERT INTO child VALUES (7);
		CREATE PUBLICATION p FOR TABLE root, parent WITH (publish_via_partition_root)`)
	for name, tt := range map[string]struct {
		table, want string
		key         []string
	}{
		"a partition's row is the root's":   {"root", "[true]", []string{"1", "2026-05-05"}},
		"a child's row is not its parent's": {"parent", "[false]", []string{"7"}},
		"but its own":                       {"child", "[true]", []string{"7"}},
	} {
		l := &Look{Viewer: &Viewer{Role: "anon"}, Table: rowsTable(t, d, tt.table), Keys: [][]string{tt.key}}
		if got := rowsLook(t, d, l); got != tt.want || l.Err != nil {
			t.Errorf("%s: %s, %v", name, got, l.Err)
		}
	}
}

func TestTheRulesOfOtherTables(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, rowsOwned, `
		CREATE TABLE members (room int, who uuid); INSERT INTO members VALUES (1, '`+rowsUID(1)+`'), (2, '`+rowsUID(2)+`');
		CREATE TABLE notes (id int PRIMARY KEY, room int); INSERT INTO notes VALUES (10, 1), (20, 2);
		ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
		CREATE POLICY room ON notes FOR SELECT USING (EXISTS (SELECT FROM members m WHERE m.room = notes.room AND m.who = auth.uid()));
		ALTER PUBLICATION p ADD TABLE notes`)
	l := &Look{Viewer: rowsUser(2), Table: rowsTable(t, d, "notes"), Keys: rowsKeys(10, 20)}
	if got := rowsLook(t, d, l); got != "[false true]" {
		t.Error(got, l.Err)
	}
	rowsExec(t, d, `DELETE FROM members`)
	if got := rowsLook(t, d, l); got != "[false false]" {
		t.Error(got, l.Err)
	}
}

func TestNothingIsLeftOfALook(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, rowsOwned)
	l := &Look{Viewer: rowsUser(1), Table: rowsTable(t, d, "t"), Keys: rowsKeys(1)}
	if got := rowsLook(t, d, l); got != "[true]" {
		t.Fatal(got, l.Err)
	}
	for range 2 * rowConnections {
		var role, claims, user string
		const q = `SELECT current_setting('role'), coalesce(current_setting('request.jwt.claims', true), ''), current_user`
		if err := d.rows.QueryRow(t.Context(), q).Scan(&role, &claims, &user); err != nil {
			t.Fatal(err)
		}
		if role != "none" || claims != "" || user != d.settings.User {
			t.Errorf("role %s, claims %s, user %s", role, claims, user)
		}
	}
	// Who brings no claims, has none: not those of the one before.
	l.Viewer = &Viewer{Role: "authenticated"}
	if got := rowsLook(t, d, l); got != "[false]" {
		t.Error(got)
	}
}

func TestGivingUp(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, rowsOwned, `CREATE POLICY slow ON t USING (pg_sleep(60) IS NULL)`)
	ctx, cancel := context.WithCancel(t.Context())
	l := &Look{Viewer: rowsUser(1), Table: rowsTable(t, d, "t"), Keys: rowsKeys(2)}
	time.AfterFunc(100*time.Millisecond, cancel)
	if err := d.Visible(ctx, []*Look{l}); !errors.Is(err, context.Canceled) || errors.Is(err, tutti.ErrUnavailable) {
		t.Error(err)
	}
	if err := d.Visible(ctx, []*Look{l}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
