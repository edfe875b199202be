package wal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

const numbers = `CREATE TABLE n (id bigint PRIMARY KEY, t text);
	ALTER PUBLICATION supabase_realtime ADD TABLE n`

func TestAFeedHandsOver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before []string // Live
		after  string   // one transaction
		want   []string
	}{
		"an insert": {after: "INSERT INTO n VALUES (1, 'a')", want: []string{"INSERT public.n new id=1 t=a"}},
		"an update, with the new row only": {
			before: []string{"INSERT INTO n VALUES (1, 'a')"}, after: "UPDATE n SET t = NULL",
			want: []string{"UPDATE public.n new id=1 t=null"},
		},
		"an update of the key, with the old one": {
			before: []string{"INSERT INTO n VALUES (1, 'a')"}, after: "UPDATE n SET id = 2",
			want: []string{"UPDATE public.n old id=1 t=absent new id=2 t=a"},
		},
		"an update with the whole old row of a full identity": {
			before: []string{"ALTER TABLE n REPLICA IDENTITY FULL", "INSERT INTO n VALUES (1, NULL)"},
			after:  "UPDATE n SET t = 'b'", want: []string{"UPDATE public.n old id=1 t=null new id=1 t=b"},
		},
		"a large value that an update leaves": {
			before: []string{
				"ALTER TABLE n ALTER t SET STORAGE EXTERNAL", "INSERT INTO n SELECT 1, repeat('x', 10000)",
			},
			after: "UPDATE n SET id = 2", want: []string{"UPDATE public.n old id=1 t=absent new id=2 t=unchanged"},
		},
		"a delete": {
			before: []string{"INSERT INTO n VALUES (1, 'a')"}, after: "DELETE FROM n",
			want: []string{"DELETE public.n old id=1 t=absent"},
		},
		"a truncate": {after: "TRUNCATE n", want: []string{"TRUNCATE public.n"}},
		"a table as it is within the transaction": {
			after: `INSERT INTO n VALUES (1, 'a'); ALTER TABLE n DROP t; ALTER TABLE n RENAME TO "m n"; INSERT INTO "m n" VALUES (2)`,
			want:  []string{"INSERT public.n new id=1 t=a", "INSERT public.m n new id=2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := postmastertest.Database(t)
			conn := open(t, dsn)
			psql(t, conn, numbers)
			psql(t, conn, tt.before...)
			r := feed(t, dsn)
			r.run(t)
			await[Live](t, r)
			psql(t, conn, "CREATE TABLE other (id int); INSERT INTO other VALUES (1)", tt.after)
			tx := r.next(t)
			var got []string
			for _, c := range tx.Changes {
				got = append(got, say(c))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tx.ID == 0 || tx.CommitLSN == 0 || tx.EndLSN <= tx.CommitLSN || tx.More || time.Since(tx.Committed).Abs() > time.Minute {
				t.Errorf("it is of a strange transaction: %+v", tx)
			}
			if err := r.finish(); !errors.Is(err, errStopped) {
				t.Errorf("it ended with %v", err)
			}
			if err := Drop(t.Context(), r.Config, r.Slot); err != nil {
				t.Errorf("the slot was not free when it had ended: %v", err)
			}
		})
	}
}

// A million rows must not be a million rows of memory.
func TestALargeTransaction(t *testing.T) {
	const rows = 1_000_000
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, numbers)
	r := feed(t, dsn)
	var (
		count, parts, peak int
		last               = make(chan struct{})
		stats              runtime.MemStats
	)
	r.Deliver = func(_ context.Context, tx tutti.Transaction) error {
		if len(tx.Changes) > maxPartChanges {
			t.Errorf("a part has %d changes", len(tx.Changes))
		}
		for _, c := range tx.Changes {
			count++
			if got := string(c.New[0].Text); got != strconv.Itoa(count) {
				return fmt.Errorf("change %d is of row %s", count, got)
			}
		}
		if parts++; parts%16 == 0 {
			runtime.ReadMemStats(&stats)
			peak = max(peak, int(stats.HeapInuse))
		}
		if !tx.More {
			close(last)
		}
		return nil
	}
	r.run(t)
	await[Live](t, r)
	began := time.Now()
	psql(t, conn, fmt.Sprintf("INSERT INTO n SELECT i, 'row ' || i FROM generate_series(1, %d) i", rows))
	committed := time.Now()
	select {
	case <-last:
	case <-r.done:
		t.Fatal(r.err)
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not come to an end")
	}
	if count != rows {
		t.Errorf("%d rows have come", count)
	}
	if peak > 64<<20 {
		t.Errorf("the heap grew to %d MB", peak>>20)
	}
	t.Logf("written in %v, read in %v; %d parts, heap %d MB", committed.Sub(began), time.Since(committed), parts, peak>>20)
}

func TestPartsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, numbers)
	r := feed(t, dsn)
	r.run(t)
	await[Live](t, r)
	psql(t, conn, "INSERT INTO n SELECT i, repeat('x', 300000) FROM generate_series(1, 10) i")
	var sizes []int
	for more := true; more; {
		tx := r.next(t)
		more = tx.More
		sizes = append(sizes, len(tx.Changes))
		if more != (tx.EndLSN == 0) {
			t.Errorf("more %v, with the end %v", more, tx.EndLSN)
		}
	}
	if want := []int{3, 3, 3, 1}; !slices.Equal(sizes, want) {
		t.Errorf("parts of %v changes, want %v", sizes, want)
	}
}

