package feed

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// until waits until something is so.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func value[T any](t testing.TB, conn *pgx.Conn, sql string, args ...any) (v T) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// A witness is a subscriber that writes down what it hears, a line for each
// change, such as "INSERT notes 1 0": kind, table, id and rev.
type witness struct {
	*changes.Subscriber

	mu    sync.Mutex // guards what follows
	lines []string
	said  []string
}

func (w *witness) HearRow(r *changes.Row, _ []uint32) {
	type row struct {
		ID  json.Number `json:"id"`
		Rev json.Number `json:"rev"`
	}
	var c struct {
		Type   string   `json:"type"`
		Table  string   `json:"table"`
		Record row      `json:"record"`
		Old    row      `json:"old_record"`
		Errors []string `json:"errors"`
	}
	line := "not JSON: " + string(r.Data)
	if err := json.Unmarshal(r.Data, &c); err == nil {
		if c.Type == "DELETE" {
			c.Record, c.Old.Rev = c.Old, ""
		}
		line = strings.TrimSpace(strings.Join(append([]string{c.Type, c.Table, string(c.Record.ID), string(c.Record.Rev)}, c.Errors...), " "))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, line)
}

func (w *witness) HearRows(status, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, status+": "+message)
}

// heard returns what was heard so far.
func (w *witness) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lines)
}

// told returns what was said so far.
func (w *witness) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.said)
}

// times returns how often something was said that contains a text.
func (w *witness) times(text string) int {
	n := 0
	for _, s := range w.told() {
		if strings.Contains(s, text) {
			n++
		}
	}
	return n
}

// witness subscribes one that is not expected to be told anything yet.
func (n *node) witness(who, entries string) *witness {
	n.t.Helper()
	all, err := changes.Entries([]byte(entries))
	if err != nil {
		n.t.Fatal(err)
	}
	w := &witness{}
	w.Subscriber = &changes.Subscriber{
		Tenant: n.tenant.ExternalID, Topic: "room", Claims: claimsOf(who), Entries: all, Hearer: w, Loop: len(who) % 2,
	}
	if !n.Subscribe(n.tenant, w.Subscriber) {
		n.t.Fatal("the tenant has no database")
	}
	return w
}

const everything = `[{"event":"*","schema":"public"}]`

// witnessing is witness for one that must succeed.
func (n *node) witnessing(who, entries string) *witness {
	n.t.Helper()
	w := n.witness(who, entries)
	until(n.t, who+" is subscribed", func() bool { return w.times(subscribed) > 0 })
	return w
}

// reach waits until a line was heard, and returns all.
func (w *witness) reach(t testing.TB, line string) []string {
	t.Helper()
	next := 0
	until(t, "heard "+line, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		at := slices.Index(w.lines[next:], line)
		next = len(w.lines)
		return at >= 0
	})
	return w.heard()
}

// compare fails unless two lists are the same, and says where they part.
func compare(t testing.TB, who string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: change %d is %q, want %q (%d of %d)", who, i, got[i], want[i], len(got), len(want))
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d changes, want %d; the rest is %.300v", who, len(got), len(want), append(got, want...)[min(len(got), len(want)):])
	}
}

// A proxy stands between feeds and their database, and plays the network's
// outages.
type proxy struct {
	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex // guards what follows
	conns  []net.Conn
	frozen chan struct{} // closed by thaw; nil while everything passes
}

// behind puts a proxy before a database, and returns it with the settings by
// which a node goes through it.
func behind(t testing.TB, dsn string) (*proxy, map[string]any) {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))), listener: l}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.thaw()
		p.cut()
		p.wg.Wait()
	})
	return p, map[string]any{"db_host": "127.0.0.1", "db_port": float64(l.Addr().(*net.TCPAddr).Port)}
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.wg.Go(func() { p.pass(server, client) })
		p.wg.Go(func() { p.pass(client, server) })
	}
}

func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		if _, e := to.Write(buf[:n]); e != nil || err != nil {
			return
		}
	}
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// freeze lets nothing pass until thaw, on no connection, without a word.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// slotName returns the name of the slot that a node reads.
func (n *node) slotName() string {
	settings, _, err := tenant.Database(n.tenant)
	if err != nil {
		n.t.Fatal(err)
	}
	return settings.SlotName(n.SlotSuffix)
}

// slots returns how many slots have a name.
func slots(t testing.TB, conn *pgx.Conn, name string) int {
	t.Helper()
	return value[int](t, conn, "SELECT count(*)::int FROM pg_replication_slots WHERE slot_name = $1", name)
}

// terminate ends the connections of an application to this database.
func terminate(t testing.TB, conn *pgx.Conn, application string) int {
	t.Helper()
	return value[int](t, conn, fmt.Sprintf(`SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = '%s'`, application))
}

const (
	sender  = "realtime_replication_connection"
	checker = "realtime_rls"
)
