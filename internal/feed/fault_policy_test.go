package feed

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// A policy that fails hurts those for whom it does, who are told once.
func TestPoliciesThatFail(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy string
		hurt   []string // the others hear all
	}{
		"division by zero for one": {`1 / (CASE WHEN auth.uid() = '` + ann + `' THEN 0 ELSE id::int END) >= 0`, []string{ann}},
		"a claim that is no number for one": {`(CASE WHEN auth.uid() = '` + ann + `' THEN auth.jwt() ->> 'sub' ELSE '0' END)::int = 0`,
			[]string{ann}},
		"for all":            {`1 / (id - id) = 1`, []string{ann, bob}},
		"a function raises":  {`raises(auth.uid())`, []string{ann}},
		"too slow for one":   {`slow(auth.uid())`, []string{ann}},
		"a missing relation": {`EXISTS (SELECT FROM hidden)`, []string{ann, bob}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := postmastertest.Database(t)
			db := open(t, dsn)
			psql(t, db, table, `CREATE FUNCTION raises(who uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS
				$$ BEGIN IF who = '`+ann+`' THEN RAISE 'no'; END IF; RETURN true; END $$`,
				`CREATE FUNCTION slow(who uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS
				$$ BEGIN IF who = '`+ann+`' THEN PERFORM pg_sleep(60); END IF; RETURN true; END $$`,
				"CREATE TABLE hidden (id int); REVOKE ALL ON hidden FROM anon, authenticated",
				"ALTER TABLE notes ENABLE ROW LEVEL SECURITY", "CREATE POLICY bad ON notes FOR SELECT TO authenticated USING ("+tt.policy+")",
				"CREATE TABLE other (id int PRIMARY KEY); GRANT ALL ON other TO authenticated; ALTER PUBLICATION supabase_realtime ADD TABLE other")
			n := newNode(t, dsn, nil)
			all := map[string]*witness{}
			for _, who := range []string{ann, bob, "service_role"} {
				all[who] = n.witnessing(who, everything)
			}
			elsewhere := n.witnessing(ann, `[{"event":"*","schema":"public","table":"other"}]`)
			var want, rest []string
			begun := time.Now()
			for i := range 20 {
				psql(t, db, fmt.Sprintf("INSERT INTO notes VALUES (%d)", i+1), fmt.Sprintf("INSERT INTO other VALUES (%d)", i+1))
				want = append(want, fmt.Sprint("INSERT notes ", i+1), fmt.Sprint("INSERT other ", i+1))
				rest = append(rest, fmt.Sprint("INSERT other ", i+1))
				all["service_role"].reach(t, want[len(want)-1])
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("others waited for it: %v", took)
			}
			for who, w := range all {
				w.reach(t, "INSERT other 20")
				times, lines := 0, want
				if slices.Contains(tt.hurt, who) {
					times, lines = 1, rest
				}
				compare(t, who, w.heard(), lines)
				if told := w.told(); len(told) != 1+times || w.times("RlsPolicyError") != times {
					t.Errorf("%s was told %q", who, told)
				}
			}
			if told := elsewhere.told(); len(told) != 1 {
				t.Errorf("one of the same identity, who does not want the table, was told %q", told)
			}
			late := n.witnessing(tt.hurt[0], notesEntry)
			psql(t, db, "INSERT INTO notes VALUES (100)")
			until(t, "one who comes later is told, too", func() bool { return late.times("RlsPolicyError") == 1 })

			psql(t, db, "DROP POLICY bad ON notes; CREATE POLICY good ON notes FOR SELECT USING (true)")
			if name != "too slow for one" { // who waits for a while
				psql(t, db, "INSERT INTO notes VALUES (101)")
				all[tt.hurt[0]].reach(t, "INSERT notes 101")
			}
		})
	}
}

func TestARoleThatIsDropped(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	role := "member_" + db.Config().Database
	psql(t, db, table, "CREATE ROLE "+role, "GRANT SELECT ON notes TO "+role, "GRANT USAGE ON SCHEMA public TO "+role)
	n := newNode(t, dsn, nil)
	gone, anon := n.witnessing(role, notesEntry), n.witnessing("anon", notesEntry)
	psql(t, db, "INSERT INTO notes VALUES (1)")
	gone.reach(t, "INSERT notes 1")
	psql(t, db, "DROP OWNED BY "+role+"; DROP ROLE "+role, "INSERT INTO notes VALUES (2)")
	until(t, "told that the role is gone", func() bool { return gone.times("42704") == 1 })
	compare(t, "anon", anon.reach(t, "INSERT notes 2"), []string{"INSERT notes 1", "INSERT notes 2"})
	compare(t, "the role", gone.heard(), []string{"INSERT notes 1"})
	psql(t, db, "CREATE ROLE "+role, "GRANT SELECT ON notes TO "+role, "GRANT USAGE ON SCHEMA public TO "+role, "INSERT INTO notes VALUES (3)")
	gone.reach(t, "INSERT notes 3")
	psql(t, db, "DROP OWNED BY "+role+"; DROP ROLE "+role)
}

// Filters that fail at a row are refused when that can be known, and are their
// owner's trouble when it cannot.
func TestFiltersThatFail(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, `CREATE DOMAIN code AS text`, `CREATE TABLE notes (id bigint PRIMARY KEY, title text, word code, data json, tags text[]);
		GRANT ALL ON notes TO anon; ALTER PUBLICATION supabase_realtime ADD TABLE notes`)
	n := newNode(t, dsn, nil)
	entry := func(filter string) string {
		return fmt.Sprintf(`[{"event":"*","schema":"public","table":"notes","filter":%q}]`, filter)
	}
	anon := n.witnessing("anon", notesEntry)
	for _, filter := range []string{`title=like.x\`, `word=like.x\`, `data=eq.{}`, `tags=eq.{a`, `title=match.(`, `word=match.(`} {
		w := n.witness("anon", entry(filter))
		until(t, filter+" is refused", func() bool { return len(w.told()) > 0 })
		if !strings.HasPrefix(w.told()[0], refused) {
			t.Errorf("%s: told %q", filter, w.told())
		}
	}
	// Back references make PostgreSQL try all ways to split the text.
	bomb := n.witnessing("anon", entry(`word=match.^(a+)(a+)(a+)(a+)\1\2\3\4$`))
	tags := n.witnessing("anon", entry(`tags=eq.{a}`))
	psql(t, db, "INSERT INTO notes VALUES (1, 'a', repeat('a', 3001), '{}', '{a}')")
	for i := range 20 {
		psql(t, db, fmt.Sprintf("INSERT INTO notes VALUES (%d, 'a', repeat('a', 3001), '{}', '{a}')", i+2))
		anon.reach(t, fmt.Sprint("INSERT notes ", i+2))
	}
	if got := anon.heard(); len(got) != 21 {
		t.Errorf("anon heard %d", len(got))
	}
	if got := tags.reach(t, "INSERT notes 21"); len(got) != 21 {
		t.Errorf("one who asks the database heard %d", len(got))
	}
	if bomb.times("57014") != 1 || len(bomb.told()) != 2 {
		t.Errorf("the bomb's owner was told %q and heard %d", bomb.told(), len(bomb.heard()))
	}
}
