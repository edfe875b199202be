package feed

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "6") // most wait for a database, or for an outage to end; a flag of go test has its say
	goleak.VerifyTestMain(postmastertest.With(m))
}

// patience is for what takes milliseconds.
const patience = 30 * time.Second

// A loop runs what is posted, one after the other, as an event loop does.
type loop struct {
	mu     sync.Mutex
	bell   chan struct{}
	posted []func()
	closed bool
}

func (l *loop) Post(_, _ int, f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.posted = append(l.posted, f)
	ring(l.bell)
	return true
}

func (l *loop) run(ctx context.Context) {
	for {
		l.mu.Lock()
		posted := l.posted
		l.posted = nil
		l.mu.Unlock()
		for _, f := range posted {
			f()
		}
		select {
		case <-ctx.Done():
			l.mu.Lock()
			l.closed = true
			l.mu.Unlock()
			return
		case <-l.bell:
		}
	}
}

// A node is feeds that run, for one tenant with one database.
type node struct {
	*Feeds
	t      testing.TB
	dsn    string
	tenant *tutti.Tenant
	stop   func()

	messages chan tutti.Message
}

// Publish takes the messages of the database.
func (n *node) Publish(m tutti.Message) { n.messages <- m }

// newNode starts feeds for a database.
func newNode(t testing.TB, dsn string, settings map[string]any) *node {
	t.Helper()
	n := &node{t: t, dsn: dsn, tenant: tenantOf(t, dsn, settings), messages: make(chan tutti.Message, 1<<16)}
	n.Feeds = &Feeds{Meters: &limit.Meters{}, Door: &broadcast.Door{Publisher: n}, Log: logTo(t), Idle: time.Hour}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 2 {
		l := &loop{bell: make(chan struct{}, 1)}
		n.Loops = append(n.Loops, l)
		running.Go(func() { l.run(ctx) })
	}
	running.Go(func() { _ = n.Run(ctx) })
	n.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(n.stop)
	return n
}

func logTo(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// tenantOf returns a tenant with a database and no limit to speak of.
func tenantOf(t testing.TB, dsn string, more map[string]any) *tutti.Tenant {
	t.Helper()
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]any{
		"db_host": c.Host, "db_port": float64(c.Port), "db_name": c.Database, "db_user": c.User, "db_password": c.Password,
		"ssl_enforced": false, "slot_name": "slot_" + strings.ReplaceAll(c.Database, "-", "_"),
	}
	maps.Copy(settings, more)
	return &tutti.Tenant{
		ExternalID: "acme", MaxEventsPerSecond: 1 << 30, MaxPayloadSizeKB: 100,
		Extensions: []tutti.TenantExtension{tenant.CompleteExtension(tutti.TenantExtension{Type: tenant.DatabaseExtension, Settings: settings})},
	}
}

// An ear is a subscriber that remembers what it hears.
type ear struct {
	*changes.Subscriber
	t      testing.TB
	rows   chan heard
	system chan string // status, a colon and the message
}

// A heard is a change as a client gets it.
type heard struct {
	ids  []uint32
	data map[string]any
}

func (e *ear) HearRow(r *changes.Row, ids []uint32) {
	h := heard{ids: append([]uint32(nil), ids...)}
	if err := json.Unmarshal(r.Data, &h.data); err != nil {
		e.t.Errorf("data is not JSON: %s", r.Data)
	}
	e.rows <- h
}

func (e *ear) HearRows(status, message string) { e.system <- status + ": " + message }

// subscribe subscribes to entries, a JSON array, as a user: a role, or the id of
// a user whose role is authenticated.
func (n *node) subscribe(who, entries string) *ear {
	n.t.Helper()
	all, err := changes.Entries([]byte(entries))
	if err != nil {
		n.t.Fatal(err)
	}
	e := &ear{t: n.t, rows: make(chan heard, 1<<17), system: make(chan string, 1000)}
	e.Subscriber = &changes.Subscriber{
		Tenant: n.tenant.ExternalID, Topic: "room", Claims: claimsOf(who), Entries: all, Hearer: e, Loop: len(who) % 2,
	}
	if !n.Subscribe(n.tenant, e.Subscriber) {
		n.t.Fatal("the tenant has no database")
	}
	return e
}

// hearing is subscribe for one that must succeed.
func (n *node) hearing(who, entries string) *ear {
	n.t.Helper()
	e := n.subscribe(who, entries)
	e.expect("ok: Subscribed to PostgreSQL")
	return e
}

func claimsOf(who string) tutti.Claims {
	role, sub := who, ""
	if strings.Contains(who, "-") {
		role, sub = "authenticated", who
	}
	raw, _ := json.Marshal(map[string]string{"role": role, "sub": sub})
	return tutti.Claims{Role: role, Subject: sub, Raw: raw}
}

// expect waits for a system message that begins so.
func (e *ear) expect(message string) {
	e.t.Helper()
	select {
	case got := <-e.system:
		if !strings.HasPrefix(got, message) {
			e.t.Fatalf("got  %s\nwant %s", got, message)
		}
	case <-time.After(patience):
		e.t.Fatalf("nothing said, want %s", message)
	}
}

// await waits for a system message that begins so, whatever else is said before.
func (e *ear) await(message string) {
	e.t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case got := <-e.system:
			if strings.HasPrefix(got, message) {
				return
			}
			e.t.Log("said:", got)
		case <-timeout:
			e.t.Fatalf("not said: %s", message)
		}
	}
}

// row waits for the next change.
func (e *ear) row() heard {
	e.t.Helper()
	select {
	case h := <-e.rows:
		return h
	case got := <-e.system:
		e.t.Fatalf("said %s in place of a change", got)
	case <-time.After(patience):
		e.t.Fatal("no change came")
	}
	panic("unreachable")
}

// titles waits for n inserted or updated rows and returns their titles.
func (e *ear) titles(n int) []string {
	e.t.Helper()
	var all []string
	for range n {
		all = append(all, fmt.Sprint(e.row().record()["title"]))
	}
	return all
}

// silent fails if something was heard. It is for when all that was to be heard
// has been: a change that comes last has come.
func (e *ear) silent() {
	e.t.Helper()
	select {
	case h := <-e.rows:
		e.t.Fatalf("heard %v", h.data)
	case s := <-e.system:
		e.t.Fatalf("was told %s", s)
	default:
	}
}

func (h heard) record() map[string]any {
	if r, ok := h.data["record"].(map[string]any); ok {
		return r
	}
	return nil
}

func (h heard) old() map[string]any {
	if r, ok := h.data["old_record"].(map[string]any); ok {
		return r
	}
	return nil
}

func open(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// psql runs statements, each in a transaction of its own.
func psql(t testing.TB, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

const (
	ann = "11111111-1111-1111-1111-111111111111"
	bob = "22222222-2222-2222-2222-222222222222"
)

// table makes a published table without row-level security.
const table = `CREATE TABLE notes (id bigint PRIMARY KEY, title text, owner uuid);
	GRANT ALL ON notes TO anon, authenticated, service_role;
	ALTER PUBLICATION supabase_realtime ADD TABLE notes`

// guarded makes it one whose rows are seen by their owners.
const guarded = table + `;
	ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON notes FOR SELECT TO authenticated USING (owner = auth.uid())`
