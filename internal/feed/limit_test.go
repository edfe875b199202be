package feed

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// What a limit takes away is counted, and told.
func TestALimitOfEvents(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	ctx, stop := context.WithCancel(t.Context())
	ticking := make(chan struct{})
	go func() {
		defer close(ticking)
		_ = n.Meters.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-ticking })
	limited := *n.tenant
	limited.MaxEventsPerSecond = 50
	n.tenant = &limited
	w := n.witnessing("anon", notesEntry)
	psql(t, db, "INSERT INTO notes SELECT i, 'a' FROM generate_series(1, 2000) i")
	w.reach(t, "INSERT notes 2000")
	meters := n.Meters.Of("acme")
	until(t, "the average is over the limit", func() bool { return meters.DBEvents.Over(50) })
	psql(t, db, "INSERT INTO notes SELECT i, 'b' FROM generate_series(2001, 2300) i")
	until(t, "the loss is told", func() bool { return w.times("Too many database changes per second") > 0 })
	psql(t, db, "INSERT INTO notes SELECT i, 'b' FROM generate_series(2301, 2400) i")

	// More of the limit is in force at once, and disturbs nobody.
	raised := limited
	raised.MaxEventsPerSecond = 1 << 20
	n.TenantChanged("acme", n.tenant, &raised)
	until(t, "more comes", func() bool {
		psql(t, db, "INSERT INTO notes SELECT 1 + max(id), 'c' FROM notes")
		return len(w.heard()) > 2000
	})
	told := w.told()
	if len(told) != 2 || !strings.Contains(told[1], "300 were not delivered. The tenant's max_events_per_second is 50") {
		t.Errorf("told %q", told)
	}
}

// A counter is a hearer that counts, and may be slow.
type counter struct {
	*changes.Subscriber
	rows  atomic.Int64
	said  chan string
	pause func(n int64)
}

func (c *counter) HearRow(*changes.Row, []uint32) {
	n := c.rows.Add(1)
	if c.pause != nil {
		c.pause(n)
	}
}
func (c *counter) HearRows(status, message string) { c.said <- status + ": " + message }

func (n *node) counting(loop int, pause func(int64)) *counter {
	n.t.Helper()
	all, err := changes.Entries([]byte(notesEntry))
	if err != nil {
		n.t.Fatal(err)
	}
	c := &counter{said: make(chan string, 100), pause: pause}
	c.Subscriber = &changes.Subscriber{Tenant: n.tenant.ExternalID, Claims: claimsOf("anon"), Entries: all, Hearer: c, Loop: loop}
	n.Subscribe(n.tenant, c.Subscriber)
	if got := <-c.said; got != "ok: "+subscribed {
		n.t.Fatal(got)
	}
	return c
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Many rows for loops that do not move hold as much memory as some do; when the
// loops move, all come.
func TestATransactionThatIsLargerThanTheMemory(t *testing.T) {
	for name, tt := range map[string]struct {
		rows  int64
		width int
		most  int64 // bytes
	}{
		"of many rows":  {200_000, 10, 120 << 20},
		"of large rows": {500, 200_000, 60 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := postmastertest.Database(t)
			db := open(t, dsn)
			psql(t, db, table)
			n := newNode(t, dsn, nil)
			gate := make(chan struct{})
			slow := func(k int64) {
				if k == 1 {
					<-gate
				}
			}
			all := []*counter{n.counting(0, slow), n.counting(0, nil), n.counting(1, nil)}
			leaver := n.counting(1, nil)
			before := heap()
			psql(t, db, fmt.Sprintf("INSERT INTO notes SELECT i, repeat('x', %d) FROM generate_series(1, %d) i", tt.width, tt.rows))
			until(t, "one hears something", func() bool { return all[2].rows.Load() > 0 })
			n.Unsubscribe(leaver.Subscriber)
			last := int64(-1)
			until(t, "nothing moves", func() bool {
				now := all[2].rows.Load()
				still := now == last
				last = now
				repeat(1, 300*time.Millisecond, func(int) {})
				return still
			})
			if grown := heap() - before; grown > tt.most {
				t.Errorf("%d MB are held", grown>>20)
			} else {
				t.Logf("%d MB are held, %d rows were heard", grown>>20, last)
			}
			if last == tt.rows {
				t.Error("all was handed out, though one loop stood still")
			}
			close(gate)
			for i, c := range all {
				until(t, "all is heard", func() bool { return c.rows.Load() == tt.rows })
				if len(c.said) > 0 {
					t.Errorf("%d was told %s", i, <-c.said)
				}
			}
		})
	}
}

// A hearer that panics hurts nobody else: the loop calls again what it was given.
func TestAHearerThatPanics(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	for i, l := range n.Loops {
		n.Loops[i] = rescuer{l}
	}
	bad := n.counting(0, func(int64) { panic("no") })
	good := n.witnessing("anon", notesEntry) // on the same loop
	psql(t, db, "INSERT INTO notes SELECT i, 'a' FROM generate_series(1, 5000) i", "INSERT INTO notes VALUES (5001)")
	if got := good.reach(t, "INSERT notes 5001"); len(got) != 5001 {
		t.Errorf("heard %d", len(got))
	}
	if got := bad.rows.Load(); got != 5001 {
		t.Errorf("the bad one heard %d", got)
	}
	until(t, "it is confirmed", func() bool {
		return value[bool](t, db, "SELECT confirmed_flush_lsn > $1::pg_lsn FROM pg_replication_slots WHERE slot_name = $2",
			value[string](t, db, "SELECT coalesce(max(restart_lsn), '0/0')::text FROM pg_replication_slots WHERE slot_name = $1", n.slotName()), n.slotName())
	})
}

// A rescuer is a loop that calls again what panics, as event loops do.
type rescuer struct{ Loop }

func (r rescuer) Post(deliveries, bytes int, f func()) bool {
	return r.Loop.Post(deliveries, bytes, func() {
		for !survives(f) {
		}
	})
}

func survives(f func()) (whole bool) {
	defer func() { _ = recover() }()
	f()
	return true
}
