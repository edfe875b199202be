package wal

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti"
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

// A sqlCatalog is a Catalog with a connection.
type sqlCatalog struct {
	mu   sync.Mutex
	conn *pgx.Conn
}

// describeTypes finds, for the types wanted and those within them, what is under
// all domains, or under an array's elements.
const describeTypes = `WITH RECURSIVE step (want, oid, delim) AS (
		SELECT oid, oid, '' FROM pg_type WHERE oid = ANY($1)
	UNION
		SELECT next.want, next.oid, next.delim
		FROM step JOIN pg_type t ON t.oid = step.oid CROSS JOIN LATERAL (
			SELECT step.want, t.typbasetype, step.delim WHERE t.typtype = 'd'
			UNION ALL
			SELECT step.want, t.typelem, CASE WHEN t.oid IN (22, 30) THEN ' ' ELSE t.typdelim::text END
			WHERE t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc AND step.delim = ''
			UNION ALL
			SELECT a.atttypid, a.atttypid, '' FROM pg_attribute a
			WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
		) next (want, oid, delim)
	)
	SELECT step.want, want.typname::text, step.oid, step.delim, field.names, field.types
	FROM step JOIN pg_type want ON want.oid = step.want JOIN pg_type t ON t.oid = step.oid LEFT JOIN LATERAL (
		SELECT array_agg(a.attname::text ORDER BY a.attnum) AS names, array_agg(a.atttypid ORDER BY a.attnum) AS types
		FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
	) field ON t.typtype = 'c'
	WHERE t.typtype <> 'd' AND (step.delim <> '' OR t.typsubscript <> 'pg_catalog.array_subscript_handler'::regproc)`

// A described type is a row of describeTypes.
type described struct {
	Want, Base  uint32
	Name, Delim string
	FieldNames  []string // none: it is no composite
	FieldTypes  []uint32
}

func (s *sqlCatalog) DescribeTypes(ctx context.Context, columns []tutti.Column) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oids []uint32
	for _, c := range columns {
		oids = append(oids, c.TypeOID)
	}
	rows, err := s.conn.Query(ctx, describeTypes, oids)
	if err != nil {
		return err
	}
	all := map[uint32]described{}
	var d described
	_, err = pgx.ForEachRow(rows, []any{&d.Want, &d.Name, &d.Base, &d.Delim, &d.FieldNames, &d.FieldTypes}, func() error {
		all[d.Want] = d
		d.FieldNames, d.FieldTypes = nil, nil
		return nil
	})
	if err == nil {
		fill(columns, all)
	}
	return err
}

// fill sets what is known of columns. PostgreSQL lets no composite be within
// itself, so it ends.
func fill(columns []tutti.Column, all map[uint32]described) {
	for i := range columns {
		c := &columns[i]
		d, ok := all[c.TypeOID]
		if !ok {
			continue
		}
		c.Type, c.Base, c.Delim, c.Fields = d.Name, d.Base, 0, nil
		if d.Delim != "" {
			c.Delim = d.Delim[0]
		}
		if len(d.FieldNames) == 0 {
			continue
		}
		c.Fields = make([]tutti.Column, len(d.FieldNames))
		for j, name := range d.FieldNames {
			c.Fields[j] = tutti.Column{Name: name, TypeOID: d.FieldTypes[j], TypeMod: -1}
		}
		fill(c.Fields, all)
	}
}
