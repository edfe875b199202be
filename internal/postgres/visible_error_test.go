package postgres

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

func TestErrorsAreOfOneLookAlone(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, rowsOwned, `
		CREATE TABLE closed (id int PRIMARY KEY); INSERT INTO closed VALUES (1); REVOKE ALL ON closed FROM anon, authenticated;
		CREATE SCHEMA hidden; CREATE TABLE hidden.h (id int PRIMARY KEY); INSERT INTO hidden.h VALUES (1); GRANT SELECT ON hidden.h TO anon, service_role;
		GRANT USAGE ON SCHEMA hidden TO service_role;
		CREATE TABLE keyless (id int);
		ALTER PUBLICATION p ADD TABLE closed, hidden.h, keyless`)
	tables := map[string]*Relation{}
	for _, r := range rowsCatalog(t, d).Relations {
		tables[r.Name] = r
	}
	broken := rowsUser(1)
	broken.Claims = []byte("{")
	rows := tables["t"]
	for name, tt := range map[string]struct {
		look  Look
		state string
	}{
		"claims that policies cannot read": {Look{Viewer: broken, Table: rows, Keys: rowsKeys(1, 101)}, "22P02"},
		"a role that does not exist":       {Look{Viewer: &Viewer{Role: "nobody"}, Table: rows, Keys: rowsKeys(1)}, "22023"},
		"a role that means the login":      {Look{Viewer: &Viewer{Role: "none"}, Table: rows, Keys: rowsKeys(1)}, "22023"},
		"no role":                          {Look{Viewer: &Viewer{}, Table: rows, Keys: rowsKeys(1)}, "22023"},
		"a role with a NUL":                {Look{Viewer: &Viewer{Role: "anon\x00"}, Table: rows, Keys: rowsKeys(1)}, "22021"},
		"no grant":                         {Look{Viewer: &Viewer{Role: "anon"}, Table: tables["closed"], Keys: rowsKeys(1)}, "42501"},
		"no grant for the schema":          {Look{Viewer: &Viewer{Role: "anon"}, Table: tables["h"], Keys: rowsKeys(1)}, "42501"},
		"no key":                           {Look{Viewer: rowsUser(1), Table: tables["keyless"], Keys: rowsKeys(1)}, ""},
		"a key of too many columns":        {Look{Viewer: rowsUser(1), Table: rows, Keys: [][]string{{"1", "2"}}}, ""},
		"a key that is none":               {Look{Viewer: rowsUser(1), Table: rows, Keys: [][]string{{"one"}}}, "22P02"},
		"a key among others that is none":  {Look{Viewer: rowsUser(1), Table: rows, Keys: [][]string{{"one"}, {"1"}}}, "22P02"},
	} {
		t.Run(name, func(t *testing.T) {
			looks := []*Look{
				{Viewer: rowsUser(1), Table: rows, Keys: rowsKeys(1)}, &tt.look, {Viewer: rowsUser(2), Table: rows, Keys: rowsKeys(1, 2)},
				{Viewer: &Viewer{Role: "service_role"}, Table: tables["h"], Keys: rowsKeys(1)},
			}
			for range 2 { // the second time, statements are prepared
				if err := d.Visible(t.Context(), looks); err != nil {
					t.Fatal(err)
				}
				if l := looks[1]; l.Err == nil || stateOf(l.Err) != tt.state || len(l.Seen) != len(l.Keys) || l.Seen[0] {
					t.Errorf("%v, %v", l.Seen, l.Err)
				}
				for i, want := range map[int]string{0: "[true]", 2: "[false true]", 3: "[true]"} {
					if got := fmt.Sprint(looks[i].Seen); got != want || looks[i].Err != nil {
						t.Errorf("look %d: %s, %v", i, got, looks[i].Err)
					}
				}
			}
		})
	}
}

func TestAPolicyThatSleeps(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, rowsOwned, `
		CREATE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN true; END $$;
		CREATE TABLE sleepy (id int PRIMARY KEY); INSERT INTO sleepy VALUES (1);
		ALTER TABLE sleepy ENABLE ROW LEVEL SECURITY; CREATE POLICY slow ON sleepy USING (slow());
		ALTER PUBLICATION p ADD TABLE sleepy`)
	d.rowLimit = 200 * time.Millisecond
	sleepy, rows := rowsTable(t, d, "sleepy"), rowsTable(t, d, "t")
	var looks []*Look
	for i := range 300 {
		looks = append(looks, &Look{Viewer: rowsUser(1), Table: rows, Keys: rowsKeys(1, i)})
		if i%3 == 0 {
			looks[i].Table = sleepy
		}
	}
	start := time.Now()
	if err := d.Visible(t.Context(), looks); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	for i, l := range looks {
		if i%3 == 0 {
			if stateOf(l.Err) != "57014" || l.Seen[0] {
				t.Fatalf("look %d: %v, %v", i, l.Seen, l.Err)
			}
		} else if l.Err != nil || !l.Seen[0] {
			t.Fatalf("look %d: %v, %v", i, l.Seen, l.Err)
		}
	}
}

