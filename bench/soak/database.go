//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/account"
	"github.com/tutti-realtime/tutti/internal/postmaster"
)

// tables are what clients subscribe to. Rows without an owner are for all. The
// policy of notes is one that a server can judge in memory; that of letters is
// not, as it asks another table.
const tables = `
CREATE TABLE notes (id bigint PRIMARY KEY, owner uuid);
CREATE TABLE letters (id bigint PRIMARY KEY, owner uuid);
CREATE TABLE readers (owner uuid PRIMARY KEY);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE letters ENABLE ROW LEVEL SECURITY;
CREATE POLICY "your own" ON notes FOR SELECT TO authenticated USING (owner IS NULL OR owner = auth.uid());
CREATE POLICY "of readers" ON letters FOR SELECT TO authenticated
  USING ((owner IS NULL OR owner = auth.uid()) AND EXISTS (SELECT FROM readers r WHERE r.owner = auth.uid()));
GRANT SELECT ON notes, letters, readers TO authenticated;
ALTER PUBLICATION supabase_realtime ADD TABLE notes, letters;
`

// vaultPolicy lets readers into one private channel.
const vaultPolicy = `CREATE POLICY "readers of the vault" ON realtime.messages FOR SELECT TO authenticated
  USING (realtime.topic() = 'vault' AND EXISTS (SELECT FROM public.readers r WHERE r.owner = auth.uid()))`

// stranger owns rows that nobody here may see.
const stranger = "99999999-0000-4000-8000-000000000000"

// startDatabase starts a PostgreSQL with a database for the tenant.
func (s *stage) startDatabase(ctx context.Context) (err error) {
	if s.server, err = postmaster.Start(ctx, postmaster.Config{}); err != nil {
		return err
	}
	if s.dsn, _, err = postmaster.Clone(ctx, s.server.DSN("postgres"), "template0"); err != nil {
		return err
	}
	if err := postmaster.Prepare(ctx, s.dsn); err != nil {
		return err
	}
	return s.execute(ctx, tables)
}

