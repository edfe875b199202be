package database

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// owner returns a tenant of the database at a DSN.
func owner(t testing.TB, dsn string, settings ...any) *tutti.Tenant {
	t.Helper()
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return customer("real", append([]any{
		"db_host", c.Host, "db_port", float64(c.Port), "db_name", c.Database, "db_user", c.User, "db_password", c.Password,
		"ssl_enforced", false,
	}, settings...)...)
}

func psql(t testing.TB, dsn, statements string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, dsn, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// An eager loop calls what it is given where it is given.
type eager struct{}

func (eager) Post(_, _ int, f func()) bool { f(); return true }

// live returns Databases that run until the test ends.
func live(t *testing.T, known ...*tutti.Tenant) *Databases {
	t.Helper()
	d := &Databases{Loops: []Loop{eager{}}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if len(known) > 0 {
		d.Known = func(context.Context, tutti.TenantQuery) (tutti.TenantPage, error) {
			return tutti.TenantPage{Tenants: known}, nil
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return d
}

// until polls.
func until(t testing.TB, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}

// mayRead is MayRead for those who can wait.
func mayRead(d *Databases, q Question) (postgres.Permission, error) {
	answered := make(chan result, 1)
	d.MayRead(q, 0, func(p postgres.Permission, err error) { answered <- result{permission: p, err: err} })
	r := <-answered
	return r.permission, r.err
}

func replayed(d *Databases, q Question, limit int) ([]postgres.Stored, error) {
	answered := make(chan result, 1)
	d.Replay(q, time.Now().Add(-time.Hour), limit, 0, func(s []postgres.Stored, err error) { answered <- result{stored: s, err: err} })
	r := <-answered
	return r.stored, r.err
}

const roomPolicies = `
CREATE POLICY "read room" ON realtime.messages FOR SELECT TO authenticated USING (realtime.topic() = 'room' AND extension = 'broadcast');
CREATE POLICY "write as me" ON realtime.messages FOR INSERT TO authenticated WITH CHECK (auth.uid()::text = '0b0b0b0b-0000-4000-8000-000000000001')`

func TestPoliciesAndReplayOfARealDatabase(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	one := owner(t, dsn, "db_pool", 2.0)
	d := live(t)
	q := Question{Tenant: one, Topic: "room", Claims: tutti.Claims{
		Role: "authenticated", Subject: "0b0b0b0b-0000-4000-8000-000000000001",
		Raw: []byte(`{"role":"authenticated","sub":"0b0b0b0b-0000-4000-8000-000000000001"}`),
	}}
	// The first question makes what there must be.
	if p, err := mayRead(d, q); err != nil || p.Broadcast {
		t.Fatalf("without policies: %v, %v", p, err)
	}
	psql(t, dsn, roomPolicies)
	if p, err := mayRead(d, q); err != nil || !p.Broadcast || p.Presence {
		t.Errorf("with a policy: %v, %v", p, err)
	}
	if p, err := d.CheckWrite(t.Context(), q); err != nil || !p.Broadcast {
		t.Errorf("to write: %v, %v", p, err)
	}
	stranger := q
	stranger.Claims = tutti.Claims{Role: "anon", Raw: []byte(`{"role":"anon"}`)}
	if p, err := mayRead(d, stranger); err != nil || p.Broadcast {
		t.Errorf("a stranger: %v, %v", p, err)
	}
	stranger.Claims.Role = "nobody"
	if _, err := mayRead(d, stranger); told(err) != "Unauthorized: You do not have permissions to read from this Channel topic: room" {
		t.Errorf("an unknown role: %v", err)
	}
	for i := range 3 {
		psql(t, dsn, fmt.Sprintf(`SELECT realtime.send('{"n":%d}', 'e', 'room')`, i))
	}
	stored, err := replayed(d, q, 2)
	if err != nil || len(stored) != 2 || stored[1].Event != "e" {
		t.Errorf("replay: %v, %v", stored, err)
	}
	psql(t, dsn, "ALTER TABLE realtime.messages RENAME COLUMN event TO incident")
	if stored, err = replayed(d, q, 2); told(err) != replayText {
		t.Errorf("replay from a table of another shape: %v, %v", stored, err)
	}
}

func TestARealDatabaseIsPreparedAgain(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	d := live(t)
	q := about(owner(t, dsn), "room")
	if _, err := mayRead(d, q); err != nil {
		t.Fatal(err)
	}
	psql(t, dsn, "DROP SCHEMA realtime CASCADE") // as a development database is reset
	if p, err := mayRead(d, q); err != nil || p.Broadcast {
		t.Errorf("%v, %v", p, err)
	}
}

func TestARealDatabaseWithADefect(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	psql(t, dsn, `DO $$ BEGIN CREATE ROLE poor LOGIN PASSWORD 'poor'; EXCEPTION WHEN duplicate_object THEN END $$`)
	d := live(t)
	_, err := mayRead(d, about(owner(t, dsn, "db_user", "poor", "db_password", "poor"), "room"))
	want := "DatabaseNotPrepared: The project database cannot be used for private channels (CreateOnDatabaseMissing); the log of the server says what to do"
	if told(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for setting, wrong := range map[string]string{"db_password": "wrong", "db_name": "nowhere", "db_user": "nobody", "db_host": "127.0.0.2"} {
		if _, err = mayRead(d, about(owner(t, dsn, setting, wrong), "room")); told(err) != connectText {
			t.Errorf("with a wrong %s: %v", setting, err)
		}
	}
}

func TestARealDatabaseThatIsDown(t *testing.T) {
	t.Parallel()
	server, dsn := postmastertest.Server(t)
	d := live(t)
	q := about(owner(t, dsn), "room")
	if _, err := mayRead(d, q); err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		start := time.Now()
		if _, err := mayRead(d, q); told(err) != connectText {
			t.Errorf("while it is down: %v", err)
		}
		if i > 0 && time.Since(start) > 100*time.Millisecond {
			t.Errorf("the breaker took %v", time.Since(start))
		}
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		_, err := mayRead(d, q)
		return err == nil
	})
}

func TestPartitionsOfRealDatabases(t *testing.T) {
	t.Parallel()
	used, unused := postmastertest.Database(t), postmastertest.Database(t)
	const tables = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'realtime.messages'::regclass"
	asked := owner(t, used)
	if _, err := mayRead(live(t), about(asked, "room")); err != nil {
		t.Fatal(err)
	}
	// One is too old, and one is missing.
	psql(t, used, `CREATE TABLE realtime.messages_2020_01_01 PARTITION OF realtime.messages FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')`)
	psql(t, used, `DO $$ BEGIN EXECUTE format('DROP TABLE realtime.%I', to_char(timezone('utc', now()) + interval '2 days', '"messages_"YYYY"_"MM"_"DD')); END $$`)
	other := owner(t, unused)
	other.ExternalID = "unused"
	live(t, other, asked)
	until(t, func() bool {
		return count(t, used, tables) == 5 && count(t, used, "SELECT count(*) FROM pg_class WHERE relname = 'messages_2020_01_01'") == 0
	})
	if n := count(t, unused, "SELECT count(*) FROM pg_namespace WHERE nspname = 'realtime'"); n != 0 {
		t.Error("something was made in a database that nobody uses for realtime")
	}
}