func TestATableThatIsNotWhatItWas(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, `CREATE PUBLICATION p`)
	n := 0
	for name, tt := range map[string]struct {
		change string // in a schema of its own
		is     error
		state  string
	}{
		"dropped":                 {"DROP TABLE t", ErrStale, ""},
		"renamed":                 {"ALTER TABLE t RENAME TO u", ErrStale, ""},
		"moved":                   {"CREATE SCHEMA x$; ALTER TABLE t SET SCHEMA x$", ErrStale, ""},
		"replaced":                {"ALTER TABLE t RENAME TO u; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)", ErrStale, ""},
		"its key renamed":         {"ALTER TABLE t RENAME id TO key", ErrStale, "42703"},
		"its key dropped":         {"ALTER TABLE t DROP id", ErrStale, "42703"},
		"its key larger":          {"ALTER TABLE t ALTER id TYPE int8", nil, ""},
		"its key of another kind": {"ALTER TABLE t ALTER id TYPE text", ErrStale, "42883"},
		"closed":                  {"REVOKE ALL ON t FROM authenticated", nil, "42501"},
		"its schema closed":       {"REVOKE USAGE ON SCHEMA s$ FROM authenticated", nil, "42501"},
		"without rules":           {"ALTER TABLE t DISABLE ROW LEVEL SECURITY", nil, ""},
	} {
		for when, first := range map[string]bool{"after it was looked at": true, "before": false} {
			n++
			in := strings.NewReplacer("$", strconv.Itoa(n))
			t.Run(name+" "+when, func(t *testing.T) {
				rowsExec(t, d, in.Replace(`CREATE SCHEMA s$; GRANT USAGE ON SCHEMA s$ TO authenticated; SET search_path = s$;
					CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t VALUES (1); GRANT SELECT ON t TO authenticated;
					ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_it ON t USING (true); ALTER PUBLICATION p ADD TABLE t`))
				var table *Relation
				for _, r := range rowsCatalog(t, d).Relations {
					if r.Schema == in.Replace("s$") {
						table = r
					}
				}
				one := &Look{Viewer: rowsUser(1), Table: table, Keys: rowsKeys(1)}
				two := &Look{Viewer: rowsUser(1), Table: table, Keys: rowsKeys(1, 2)}
				if first && rowsLook(t, d, one)+rowsLook(t, d, two) != "[true][true false]" {
					t.Fatal(one.Err, two.Err)
				}
				rowsExec(t, d, in.Replace("SET search_path = s$;"+tt.change))
				for _, l := range []*Look{one, two} {
					rowsLook(t, d, l)
					wrong := tt.is != nil || tt.state != ""
					if l.Seen[0] == wrong || tt.is != nil && !errors.Is(l.Err, tt.is) || tt.state != "" && stateOf(l.Err) != tt.state {
						t.Errorf("%v, %v", l.Seen, l.Err)
					}
				}
			})
		}
	}
}

func TestAConnectionThatIsKilled(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, rowsOwned, `
		CREATE TABLE fatal (id int PRIMARY KEY); INSERT INTO fatal VALUES (1); ALTER TABLE fatal ENABLE ROW LEVEL SECURITY;
		CREATE FUNCTION die() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS $$ SELECT pg_terminate_backend(pg_backend_pid()) $$;
		CREATE POLICY die ON fatal USING (die()); ALTER PUBLICATION p ADD TABLE fatal`)
	rows, fatal := rowsTable(t, d, "t"), rowsTable(t, d, "fatal")
	var looks []*Look
	for range 500 {
		looks = append(looks, &Look{Viewer: rowsUser(1), Table: rows, Keys: rowsKeys(1)})
	}
	looks[300].Table = fatal
	if err := d.Visible(t.Context(), looks); !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("killed: %v", err)
	}
	looks[300].Table = rows
	if err := d.Visible(t.Context(), looks); err != nil || !looks[300].Seen[0] {
		t.Errorf("afterwards: %v", err)
	}
}

func TestManyStatements(t *testing.T) {
	t.Parallel()
	d := rowsDatabase(t, `CREATE PUBLICATION p FOR ALL TABLES; DO $$ BEGIN FOR i IN 1..600 LOOP
		EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', i); EXECUTE format('INSERT INTO t%s VALUES (%s)', i, i); END LOOP; END $$`)
	c := rowsCatalog(t, d)
	for range 2 {
		var looks []*Look
		for _, r := range c.Relations {
			var n int
			if _, err := fmt.Sscanf(r.Name, "t%d", &n); err == nil {
				looks = append(looks, &Look{Viewer: rowsUser(1), Table: r, Keys: rowsKeys(n)})
			}
		}
		if err := d.Visible(t.Context(), looks); err != nil {
			t.Fatal(err)
		}
		for _, l := range looks {
			if l.Err != nil || !l.Seen[0] {
				t.Fatalf("%s: %v, %v", l.Table.Name, l.Seen, l.Err)
			}
		}
	}
	for range 2 * rowConnections {
		var n int
		if err := d.rows.QueryRow(t.Context(), `SELECT count(*) FROM pg_prepared_statements`).Scan(&n); err != nil || n > mostStatements+50 {
			t.Errorf("%d statements are prepared, %v", n, err)
		}
	}
}
