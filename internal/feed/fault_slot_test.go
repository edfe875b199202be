package feed

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti/internal/postmaster"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

const notesEntry = `[{"event":"*","schema":"public","table":"notes"}]`

// note writes a row of notes, and waits until it was heard.
func (w *witness) note(t *testing.T, dsn string, id int) {
	t.Helper()
	conn := open(t, dsn)
	psql(t, conn, fmt.Sprintf("INSERT INTO notes (id) VALUES (%d)", id))
	conn.Close(t.Context())
	w.reach(t, fmt.Sprintf("INSERT notes %d", id))
}

// dropSlot drops a slot, whoever reads it.
func dropSlot(t *testing.T, dsn, slot string) {
	t.Helper()
	conn := open(t, dsn)
	defer conn.Close(t.Context())
	until(t, "the slot is dropped", func() bool {
		_, err := conn.Exec(t.Context(), fmt.Sprintf(`DO $$ BEGIN
			PERFORM pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = '%s';
			PERFORM pg_drop_replication_slot('%[1]s');
		END $$`, slot))
		return err == nil
	})
}

func TestASlotThatIsDroppedByHand(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	psql(t, open(t, dsn), table)
	n := newNode(t, dsn, nil)
	w, e := n.witnessing("anon", notesEntry), n.hearing("anon", notesEntry)
	w.note(t, dsn, 1)
	dropSlot(t, dsn, n.slotName())
	e.await("error: Changes were lost: ReplicationSlotLost")
	e.await("ok: Subscribed to PostgreSQL")
	until(t, "it is subscribed again", func() bool { return w.times(subscribed+"` is delivered") == 1 && w.times("ok: "+subscribed) == 2 })
	w.note(t, dsn, 2)
	told := w.told()
	if len(told) != 3 || !strings.HasPrefix(told[1], "error: Changes were lost: ReplicationSlotLost") || told[2] != told[0] {
		t.Errorf("told %q", told)
	}
	compare(t, "anon", w.heard(), []string{"INSERT notes 1", "INSERT notes 2"})
}

// ailing waits until somebody is told of a cause, cures it, and expects that all
// is well then, and that the cause was told once.
func (n *node) ailing(t *testing.T, cause string, cure func()) *witness {
	t.Helper()
	w := n.witness("anon", notesEntry)
	until(t, "told of "+cause, func() bool { return w.times(cause) > 0 })
	late := n.witness("anon", notesEntry)
	until(t, "one who comes later is told, too", func() bool { return late.times(cause) > 0 })
	cure()
	for _, w := range []*witness{w, late} {
		until(t, "all is well", func() bool { return w.times(subscribed) > 0 })
		if w.times(cause) != 1 || w.times("ok: ") != 1 {
			t.Errorf("told %q", w.told())
		}
	}
	w.note(t, n.dsn, 1)
	late.reach(t, "INSERT notes 1")
	return w
}

func TestARoleThatMayNotReplicate(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	role := "plain_" + db.Config().Database
	psql(t, db, table, "CREATE ROLE "+role+" LOGIN PASSWORD 'plain'", "GRANT anon TO "+role)
	n := newNode(t, dsn, map[string]any{"db_user": role, "db_password": "plain"})
	n.ailing(t, "ReplicationNotPermitted", func() { psql(t, db, "ALTER ROLE "+role+" REPLICATION") })
	n.stop()
	psql(t, db, "DROP OWNED BY "+role+"; DROP ROLE "+role)
}

