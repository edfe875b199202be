package feed

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// A scene is something that is done to the table papers, and what a subscriber
// hears of it then: told is what he is told first, hears the record of the next
// change, with the errors behind it; "" is nothing at all.
type scene struct {
	do    []string
	told  string
	hears string
}

const (
	refused   = "error: Unable to subscribe to changes with given parameters."
	admission = "ok: " + subscribed
	anything  = "*" // that he is told
	papers    = `CREATE TABLE papers (id int PRIMARY KEY, title text, owner uuid);
		GRANT ALL ON papers TO anon, authenticated, service_role;
		ALTER PUBLICATION supabase_realtime ADD TABLE papers`
	// bystanders is a table in which something happens all the time.
	bystanders = `CREATE SCHEMA aside; GRANT USAGE ON SCHEMA aside TO anon;
		CREATE TABLE aside.bystanders (id int PRIMARY KEY, rev int); GRANT SELECT ON aside.bystanders TO anon;
		ALTER PUBLICATION supabase_realtime ADD TABLE aside.bystanders`
)

// What is done to one table in a storm of writes to another is right for those
// who watch the one, and nothing to those who watch the other.
func TestTablesThatAreAltered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		who    string
		entry  string // "" is all of papers
		scenes []scene
	}{
		"a column is added": {scenes: []scene{
			{do: []string{"ALTER TABLE papers ADD COLUMN n int DEFAULT 7", "INSERT INTO papers VALUES (2, 'b')"}, hears: `{"id":2,"n":7,"owner":null,"title":"b"}`},
		}},
		"a column is dropped": {scenes: []scene{
			{do: []string{"ALTER TABLE papers DROP COLUMN title", "INSERT INTO papers VALUES (2)"}, hears: `{"id":2,"owner":null}`},
		}},
		"a column is renamed": {scenes: []scene{
			{do: []string{"ALTER TABLE papers RENAME COLUMN title TO headline", "INSERT INTO papers VALUES (2, 'b')"}, hears: `{"headline":"b","id":2,"owner":null}`},
		}},
		"a number grows, under a filter": {entry: `{"event":"*","schema":"public","table":"papers","filter":"id=gt.0"}`, scenes: []scene{
			{do: []string{"INSERT INTO papers VALUES (2, 'b')"}, hears: `{"id":2,"owner":null,"title":"b"}`},
			{do: []string{"ALTER TABLE papers ALTER COLUMN id TYPE bigint", "INSERT INTO papers VALUES (0, 'z'), (3000000000, 'c')"}, hears: `{"id":3000000000,"owner":null,"title":"c"}`},
		}},
		"text becomes varchar, under a filter": {entry: `{"event":"*","schema":"public","table":"papers","filter":"title=eq.b"}`, scenes: []scene{
			{do: []string{"ALTER TABLE papers ALTER COLUMN title TYPE varchar(20)", "INSERT INTO papers VALUES (2, 'x'), (3, 'b')"}, hears: `{"id":3,"owner":null,"title":"b"}`},
		}},
		"the column of a filter is dropped": {entry: `{"event":"*","schema":"public","table":"papers","filter":"title=eq.b"}`, scenes: []scene{
			{do: []string{"ALTER TABLE papers DROP COLUMN title", "INSERT INTO papers VALUES (2)"}, told: refused},
			{do: []string{"ALTER TABLE papers ADD COLUMN title text", "INSERT INTO papers VALUES (3, NULL, 'x')"}, told: admission},
			{do: []string{"INSERT INTO papers VALUES (4, NULL, 'b')"}, hears: `{"id":4,"owner":null,"title":"b"}`},
		}},
		"the table is renamed": {scenes: []scene{
			{do: []string{"ALTER TABLE papers RENAME TO sheets", "INSERT INTO sheets VALUES (2, 'b')"}, told: refused},
			{do: []string{"ALTER TABLE sheets RENAME TO papers", "INSERT INTO papers VALUES (3, 'c')"}, told: admission, hears: `{"id":3,"owner":null,"title":"c"}`},
		}},
		"the table of one who wants all is renamed": {entry: `{"event":"*","schema":"public"}`, scenes: []scene{
			{do: []string{"ALTER TABLE papers RENAME TO sheets", "INSERT INTO sheets VALUES (2, 'b')"}, hears: `{"id":2,"owner":null,"title":"b"}`},
		}},
		"the table is made anew": {scenes: []scene{
			{do: []string{"DROP TABLE papers", papers, "INSERT INTO papers VALUES (2, 'b')"}, told: anything, hears: `{"id":2,"owner":null,"title":"b"}`},
		}},
		"the table is published no more, and again": {scenes: []scene{
			{do: []string{
				"ALTER PUBLICATION supabase_realtime DROP TABLE papers", "INSERT INTO papers VALUES (2, 'b')",
				"ALTER PUBLICATION supabase_realtime ADD TABLE papers", "INSERT INTO papers VALUES (3, 'c')",
			}, told: anything, hears: `{"id":3,"owner":null,"title":"c"}`},
		}},
		"row-level security is turned on and off": {scenes: []scene{
			{do: []string{
				"ALTER TABLE papers ENABLE ROW LEVEL SECURITY; INSERT INTO papers VALUES (2, 'b')", "INSERT INTO papers VALUES (3, 'c')",
				"UPDATE papers SET title = 'x' WHERE id = 2", "DELETE FROM papers WHERE id = 3",
			}, hears: `null{"id":3}`},
			{do: []string{"ALTER TABLE papers DISABLE ROW LEVEL SECURITY", "INSERT INTO papers VALUES (4, 'd')"}, hears: `{"id":4,"owner":null,"title":"d"}`},
		}},
		"a policy is replaced": {who: ann, scenes: []scene{
			{do: []string{"ALTER TABLE papers ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON papers FOR SELECT USING (owner = auth.uid());" +
				"INSERT INTO papers VALUES (2, 'b', '" + bob + "'), (3, 'a', '" + ann + "')"}, hears: `{"id":3,"owner":"` + ann + `","title":"a"}`},
			{do: []string{"BEGIN; DROP POLICY own ON papers; CREATE POLICY others ON papers FOR SELECT USING (owner <> auth.uid());" +
				"INSERT INTO papers VALUES (4, 'a', '" + ann + "'), (5, 'b', '" + bob + "'); COMMIT"}, hears: `{"id":5,"owner":"` + bob + `","title":"b"}`},
		}},
		"the right to a column is taken and given": {scenes: []scene{
			{do: []string{"REVOKE SELECT ON papers FROM anon; GRANT SELECT (id, owner) ON papers TO anon", "INSERT INTO papers VALUES (2, 'b')"}, hears: `{"id":2,"owner":null}`},
			{do: []string{"UPDATE papers SET title = 'x' WHERE id = 2"}, hears: `{"id":2,"owner":null}{"id":2}`},
			{do: []string{"GRANT SELECT (title) ON papers TO anon", "INSERT INTO papers VALUES (3, 'c')"}, hears: `{"id":3,"owner":null,"title":"c"}`},
		}},
		"the right to the column of a filter is taken and given": {entry: `{"event":"*","schema":"public","table":"papers","filter":"title=eq.b"}`, scenes: []scene{
			{do: []string{"REVOKE SELECT ON papers FROM anon; GRANT SELECT (id, owner) ON papers TO anon", "INSERT INTO papers VALUES (2, 'x')"}, told: refused},
			{do: []string{"GRANT SELECT (title) ON papers TO anon", "INSERT INTO papers VALUES (3, 'c')"}, told: admission},
			{do: []string{"INSERT INTO papers VALUES (4, 'b')"}, hears: `{"id":4,"owner":null,"title":"b"}`},
		}},
		"the right to the table is taken and given": {scenes: []scene{
			{do: []string{"REVOKE SELECT ON papers FROM anon", "INSERT INTO papers VALUES (2, 'b')"}, hears: `{}[Error 401: Unauthorized]`},
			{do: []string{"GRANT SELECT ON papers TO anon", "INSERT INTO papers VALUES (3, 'c')"}, hears: `{"id":3,"owner":null,"title":"c"}`},
		}},
		"the primary key is dropped and added": {scenes: []scene{
			{do: []string{"ALTER TABLE papers DROP CONSTRAINT papers_pkey", "INSERT INTO papers VALUES (2, 'b')"}, hears: `{}[Error 400: Bad Request, no primary key]`},
			{do: []string{"ALTER TABLE papers ADD PRIMARY KEY (id)", "INSERT INTO papers VALUES (3, 'c')"}, hears: `{"id":3,"owner":null,"title":"c"}`},
		}},
		"names of columns are exchanged": {scenes: []scene{
			{do: []string{"ALTER TABLE papers ADD secret text; REVOKE SELECT ON papers FROM anon; GRANT SELECT (id, title) ON papers TO anon",
				"INSERT INTO papers VALUES (2, 'b', NULL, 'hidden')"}, hears: `{"id":2,"title":"b"}`},
			{do: []string{"BEGIN; INSERT INTO papers VALUES (3, 'c', NULL, 'hidden'); ALTER TABLE papers RENAME title TO other; ALTER TABLE papers RENAME secret TO title;" +
				"ALTER TABLE papers RENAME other TO secret; INSERT INTO papers VALUES (4, 'd', NULL, 'hidden'); COMMIT"}, hears: `{"id":3}`},
			{hears: `{"id":4,"secret":"d"}`},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := postmastertest.Database(t)
			db := open(t, dsn)
			psql(t, db, papers, bystanders)
			n := newNode(t, dsn, nil)
			who, entry := tt.who, tt.entry
			if who == "" {
				who = "anon"
			}
			if entry == "" {
				entry = `{"event":"*","schema":"public","table":"papers"}`
			}
			e := n.hearing(who, "["+entry+"]")
			psql(t, db, "INSERT INTO papers VALUES (1, 'b')")
			if got := e.say(); got != `{"id":1,"owner":null,"title":"b"}` {
				t.Errorf("before, heard %s", got)
			}
			aside := n.witnessing("anon", `[{"event":"*","schema":"aside","table":"bystanders"}]`)
			stop := pester(t, dsn)
			for i, s := range tt.scenes {
				psql(t, db, s.do...)
				switch s.told {
				case "":
				case anything:
					until(t, "a change came", func() bool { return len(e.rows) > 0 })
					for len(e.system) > 0 {
						t.Log(<-e.system)
					}
				default:
					e.expect(s.told)
				}
				if s.hears == "" {
					continue
				}
				if got := e.say(); got != s.hears {
					t.Errorf("scene %d: heard %s, want %s", i, got, s.hears)
				}
			}
			last := stop()
			aside.reach(t, fmt.Sprint("INSERT bystanders ", last, " 0"))
			var want []string
			for i := range last {
				want = append(want, fmt.Sprint("INSERT bystanders ", i+1, " 0"))
			}
			compare(t, "a bystander", aside.heard(), want)
			if told := aside.told(); len(told) != 1 {
				t.Errorf("a bystander was told %q", told)
			}
			e.silent()
		})
	}
}

