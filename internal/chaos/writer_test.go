//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/account"
)

// A writer writes rows all the time, in transactions that overlap.
type writer struct {
	dsn    string
	ledger *account.Rows

	mu     sync.Mutex // guards all below
	owners []string   // of rows, in turn; "" is everybody
	turn   int
}

// also has some rows written for one more owner.
func (w *writer) also(owner string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owners = append(w.owners, "", owner)
}

func (w *writer) next() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn++
	return w.owners[w.turn%len(w.owners)]
}

const (
	hands   = 6 // transactions at once
	pause   = 60 * time.Millisecond
	perTurn = 3 // most rows of a transaction
)

// messages is what stands for the table of a node that SQL sends broadcasts by.
// They come the way of rows, and have the same promises.
const messages = "realtime.messages"

// start writes until the returned function is called, which waits for all
// transactions to end and finds out what became of them.
func (w *writer) start(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var all sync.WaitGroup
	for hand := range hands {
		all.Go(func() { w.write(ctx, hand) })
	}
	stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
		w.settle(t)
	})
	t.Cleanup(func() { cancel(); all.Wait() })
	return stop
}

// write is one hand. It opens a connection whenever it has none.
func (w *writer) write(ctx context.Context, hand int) {
	table := []string{"notes", "letters", messages}[hand%3]
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx))
		}
	}()
	for ctx.Err() == nil {
		var err error
		if conn == nil {
			conn, err = pgx.Connect(ctx, w.dsn)
		}
		if err == nil {
			// What has begun is ended, so that we know how.
			err = w.transaction(context.WithoutCancel(ctx), conn, table, 1+rand.IntN(perTurn), "")
		}
		if err != nil && conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx))
			conn = nil
		}
		select {
		case <-time.After(rand.N(2 * pause)):
		case <-ctx.Done():
		}
	}
}

// transaction writes some rows at once.
func (w *writer) transaction(ctx context.Context, conn *pgx.Conn, table string, count int, body string) error {
	owners := make([]string, count)
	for i := range owners {
		if table != messages {
			owners[i] = w.next()
		}
	}
	return w.insert(ctx, conn, table, owners, body)
}

func (w *writer) insert(ctx context.Context, conn *pgx.Conn, table string, owners []string, body string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	first := w.ledger.Add(owners, table == messages)
	mark := func(f account.Fate) {
		w.ledger.Mark(first, len(owners), func(r *account.Row) { r.Fate, r.Done = f, time.Now() })
	}
	tx, err := conn.Begin(ctx)
	if err == nil {
		sql := `INSERT INTO ` + table + ` (id, owner, body) SELECT $1 + n - 1, nullif(o, '')::uuid, $3 FROM unnest($2::text[]) WITH ORDINALITY AS u (o, n)`
		if table == messages {
			sql = `SELECT realtime.send(jsonb_build_object('id', $1 + n - 1, 'body', $3::text), '` + messageEvent + `', 'room', false) FROM unnest($2::text[]) WITH ORDINALITY AS u (o, n)`
		}
		_, err = tx.Exec(ctx, sql, first, owners, body)
	}
	if err != nil {
		mark(account.Failed)
		return fmt.Errorf("write rows: %w", err)
	}
	begun := time.Now()
	w.ledger.Mark(first, len(owners), func(r *account.Row) { r.Begun = begun })
	if err := tx.Commit(ctx); err != nil {
		mark(account.Unknown)
		return fmt.Errorf("commit rows: %w", err)
	}
	mark(account.Committed)
	return nil
}

// bulk writes many rows beside everything else: transactions of so many rows,
// each with a body of so many bytes, for owners in turn.
func (w *writer) bulk(ctx context.Context, transactions, rows, bytes int, owner func(i int) string) error {
	conn, err := pgx.Connect(ctx, w.dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for range transactions {
		owners := make([]string, rows)
		for i := range owners {
			owners[i] = owner(i)
		}
		if err := w.insert(ctx, conn, "notes", owners, strings.Repeat("x", bytes)); err != nil {
			return err
		}
	}
	return nil
}

// settle finds out what became of transactions whose commit had no answer.
func (w *writer) settle(t *testing.T) {
	ids := w.ledger.Open()
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.dsn)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(ctx)
	found, err := pgx.CollectRows(must(conn.Query(ctx,
		`SELECT id FROM notes WHERE id = ANY($1) UNION SELECT id FROM letters WHERE id = ANY($1)
		UNION SELECT (payload ->> 'id')::bigint FROM realtime.messages WHERE event = $2 AND (payload ->> 'id')::bigint = ANY($1)`, ids, messageEvent)), pgx.RowTo[int64])
	if err != nil {
		t.Error(err)
		return
	}
	there := map[int64]bool{}
	for _, id := range found {
		there[id] = true
	}
	for _, id := range ids {
		w.ledger.Mark(id, 1, func(r *account.Row) {
			r.Fate = account.Failed
			if there[id] {
				r.Fate, r.Done = account.Committed, time.Now()
			}
		})
	}
}

// must passes the rows on; their error comes when they are read.
func must(rows pgx.Rows, _ error) pgx.Rows { return rows }
