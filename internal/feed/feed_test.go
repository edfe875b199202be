package feed

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

func TestChangesReachThoseWhoWantThem(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	all := n.hearing("anon", `[{"event":"*","schema":"public","table":"notes"}]`)
	inserts := n.hearing("anon", `[{"event":"INSERT","schema":"public"}]`)
	one := n.hearing("authenticated", `[{"event":"*","schema":"public","table":"notes","filter":"id=eq.2"}]`)

	psql(t, db, "INSERT INTO notes VALUES (1, 'a'), (2, 'b')", "UPDATE notes SET title = 'c' WHERE id = 2", "DELETE FROM notes")
	var got []string
	for range 5 {
		h := all.row()
		got = append(got, fmt.Sprint(h.data["type"], h.record()["title"], h.old()["id"]))
	}
	want := []string{"INSERTa<nil>", "INSERTb<nil>", "UPDATEc2", "DELETE<nil> 1", "DELETE<nil> 2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := inserts.titles(2); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("inserts: %v", got)
	}
	if got := one.titles(2); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("filtered: %v", got)
	}
	if h := one.row(); h.data["type"] != "DELETE" || h.old()["id"] != 2.0 {
		t.Errorf("filtered: %v", h.data)
	}
	for _, e := range []*ear{all, inserts, one} {
		e.silent()
	}
}

func TestRowsAreSeenByThoseWhoMay(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, guarded)
	n := newNode(t, dsn, nil)
	const entry = `[{"event":"*","schema":"public","table":"notes"}]`
	a, b, anon, service := n.hearing(ann, entry), n.hearing(bob, entry), n.hearing("anon", entry), n.hearing("service_role", entry)

	for i := range 50 {
		psql(t, db, fmt.Sprintf("INSERT INTO notes VALUES (%d, 'a%d', '%s'), (%d, 'b%d', '%s')", 2*i, i, ann, 2*i+1, i, bob))
	}
	psql(t, db, "INSERT INTO notes VALUES (1000, 'end', NULL)")
	for i := range 50 {
		if got := a.titles(1)[0]; got != fmt.Sprint("a", i) {
			t.Fatalf("ann heard %s", got)
		}
		if got := b.titles(1)[0]; got != fmt.Sprint("b", i) {
			t.Fatalf("bob heard %s", got)
		}
	}
	if got := service.titles(101); got[100] != "end" {
		t.Errorf("service_role heard %v", got)
	}
	for _, e := range []*ear{a, b, anon} {
		e.silent()
	}
}

func TestChannelsWithSeveralEntriesGetAChangeOnce(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	e := n.hearing("anon", `[{"event":"*","schema":"public","table":"notes"},{"event":"INSERT","schema":"public","table":"notes"},
		{"event":"INSERT","schema":"public","table":"notes","select":["title"]},{"event":"*","schema":"public","filter":null,"table":"notes","filter":"id=gt.1"}]`)
	psql(t, db, "INSERT INTO notes VALUES (1, 'a', '"+ann+"')")
	var ids []int
	for range 2 {
		h := e.row()
		ids = append(ids, len(h.ids))
		if _, has := h.record()["owner"]; has != (len(h.ids) == 2) {
			t.Errorf("record %v for %d entries", h.record(), len(h.ids))
		}
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []int{1, 2}) {
		t.Errorf("entries by frame: %v", ids)
	}
	e.silent()
}

func TestATableThatIsPublishedLaterReachesThoseWhoWantAll(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	all := n.hearing("anon", `[{"event":"*","schema":"*"}]`)
	some := n.hearing("anon", `[{"event":"*","schema":"public","table":"*","filter":"id=gt.5"}]`)
	psql(t, db, `CREATE TABLE later (id int PRIMARY KEY, title text); GRANT ALL ON later TO anon`,
		"ALTER PUBLICATION supabase_realtime ADD TABLE later", "INSERT INTO later VALUES (1, 'one'), (9, 'nine')")
	if got := all.titles(2); !slices.Equal(got, []string{"one", "nine"}) {
		t.Errorf("got %v", got)
	}
	if got := some.titles(1); got[0] != "nine" {
		t.Errorf("with a filter: %v", got)
	}
}

func TestRowLevelSecurityThatIsTurnedOnHoldsFromThenOn(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	e := n.hearing(ann, `[{"event":"*","schema":"public","table":"notes"}]`)
	psql(t, db, "INSERT INTO notes VALUES (1, 'open', '"+bob+"')")
	e.titles(1)
	psql(t, db, `BEGIN; ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own ON notes FOR SELECT TO authenticated USING (owner = auth.uid());
		INSERT INTO notes VALUES (2, 'hidden', '`+bob+`'); COMMIT`, "INSERT INTO notes VALUES (3, 'mine', '"+ann+"')")
	if got := e.titles(1); got[0] != "mine" {
		t.Errorf("heard %v", got)
	}
}

func TestAnotherTokenIsAnotherViewer(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, guarded)
	n := newNode(t, dsn, nil)
	e := n.hearing(ann, `[{"event":"*","schema":"public","table":"notes"}]`)
	n.Renew(e.Subscriber, claimsOf(bob))
	e.expect("ok: Subscribed to PostgreSQL")
	psql(t, db, "INSERT INTO notes VALUES (1, 'a', '"+ann+"'), (2, 'b', '"+bob+"')")
	if got := e.titles(1); got[0] != "b" {
		t.Errorf("heard %v", got)
	}
	n.Renew(e.Subscriber, claimsOf("nobody"))
	e.expect(`error: Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: ` +
		`[event: *, schema: public, table: notes, filters: [], select: nil]. Exception: ERROR 42704 (undefined_object) role "nobody" does not exist`)
}

func TestBadSubscriptionsAreRefused(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	psql(t, open(t, dsn), table)
	n := newNode(t, dsn, nil)
	const exception = "error: Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: "
	for entry, want := range map[string]string{
		`{"event":"*","schema":"public","table":"nothing"}`: "error: Unable to subscribe to changes with given parameters. Please check Realtime is enabled " +
			"for the given connect parameters: [event: *, schema: public, table: nothing, filters: [], select: nil]",
		`{"event":"*","schema":"public","table":"notes","filter":"id=eq.x"}`: exception +
			`[event: *, schema: public, table: notes, filters: [{"id", "eq", "x", false}], select: nil]. Exception: ERROR 22P02 (invalid_text_representation) invalid input syntax for type bigint: "x"`,
		`{"event":"*","schema":"public","table":"notes","filter":"title=match.("}`: exception +
			`[event: *, schema: public, table: notes, filters: [{"title", "match", "(", false}], select: nil]. Exception: ERROR P0001 (raise_exception) invalid regular expression for match filter: `,
		`{"event":"*","schema":"public","table":"notes","filter":"title"}`: "error: Error parsing `filter` params: [\"title\"]",
		`{"event":"*","schema":"realtime","table":"messages"}`:             "error: Unable to subscribe to changes",
	} {
		n.subscribe("anon", "["+entry+"]").expect(want)
	}
}
