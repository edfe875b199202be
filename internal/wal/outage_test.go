package wal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti/internal/postmaster"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// next row's id must be this one.
func (r *runner) expect(t *testing.T, id int) {
	t.Helper()
	if got := string(r.next(t).Changes[0].New[0].Text); got != fmt.Sprint(id) {
		t.Fatalf("row %s, want %d", got, id)
	}
}

func TestAServerThatGoesAndComesBack(t *testing.T) {
	t.Parallel()
	server, dsn := postmastertest.Server(t)
	insert := func(id int) {
		conn := open(t, dsn)
		psql(t, conn, fmt.Sprintf("INSERT INTO n VALUES (%d)", id))
		conn.Close(t.Context())
	}
	conn := open(t, dsn)
	psql(t, conn, numbers)
	conn.Close(t.Context())
	r := feed(t, dsn)
	r.run(t)
	await[Live](t, r)
	insert(1)
	r.expect(t, 1)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	insert(2)
	r.expect(t, 2)
	insert(3)
	if err := server.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.expect(t, 3)
	for f := await[Down](t, r).Failure; f.Code != DatabaseConnectionRefused; f = await[Down](t, r).Failure {
		if f.Code != DatabaseUnavailable {
			t.Errorf("while the server is away: %v", f)
		}
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	insert(4)
	r.expect(t, 4)
	for len(r.states) > 0 {
		if lost, ok := (<-r.states).(Lost); ok {
			t.Errorf("it says that it has lost something: %+v", lost)
		}
	}
}

func TestASlotThatIsLost(t *testing.T) {
	t.Parallel()
	const unseen = "INSERT INTO n VALUES (2)"
	for name, harm := range map[string]func(t *testing.T, r *runner, sql func(...string)){
		"dropped by hand": func(_ *testing.T, r *runner, sql func(...string)) {
			sql(unseen, "SELECT pg_drop_replication_slot('"+r.Slot+"')")
		},
		"read by somebody else": func(_ *testing.T, r *runner, sql func(...string)) {
			sql(unseen, "SELECT pg_replication_slot_advance('"+r.Slot+"', pg_current_wal_lsn())")
		},
		"its log deleted": func(t *testing.T, r *runner, sql func(...string)) {
			sql(unseen)
			until(t, "the log is deleted", func() bool {
				sql("SELECT pg_switch_wal()", "CREATE TABLE IF NOT EXISTS other (id int)", "INSERT INTO other VALUES (1)", "CHECKPOINT")
				slot, _, err := Inspect(t.Context(), r.Config, r.Slot)
				if err != nil {
					t.Fatal(err)
				}
				return slot.Lost()
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := serverWith(t, map[string]string{"max_slot_wal_keep_size": "1MB"})
			conn := open(t, dsn)
			sql := func(statements ...string) { psql(t, conn, statements...) }
			sql(numbers)
			r := feed(t, dsn)
			r.run(t)
			first := await[Live](t, r)
			sql("INSERT INTO n VALUES (1)")
			r.expect(t, 1)
			r.finish()
			harm(t, r, sql)
			r.run(t)
			lost := await[Lost](t, r)
			live := await[Live](t, r)
			if lost.From < first.Since || lost.To <= lost.From || live.Since < lost.To {
				t.Errorf("from %+v over %+v to %+v", first, lost, live)
			}
			sql("INSERT INTO n VALUES (3)")
			r.expect(t, 3)
		})
	}
}

// Before PostgreSQL 18 what was written without the publication is where the slot
// ends; since then it is as if the publication had been without tables.
func TestAPublicationThatIsMadeAgain(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, numbers)
	r := feed(t, dsn)
	r.run(t)
	await[Live](t, r)
	r.finish()
	psql(t, conn, "DROP PUBLICATION supabase_realtime", "INSERT INTO n VALUES (1)", "CREATE PUBLICATION supabase_realtime FOR TABLE n")
	r.run(t)
	if value[int](t, conn, "SELECT current_setting('server_version_num')::int") < 180000 {
		await[Lost](t, r)
	}
	await[Live](t, r)
	psql(t, conn, "INSERT INTO n VALUES (2)")
	r.expect(t, 2)
	for len(r.states) > 0 {
		if lost, ok := (<-r.states).(Lost); ok {
			t.Errorf("it says that it has lost something: %+v", lost)
		}
	}
}

func TestATemporarySlot(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, numbers)
	r := feed(t, dsn)
	r.Temporary = true
	r.run(t)
	await[Live](t, r)
	cut(t, conn, r.Slot)
	await[Lost](t, r)
	await[Live](t, r)
	psql(t, conn, "INSERT INTO n VALUES (1)")
	r.expect(t, 1)
	r.finish()
	if _, found, err := Inspect(t.Context(), r.Config, r.Slot); found || err != nil {
		t.Errorf("after the end it is there: %v, %v", found, err)
	}
}

