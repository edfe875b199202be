package feed

import (
	"slices"
	"testing"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

const partitioned = `CREATE TABLE events (id int, day int, title text, owner uuid, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
	CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
	CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2);
	GRANT ALL ON events, events_1, events_2 TO anon, authenticated`

func TestPartitionsArePublishedUnderTheirOwnNames(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, partitioned, "ALTER PUBLICATION supabase_realtime ADD TABLE events")
	n := newNode(t, dsn, nil)
	one := n.hearing("anon", `[{"event":"*","schema":"public","table":"events_1"}]`)
	all := n.hearing("anon", `[{"event":"*","schema":"public"}]`)
	n.subscribe("anon", `[{"event":"*","schema":"public","table":"events"}]`).expect("error: Unable to subscribe to changes")
	psql(t, db, "INSERT INTO events VALUES (1, 1, 'a'), (2, 2, 'b')", "UPDATE events SET day = 1, title = 'moved' WHERE id = 2")
	if got := one.titles(2); !slices.Equal(got, []string{"a", "moved"}) {
		t.Errorf("one partition: %v", got)
	}
	for i, want := range []string{"events_1 INSERT", "events_2 INSERT", "events_2 DELETE", "events_1 INSERT"} {
		if h := all.row(); h.data["table"].(string)+" "+h.data["type"].(string) != want {
			t.Errorf("change %d of all is %v, want %s", i, h.data, want)
		}
	}
}

func TestPartitionsArePublishedAsTheirRoot(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, partitioned, `ALTER TABLE events ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own ON events FOR SELECT TO authenticated USING (EXISTS (SELECT WHERE owner = auth.uid()))`,
		"ALTER PUBLICATION supabase_realtime SET (publish_via_partition_root = true)", "ALTER PUBLICATION supabase_realtime ADD TABLE events")
	n := newNode(t, dsn, nil)
	e := n.hearing(ann, `[{"event":"*","schema":"public","table":"events"}]`)
	psql(t, db, "INSERT INTO events VALUES (1, 1, 'of bob', '"+bob+"'), (2, 2, 'a', '"+ann+"')", "UPDATE events SET title = 'b' WHERE id = 2")
	for _, want := range []string{"a", "b"} {
		if h := e.row(); h.data["table"] != "events" || h.record()["title"] != want {
			t.Errorf("heard %v, want %s", h.data, want)
		}
	}
	e.silent()
}

func TestWhatAPublicationLeavesOutIsNotSent(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, `CREATE TABLE people (id int PRIMARY KEY, name text, secret text, open boolean, double int GENERATED ALWAYS AS (id * 2) STORED);
		GRANT ALL ON people TO anon`,
		`CREATE PUBLICATION narrow FOR TABLE people (id, name, open) WHERE (open) WITH (publish = 'insert')`)
	n := newNode(t, dsn, map[string]any{"publication": "narrow"})
	e := n.hearing("anon", `[{"event":"*","schema":"public","table":"people"}]`)
	n.subscribe("anon", `[{"event":"*","schema":"public","table":"people","filter":"secret=eq.x"}]`).
		expect("error: Unable to subscribe to changes with given parameters. An exception happened")
	psql(t, db, "INSERT INTO people VALUES (1, 'shut', 'x', false), (2, 'open', 'y', true)", "UPDATE people SET name = 'other'",
		"INSERT INTO people VALUES (3, 'last', 'z', true)")
	for _, want := range []string{"open", "last"} {
		h := e.row()
		columns := h.data["columns"].([]any)
		if _, told := h.record()["secret"]; told || len(columns) != 3 || h.record()["name"] != want {
			t.Errorf("heard %v, want %s", h.data, want)
		}
	}
	e.silent()
}