// furnish makes what needs a server that has made its tables: another tenant, and
// the policy of the private channel.
func (s *stage) furnish(ctx context.Context) error {
	token, err := mint("service_role", "", time.Hour)
	if err != nil {
		return err
	}
	// The tables of a tenant are made for the first who asks for them.
	if _, err := s.nodes[0].request(ctx, http.MethodGet, "/api/tenants/"+ours+"/health", token, nil); err != nil {
		return err
	}
	other := map[string]any{"tenant": map[string]any{"jwt_secret": secret, "extensions": []any{}}}
	if _, err := s.nodes[0].request(ctx, http.MethodPut, "/api/tenants/"+theirs, token, other); err != nil {
		return err
	}
	var last error
	err = s.await(ctx, "the tenant's tables are there", func(ctx context.Context) bool {
		s.visit(ctx)
		last = s.execute(ctx, vaultPolicy)
		return last == nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return nil
}

// visit has somebody ask for rows, which makes a server prepare the database.
func (s *stage) visit(ctx context.Context) {
	token, err := mint("anon", "", time.Hour)
	if err != nil {
		return
	}
	rows := []any{map[string]any{"event": "*", "schema": "public", "table": "notes"}}
	c, err := s.connect(ctx, ticket{tenant: ours, at: s.nodes[0].at, topic: "realtime:visit", token: token, config: map[string]any{"postgres_changes": rows}})
	if err != nil {
		return
	}
	var run sync.WaitGroup
	run.Go(func() { c.run(ctx) })
	_ = c.enter(ctx)
	c.end()
	run.Wait()
}

func (s *stage) execute(ctx context.Context, sql string, args ...any) error {
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("run SQL: %w", err)
	}
	return nil
}

// A hand is one that writes rows all the time, a transaction after another.
type hand struct {
	stage  *stage
	book   *account.Rows
	sql    string        // writes rows of ids from $1 for owners $2
	most   int           // rows of a transaction
	pause  time.Duration // between transactions, on average
	owners []string      // of rows, in turn; "" is everybody
	random *rand.Rand

	turn int
}

const (
	insertInto = `INSERT INTO %s (id, owner) SELECT $1 + n - 1, nullif(o, '')::uuid FROM unnest($2::text[]) WITH ORDINALITY AS u (o, n)`
	sendTo     = `SELECT realtime.send(jsonb_build_object('id', $1 + n - 1), 'row', '%s', %t) FROM unnest($2::text[]) WITH ORDINALITY AS u (o, n)`
)

// hands returns all that write. Rows are for the subjects of clients in turn.
func (s *stage) hands(subjects []string) (all []*hand) {
	owners := []string{"", stranger}
	for _, sub := range subjects {
		owners = append(owners, "", sub)
	}
	add := func(h hand, n int) {
		for range n {
			one := h
			one.stage, one.random = s, rand.New(rand.NewPCG(s.seed, uint64(len(all))))
			all = append(all, &one)
		}
	}
	add(hand{book: s.rows, sql: fmt.Sprintf(insertInto, "notes"), most: 3, pause: 120 * time.Millisecond, owners: owners}, 2)
	add(hand{book: s.rows, sql: fmt.Sprintf(insertInto, "letters"), most: 3, pause: 120 * time.Millisecond, owners: owners}, 2)
	add(hand{book: s.rows, sql: fmt.Sprintf(sendTo, "room", false), most: 2, pause: 200 * time.Millisecond, owners: []string{""}}, 1)
	add(hand{book: s.vault, sql: fmt.Sprintf(sendTo, "vault", true), most: 1, pause: 900 * time.Millisecond, owners: []string{""}}, 1)
	return all
}

// write writes until ctx ends. It opens a connection whenever it has none.
func (h *hand) write(ctx context.Context) {
	var conn *pgx.Conn
	lasting := context.WithoutCancel(ctx) // what has begun is ended, so that we know how
	defer func() {
		if conn != nil {
			_ = conn.Close(lasting)
		}
	}()
	for ctx.Err() == nil {
		var err error
		if conn == nil {
			conn, err = pgx.Connect(ctx, h.stage.dsn)
		}
		if err == nil {
			err = h.transaction(lasting, conn)
		}
		if err != nil && conn != nil {
			_ = conn.Close(lasting)
			conn = nil
		}
		_ = pause(ctx, time.Duration(h.random.Int64N(int64(2*h.pause))))
	}
}

func (h *hand) transaction(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	owners := make([]string, 1+h.random.IntN(h.most))
	for i := range owners {
		h.turn++
		owners[i] = h.owners[h.turn%len(h.owners)]
	}
	first := h.book.Add(owners, h.most != 3)
	mark := func(f account.Fate) {
		h.book.Mark(first, len(owners), func(r *account.Row) { r.Fate, r.Done = f, time.Now() })
	}
	tx, err := conn.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, h.sql, first, owners)
	}
	if err != nil {
		mark(account.Failed)
		return fmt.Errorf("write rows: %w", err)
	}
	begun := time.Now()
	h.book.Mark(first, len(owners), func(r *account.Row) { r.Begun = begun })
	if err := tx.Commit(ctx); err != nil {
		mark(account.Unknown)
		return fmt.Errorf("commit rows: %w", err)
	}
	mark(account.Committed)
	return nil
}

const (
	findRows  = `SELECT id FROM notes WHERE id = ANY($1) UNION SELECT id FROM letters WHERE id = ANY($1) UNION ` + findSent
	findVault = findSent
	findSent  = `SELECT (payload ->> 'id')::bigint FROM realtime.messages WHERE private = $2 AND (payload ->> 'id')::bigint = ANY($1)`
)

// settleRows finds out what became of transactions whose commit had no answer.
func (s *stage) settleRows(ctx context.Context) error {
	for _, one := range []struct {
		book    *account.Rows
		sql     string
		private bool
	}{{s.rows, findRows, false}, {s.vault, findVault, true}} {
		ids := one.book.Open()
		if len(ids) == 0 {
			continue
		}
		conn, err := pgx.Connect(ctx, s.dsn)
		if err != nil {
			return err
		}
		rows, _ := conn.Query(ctx, one.sql, ids, one.private) // its error comes when they are read
		found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		_ = conn.Close(ctx)
		if err != nil {
			return fmt.Errorf("look for rows: %w", err)
		}
		for _, id := range ids {
			one.book.Mark(id, 1, func(r *account.Row) { r.Fate = account.Failed })
		}
		for _, id := range found {
			one.book.Mark(id, 1, func(r *account.Row) { r.Fate, r.Done = account.Committed, time.Now() })
		}
	}
	return nil
}