func TestTheSlotIsToBeSeen(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	r := feed(t, dsn)
	psql(t, conn, "DROP PUBLICATION supabase_realtime")
	r.run(t)
	live := await[Live](t, r)
	slot, found, err := Inspect(t.Context(), r.Config, r.Slot)
	if err != nil || !found || slot.Plugin != "pgoutput" || slot.Database != r.Config.Database || slot.Temporary ||
		slot.ActivePID == 0 || slot.Confirmed < live.Since || slot.Retained < 0 || slot.Status != "reserved" || slot.Lost() {
		t.Errorf("%+v, %v, %v", slot, found, err)
	}
	if n := value[int](t, conn, "SELECT count(*)::int FROM pg_publication WHERE NOT puballtables"); n != 1 {
		t.Errorf("%d publications were made", n)
	}
	var failure *Failure
	if err := Drop(t.Context(), r.Config, r.Slot); !errors.As(err, &failure) || failure.Code != ReplicationSlotBeingUsed {
		t.Errorf("dropped while it is read: %v", err)
	}
	r.finish()
	for range 2 {
		if err := Drop(t.Context(), r.Config, r.Slot); err != nil {
			t.Error(err)
		}
	}
}

// Each failure has its code, and names what helps.
func TestFailures(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := uint16(closed.Addr().(*net.TCPAddr).Port)
	closed.Close()
	const role = "CREATE ROLE plain LOGIN PASSWORD 'plain'"
	plain := func(c *pgconn.Config) { c.User, c.Password = "plain", "plain" }
	for name, tt := range map[string]struct {
		settings map[string]string // of a server of its own
		sql      string
		config   func(*pgconn.Config)
		feed     func(*Feed)
		code     string
		says     string
	}{
		"the log has no changes":     {settings: map[string]string{"wal_level": "replica"}, code: WalLevelNotLogical, says: "ALTER SYSTEM SET wal_level = logical"},
		"the role may not replicate": {sql: role, config: plain, code: ReplicationNotPermitted, says: `ALTER ROLE "plain" REPLICATION`},
		"there may be no slot":       {settings: map[string]string{"max_replication_slots": "0"}, code: ReplicationSlotsExhausted, says: "max_replication_slots"},
		"there is no free slot":      {settings: map[string]string{"max_replication_slots": "1"}, sql: "SELECT pg_create_physical_replication_slot('only')", code: ReplicationSlotsExhausted, says: "max_replication_slots"},
		"there is no free WAL sender": {
			settings: map[string]string{"max_wal_senders": "0"}, code: WalSendersExhausted, says: "max_wal_senders",
		},
		"the slot is another plugin's": {
			sql:  "SELECT pg_create_logical_replication_slot('taken', 'test_decoding')",
			feed: func(f *Feed) { f.Slot = "taken" }, code: ReplicationSlotNameTaken, says: "SLOT_NAME_SUFFIX",
		},
		"a publication is missing that is not ours": {
			feed: func(f *Feed) { f.Publications = append(f.Publications, `my "p"`) },
			code: PublicationMissing, says: `CREATE PUBLICATION "my ""p"""`,
		},
		"the publication may not be created": {
			sql:    "CREATE ROLE replica LOGIN REPLICATION PASSWORD 'plain'; DROP PUBLICATION supabase_realtime",
			config: func(c *pgconn.Config) { c.User, c.Password = "replica", "plain" },
			code:   PublicationMissing, says: `CREATE PUBLICATION "supabase_realtime"`,
		},
		"nobody listens":        {config: func(c *pgconn.Config) { c.Port = nobody }, code: DatabaseConnectionRefused, says: fmt.Sprint(nobody)},
		"the password is wrong": {config: func(c *pgconn.Config) { c.Password = "wrong" }, code: DatabaseAuthFailed, says: "supabase_admin"},
		"the role is unknown":   {config: func(c *pgconn.Config) { c.User = "unknown" }, code: DatabaseAuthFailed, says: "unknown"},
		"the database is unknown": {
			config: func(c *pgconn.Config) { c.Database = "unknown" }, code: DatabaseNotFound, says: "unknown",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dsn string
			if tt.settings == nil {
				dsn = postmastertest.Database(t)
			} else {
				dsn = serverWith(t, tt.settings)
			}
			conn := open(t, dsn)
			for sql := range strings.SplitSeq(tt.sql, ";") {
				psql(t, conn, sql)
			}
			r := feed(t, dsn)
			if tt.config != nil {
				tt.config(r.Config)
			}
			if tt.feed != nil {
				tt.feed(r.Feed)
			}
			r.run(t)
			f := await[Down](t, r).Failure
			if f.Code != tt.code || !strings.Contains(f.Cause+f.Cure, tt.says) || f.Cure == "" {
				t.Errorf("%v, want %s with %q", f, tt.code, tt.says)
			}
		})
	}
}

// serverWith starts a PostgreSQL with settings, and returns a database of it.
func serverWith(t *testing.T, settings map[string]string) string {
	t.Helper()
	server, err := postmaster.Start(t.Context(), postmaster.Config{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop(context.Background()) })
	dsn := server.DSN("postgres")
	if err := postmaster.Prepare(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	return dsn
}

func TestASlotThatIsReadElsewhere(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	first, second := feed(t, dsn), feed(t, dsn)
	first.run(t)
	await[Live](t, first)
	second.run(t)
	f := await[Down](t, second).Failure
	pid := value[int](t, open(t, dsn), "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", first.Slot)
	if f.Code != ReplicationSlotBeingUsed || !strings.Contains(f.Cause, fmt.Sprint(pid)) {
		t.Errorf("%v, want the process %d", f, pid)
	}
	first.finish()
	await[Live](t, second)
}