// What the owner has not confirmed comes again to the next process.
func TestOnlyWhatIsConfirmedIsForgotten(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, numbers)
	r := feed(t, dsn)
	r.Deliver = func(_ context.Context, tx tutti.Transaction) error {
		r.transactions <- tx
		return nil
	}
	r.run(t)
	live := await[Live](t, r)
	psql(t, conn, "INSERT INTO n VALUES (1)", "INSERT INTO n VALUES (2)", "CREATE TABLE other (id int)")
	first := r.next(t)
	r.next(t)
	confirmed := func() uint64 {
		slot, _, err := Inspect(t.Context(), r.Config, r.Slot)
		if err != nil {
			t.Fatal(err)
		}
		return slot.Confirmed
	}
	if got := confirmed(); got != live.Since && got >= first.EndLSN {
		t.Errorf("the slot stands at %s without our word", FormatLSN(got))
	}
	r.Confirm(first.EndLSN)
	until(t, "the server hears", func() bool { return confirmed() == first.EndLSN })
	r.finish()
	second := feed(t, dsn)
	second.run(t)
	await[Live](t, second)
	if got := say(second.next(t).Changes[0]); got != "INSERT public.n new id=2 t=null" {
		t.Errorf("the next process begins with %s", got)
	}
	// What holds nothing for us is confirmed without the owner's word.
	psql(t, conn, "INSERT INTO other VALUES (1)")
	end := value[string](t, conn, "SELECT pg_current_wal_insert_lsn()::text")
	lsn, err := parseLSN(end)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the log of others is let go", func() bool {
		psql(t, conn, "INSERT INTO other VALUES (1)")
		return confirmed() >= lsn
	})
}

func TestADeliverThatFailsEndsTheFeed(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, numbers)
	r := feed(t, dsn)
	full, deliver := errors.New("full"), r.Deliver
	r.Deliver = func(context.Context, tutti.Transaction) error { return full }
	r.run(t)
	await[Live](t, r)
	psql(t, conn, "INSERT INTO n VALUES (1)")
	<-r.done
	if !errors.Is(r.err, full) {
		t.Errorf("it ended with %v", r.err)
	}
	r.Deliver = deliver
	r.run(t)
	if got := say(r.next(t).Changes[0]); got != "INSERT public.n new id=1 t=null" {
		t.Errorf("the second Run begins with %s", got)
	}
}

// A storm of writes while connections are cut: nothing is lost, nothing comes
// twice, all comes in order.
func TestAStorm(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn, cutter := open(t, dsn), open(t, dsn)
	psql(t, conn, numbers)
	r := feed(t, dsn)
	r.run(t)
	await[Live](t, r)
	var written, cuts atomic.Int64
	writing := make(chan error, 1)
	go func() {
		defer close(writing)
		for i := 0; i < 200 || cuts.Load() < 5; i++ {
			size := 1
			if i < 200 && i%20 == 7 {
				size = 2500 // comes in parts, and may be cut between them
			}
			from := written.Load()
			if _, err := conn.Exec(t.Context(), "INSERT INTO n SELECT i FROM generate_series($1::bigint, $2) i",
				from+1, from+int64(size)); err != nil {
				writing <- err
				return
			}
			written.Add(int64(size))
		}
	}()
	for done := false; !done; {
		select {
		case err := <-writing:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		case <-time.After(30 * time.Millisecond):
			cuts.Add(int64(cut(t, cutter, r.Slot)))
		}
	}
	seen := int64(0)
	for seen < written.Load() {
		for _, c := range r.next(t).Changes {
			if seen++; string(c.New[0].Text) != strconv.FormatInt(seen, 10) {
				t.Fatalf("row %s after row %d", c.New[0].Text, seen-1)
			}
		}
	}
	t.Logf("%d rows, %d cuts", seen, cuts.Load())
	for {
		select {
		case s := <-r.states:
			if lost, ok := s.(Lost); ok {
				t.Errorf("it says that it has lost something: %+v", lost)
			}
		default:
			return
		}
	}
}

// cut ends the connection that reads from a slot, and returns how many there were.
func cut(t *testing.T, conn *pgx.Conn, slot string) int {
	return value[int](t, conn, `SELECT count(pg_terminate_backend(active_pid)) FROM pg_replication_slots
		WHERE slot_name = $1 AND active_pid IS NOT NULL`, slot)
}

// The server must not think that a feed whose consumer is slow is dead.
func TestASlowConsumer(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, numbers, "ALTER ROLE supabase_admin IN DATABASE "+conn.Config().Database+" SET wal_sender_timeout = '1s'")
	r := feed(t, dsn)
	deliver := r.Deliver
	r.Deliver = func(ctx context.Context, tx tutti.Transaction) error {
		<-time.After(5 * time.Second)
		return deliver(ctx, tx)
	}
	r.run(t)
	await[Live](t, r)
	// More than fits into sockets, so that the server blocks too.
	psql(t, conn, "INSERT INTO n SELECT i, repeat('x', 50000) FROM generate_series(1, 30) i",
		"INSERT INTO n SELECT i, repeat('x', 500000) FROM generate_series(101, 140) i")
	r.next(t)
	select {
	case s := <-r.states:
		t.Errorf("after five seconds: %#v", s)
	default:
	}
	r.finish()
}