// serverWith starts a PostgreSQL with settings of its own.
func serverWith(t *testing.T, config postmaster.Config) (*postmaster.Server, string) {
	t.Helper()
	server, err := postmaster.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	dsn := server.DSN("postgres")
	if err := postmaster.Prepare(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	return server, dsn
}

func TestAServerWithoutAFreeSlot(t *testing.T) {
	t.Parallel()
	_, dsn := serverWith(t, postmaster.Config{Settings: map[string]string{"max_replication_slots": "1"}})
	db := open(t, dsn)
	psql(t, db, table, "SELECT pg_create_physical_replication_slot('only')")
	newNode(t, dsn, nil).ailing(t, "ReplicationSlotsExhausted", func() { psql(t, db, "SELECT pg_drop_replication_slot('only')") })
}

func TestALogThatIsNotLogical(t *testing.T) {
	t.Parallel()
	folder, err := os.MkdirTemp("", "tutti-test-*") // which others may enter, unlike those of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	config := postmaster.Config{Dir: folder, Throwaway: true, Settings: map[string]string{"wal_level": "replica"}}
	server, dsn := serverWith(t, config)
	db := open(t, dsn)
	psql(t, db, table)
	db.Close(t.Context())
	newNode(t, dsn, nil).ailing(t, "WalLevelNotLogical", func() {
		if err := server.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		config.Port, config.Settings = server.Port(), nil
		serverWith(t, config)
	})
}

// A database that is not there at first, comes, is dropped, and comes again.
func TestADatabaseThatComesAndGoes(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	admin := open(t, dsn)
	name := "later_" + admin.Config().Database
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	later := u.String()
	make := func() {
		psql(t, admin, "CREATE DATABASE "+name)
		if err := postmaster.Prepare(t.Context(), later); err != nil {
			t.Fatal(err)
		}
		db := open(t, later)
		psql(t, db, table)
		db.Close(t.Context())
	}
	drop := func() {
		psql(t, admin, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false",
			"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '"+name+"'", "DROP DATABASE "+name+" WITH (FORCE)")
	}
	n := newNode(t, later, nil)
	w := n.witness("anon", notesEntry)
	until(t, "told that it is not there", func() bool { return w.times("DatabaseNotFound") == 1 })
	make()
	// It is there before its tables are, and may be found so.
	until(t, "all is well", func() bool { return w.times(subscribed) > 0 })
	w.note(t, later, 1)
	drop()
	lost := w.times("Changes were lost")
	make()
	defer func() { t.Logf("told %q", w.told()) }()
	until(t, "the loss is told", func() bool { return w.times("Changes were lost") == lost+1 })
	w.note(t, later, 2)
	compare(t, "anon", w.heard(), []string{"INSERT notes 1", "INSERT notes 2"})
	n.stop()
	drop()
}

// Who subscribes right after a table was made must not be told that it is not
// there.
func TestTablesThatWereMadeAMomentAgo(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	n.witnessing("anon", notesEntry)
	for i := range 5 {
		name := fmt.Sprint("made", i)
		psql(t, db, fmt.Sprintf("CREATE TABLE %s (id int PRIMARY KEY); GRANT ALL ON %[1]s TO anon; ALTER PUBLICATION supabase_realtime ADD TABLE %[1]s", name))
		w := n.witnessing("anon", `[{"event":"*","schema":"public","table":"`+name+`"}]`)
		if told := w.told(); len(told) != 1 {
			t.Errorf("told %q", told)
		}
	}
}

// Settings with which nothing can be opened are told once, and can be mended.
func TestSettingsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	psql(t, open(t, dsn), table)
	n := newNode(t, dsn, map[string]any{"ssl_enforced": true, "ssl_ca_cert": "none"})
	var all []*witness
	for range 5 {
		w := n.witness("anon", notesEntry)
		until(t, "told", func() bool { return w.times("DatabaseSettingsInvalid") > 0 })
		all = append(all, w)
	}
	n.TenantChanged("acme", n.tenant, tenantOf(t, dsn, nil))
	for i, w := range all {
		until(t, "all is well", func() bool { return w.times("ok: "+subscribed) == 1 })
		if told := w.told(); len(told) != 2 {
			t.Errorf("%d was told %q", i, told)
		}
	}
	all[0].note(t, dsn, 1)
}
