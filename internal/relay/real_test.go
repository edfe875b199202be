package relay

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
	"github.com/tutti-realtime/tutti/internal/wal"
)

const patience = 30 * time.Second

// A member is a node with a real bus and a real database.
type member struct {
	t      testing.TB
	name   string
	bus    *cluster.Bus
	relay  *Relay
	stream *Stream
	stop   func()
	crash  func()

	mu   sync.Mutex // guards got and lost
	got  []string
	lost int
}

func (m *member) begin(dsn string, peers ...*member) {
	m.t.Helper()
	log := slog.New(slog.NewTextHandler(m.t.Output(), nil))
	bus, err := cluster.New(cluster.Settings{Node: m.name, Listen: "127.0.0.1:0", Lost: time.Second}, log)
	if err != nil {
		m.t.Fatal(err)
	}
	m.bus = bus
	m.relay = &Relay{Node: m.name, Epoch: bus.Epoch(), Bus: cluster.On(bus, "relay"), Log: log}
	bus.Arrive, bus.Hear = func(tutti.Message) {}, func(cluster.Note) {}
	bus.Told = func(c cluster.Call) { m.relay.Receive(c.Node, c.Payload) }
	bus.Asked = func(ctx context.Context, c cluster.Call) ([]byte, error) {
		return m.relay.Answer(ctx, c.Node, c.Payload)
	}
	bus.Changed = func(e cluster.Event) {
		switch e.Kind {
		case cluster.Joined:
			m.relay.Joined(e.Member.ID, e.Member.Epoch)
		case cluster.Left:
			m.relay.Left(e.Member.ID)
		case cluster.Lost:
			m.relay.Lost(e.Member.ID)
		}
	}
	var addresses []string
	for _, p := range peers {
		addresses = append(addresses, p.bus.Address())
	}
	bus.Peers = cluster.Static(addresses...)
	m.open(dsn)
	whole, end := context.WithCancel(context.Background())
	reading, finish := context.WithCancel(whole)
	var running, streaming sync.WaitGroup
	running.Go(func() { _ = bus.Run(whole) })
	<-bus.Ready()
	running.Go(func() { _ = m.relay.Run(whole) })
	streaming.Go(func() { _ = m.stream.Run(reading) })
	m.stop = sync.OnceFunc(func() {
		finish()
		streaming.Wait()
		m.stream.Close()
		end()
		running.Wait()
	})
	m.crash = sync.OnceFunc(func() { end(); streaming.Wait(); running.Wait() })
	m.t.Cleanup(m.stop)
}

func (m *member) open(dsn string) {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		m.t.Fatal(err)
	}
	m.stream = m.relay.Open("acme", 1)
	m.stream.Make = func(r Reading) Source {
		return &wal.Feed{
			Config: config, Slot: slotOf(m.t, dsn), Publications: []string{wal.Publication},
			Term: r.Term, Shared: true, Deliver: r.Deliver, State: r.State,
		}
	}
	m.stream.Deliver = func(_ context.Context, tx tutti.Transaction) error {
		m.mu.Lock()
		for _, c := range tx.Changes {
			m.got = append(m.got, string(c.New[0].Text))
		}
		m.mu.Unlock()
		if tx.EndLSN != 0 {
			m.stream.Confirm(tx.EndLSN)
		}
		return nil
	}
	m.stream.State = func(s wal.State) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, lost := s.(wal.Lost); lost {
			m.lost++
		}
	}
}

func slotOf(t testing.TB, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return "relay_" + strings.ReplaceAll(u.Path[1:], "-", "_")
}

func (m *member) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.got)
}

// numbers reports whether the member got the numbers from first to last, once and
// in order.
func (m *member) numbers(first, last int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var want []string
	for i := first; i <= last; i++ {
		want = append(want, fmt.Sprint(i))
	}
	if m.lost > 0 || !slices.Equal(m.got, want) {
		return fmt.Sprintf("%s got %d changes of %d, %d losses", m.name, len(m.got), len(want), m.lost)
	}
	return ""
}

func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !so() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestNodesShareASlot(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := db.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE n (id int PRIMARY KEY); ALTER PUBLICATION supabase_realtime ADD TABLE n")
	last := 0
	insert := func(n int) {
		t.Helper()
		exec("INSERT INTO n SELECT generate_series($1::int, $2::int)", last+1, last+n)
		last += n
	}
	a, b, c := &member{t: t, name: "a"}, &member{t: t, name: "b"}, &member{t: t, name: "c"}
	a.begin(dsn)
	until(t, "a owns the stream", func() bool { return a.relay.Owner("acme") == "a" && a.relay.Stats().Owned == 1 })
	b.begin(dsn, a)
	c.begin(dsn, a)
	until(t, "all follow", func() bool { return b.relay.Stats().Followed == 1 && c.relay.Stats().Followed == 1 })
	check := func(first int, all ...*member) {
		t.Helper()
		for _, m := range all {
			until(t, m.name+" has all", func() bool { return m.count() >= last-first+1 })
			if wrong := m.numbers(first, last); wrong != "" {
				t.Error(wrong)
			}
		}
	}
	insert(10)
	insert(5000) // in parts
	check(1, a, b, c)

	began := time.Now()
	a.stop()
	insert(10)
	check(1, b, c)
	t.Logf("taken over after a stop, with the changes behind it, in %v", time.Since(began))

	owner, other := b, c
	if c.relay.Owner("acme") == "c" {
		owner, other = c, b
	}
	// The owner stands still where it cannot know that its lease is gone.
	until(t, "the owner is one", func() bool { return owner.relay.Stats().Owned == 1 })
	began = time.Now()
	owner.crash()
	insert(10)
	check(1, other)
	t.Logf("taken over from a node that ends all at once in %v", time.Since(began))
	if other.relay.Owner("acme") != other.name {
		t.Errorf("%q is the owner", other.relay.Owner("acme"))
	}
	first := last + 1
	d := &member{t: t, name: "d"}
	d.begin(dsn, other)
	until(t, "it follows", func() bool { return d.relay.Stats().Followed == 1 })
	insert(10)
	check(first, d)
	if done, err := d.relay.Drop(t.Context(), "acme", 1, func(context.Context) error { return nil }); done || err != nil {
		t.Errorf("the slot of a stream that is used is dropped: %v, %v", done, err)
	}
}