// say returns the next change: its record, the old one of a DELETE, or of an
// UPDATE behind it, and its errors.
func (e *ear) say() string {
	e.t.Helper()
	h := e.row()
	record, err := json.Marshal(h.data["record"])
	if err != nil {
		e.t.Fatal(err)
	}
	if old := h.old(); old != nil {
		text, err := json.Marshal(old)
		if err != nil {
			e.t.Fatal(err)
		}
		record = append(record, text...)
	}
	if errs := h.data["errors"]; errs != nil {
		record = fmt.Append(record, errs)
	}
	return string(record)
}

// pester writes rows 1, 2 and so on into bystanders, until it is told to stop; it
// returns the last one's number then.
func pester(t *testing.T, dsn string) (stop func() int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	stopped, last := make(chan struct{}), 0
	var writing sync.WaitGroup
	writing.Go(func() {
		defer conn.Close(t.Context())
		for {
			if _, err := conn.Exec(t.Context(), "INSERT INTO aside.bystanders VALUES ($1, 0)", last+1); err != nil {
				t.Error(err)
				return
			}
			last++
			select {
			case <-stopped:
				return
			case <-time.After(3 * time.Millisecond):
			}
		}
	})
	finish := sync.OnceFunc(func() {
		close(stopped)
		writing.Wait()
	})
	t.Cleanup(finish)
	return func() int {
		finish()
		return last
	}
}
