package wal

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(postmastertest.With(m)) }

// patience is for what takes milliseconds.
const patience = 30 * time.Second

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

func value[T any](t testing.TB, conn *pgx.Conn, sql string, args ...any) (v T) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// slotOf returns a name that no other database of the server uses.
func slotOf(t testing.TB, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return "slot_" + strings.ReplaceAll(u.Path[1:], "-", "_")
}

// until waits for a condition of the database.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// A runner is a feed that runs, and what it has said.
type runner struct {
	*Feed
	transactions chan tutti.Transaction
	states       chan State
	stop         context.CancelCauseFunc
	done         chan struct{}
	err          error // of Run; once done is closed
}

var errStopped = errors.New("the test has stopped it")

// feed makes a feed for a database, with its queues large enough for any test.
func feed(t testing.TB, dsn string) *runner {
	t.Helper()
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{transactions: make(chan tutti.Transaction, 1<<16), states: make(chan State, 1<<12)}
	r.Feed = &Feed{
		Config: config, Slot: slotOf(t, dsn), Publications: []string{Publication},
		State: func(s State) { r.states <- s },
	}
	r.Deliver = func(_ context.Context, tx tutti.Transaction) error {
		r.transactions <- tx
		if tx.EndLSN != 0 {
			r.Confirm(tx.EndLSN)
		}
		return nil
	}
	return r
}

// run runs the feed until the test or finish ends it.
func (r *runner) run(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancelCause(t.Context())
	done := make(chan struct{})
	r.stop, r.done = stop, done
	go func() {
		defer close(done)
		r.err = r.Run(ctx)
	}()
	t.Cleanup(func() { r.finish() })
}

func (r *runner) finish() error {
	r.stop(errStopped)
	<-r.done
	return r.err
}

// await returns the next state of a kind.
func await[S State](t testing.TB, r *runner) S {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case s := <-r.states:
			if wanted, ok := s.(S); ok {
				return wanted
			}
			if down, ok := s.(Down); ok {
				t.Log(down.Failure)
			}
		case <-timeout:
			var s S
			t.Fatalf("no %T within %v", s, patience)
		}
	}
}

// next returns the next part of a transaction.
func (r *runner) next(t testing.TB) tutti.Transaction {
	t.Helper()
	select {
	case tx := <-r.transactions:
		return tx
	case <-time.After(patience):
		t.Fatalf("no transaction within %v", patience)
		return tutti.Transaction{}
	}
}

// say writes a change in one line.
func say(c tutti.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s.%s", c.Kind, c.Table.Schema, c.Table.Name)
	for _, part := range []struct {
		name   string
		values []tutti.Value
	}{{"old", c.Old}, {"new", c.New}} {
		if part.values == nil {
			continue
		}
		fmt.Fprintf(&b, " %s", part.name)
		for i, v := range part.values {
			text := [...]string{"absent", "null", "unchanged", string(v.Text)}[v.Kind]
			fmt.Fprintf(&b, " %s=%s", c.Table.Columns[i].Name, text)
		}
	}
	return b.String()
}

// catalogOf returns the Catalog that a server uses.
func catalogOf(t testing.TB, dsn string) Catalog {
	t.Helper()
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	d, err := postgres.OpenDatabase(tutti.Database{
		Host: c.Host, Port: c.Port, Name: c.Database, User: c.User, Password: c.Password, Pool: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}
