package feed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/changes"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// with returns the node's tenant with other settings of its database.
func (n *node) with(dsn string, settings map[string]any) *tutti.Tenant {
	return tenantOf(n.t, dsn, settings)
}

// reading returns how many tenants are read.
func (n *node) reading() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.readers)
}

func TestAFeedThatNobodyWantsStops(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	n.Idle = time.Millisecond
	for i := range 3 {
		w := n.witnessing("anon", notesEntry)
		w.note(t, dsn, i+1)
		n.Unsubscribe(w.Subscriber)
		if i == 1 {
			continue // and another comes right then
		}
		until(t, "the feed has stopped and its slot is gone", func() bool { return n.reading() == 0 && slots(t, db, n.slotName()) == 0 })
	}
}

func TestATenantThatIsDeleted(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	n.Enter(n.tenant)
	w, other := n.witnessing("anon", notesEntry), n.witnessing("authenticated", notesEntry)
	w.note(t, dsn, 1)
	n.TenantChanged("acme", n.tenant, nil)
	n.Unsubscribe(other.Subscriber) // its sockets are closed, too
	n.Leave("acme")
	until(t, "told", func() bool { return w.times(gone) == 1 })
	until(t, "its slot is gone", func() bool { return n.reading() == 0 && slots(t, db, n.slotName()) == 0 })
	n.Unsubscribe(w.Subscriber)

	// It is made again while it is being deleted.
	first := n.witnessing("anon", notesEntry)
	n.TenantChanged("acme", n.tenant, nil)
	again := n.witnessing("anon", notesEntry)
	again.note(t, dsn, 2)
	if first.times(gone) != 1 || again.times("error") != 0 {
		t.Errorf("told %q and %q", first.told(), again.told())
	}
	if n.reading() != 1 || slots(t, db, n.slotName()) != 1 {
		t.Error("it is not read once")
	}
}

func TestATenantWithAnotherDatabase(t *testing.T) {
	t.Parallel()
	before, after := postmastertest.Database(t), postmastertest.Database(t)
	dbs := open(t, before)
	psql(t, dbs, table)
	psql(t, open(t, after), table)
	n := newNode(t, before, nil)
	w := n.witnessing("anon", notesEntry)
	w.note(t, before, 1)
	n.TenantChanged("acme", n.tenant, n.with(after, nil))
	until(t, "it is subscribed there", func() bool { return w.times(subscribed) == 2 })
	until(t, "the slot in the first is dropped", func() bool { return slots(t, dbs, n.slotName()) == 0 })
	psql(t, dbs, "INSERT INTO notes (id) VALUES (2)")
	w.note(t, after, 3)
	compare(t, "anon", w.heard(), []string{"INSERT notes 1", "INSERT notes 3"})
}

// Settings of the same slot that change, in a storm of writes: nobody is told,
// nothing is missed, nothing comes twice.
func TestSettingsThatChange(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	weather(t, dsn, nil, func(n *node) {
		slot := value[string](t, db, "SELECT coalesce(max(restart_lsn), '0/0')::text FROM pg_replication_slots WHERE slot_name = $1", n.slotName())
		repeat(10, 100*time.Millisecond, func(i int) {
			terminate(t, db, checker)
			n.TenantChanged("acme", n.tenant, n.with(dsn, map[string]any{"retention_hours": float64(i%5 + 1)}))
		})
		if slots(t, db, n.slotName()) != 1 {
			t.Errorf("the slot of %s is gone", slot)
		}
	})
}

func TestWhatCommitsWhileNobodyRuns(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	n := newNode(t, dsn, nil)
	w := n.witnessing("anon", notesEntry)
	w.note(t, dsn, 1)
	n.stop()
	if slots(t, db, n.slotName()) != 1 {
		t.Fatal("the slot did not stay")
	}
	psql(t, db, "INSERT INTO notes (id) VALUES (2)")
	next := newNode(t, dsn, nil)
	heard := next.witnessing("anon", notesEntry)
	heard.note(t, dsn, 3)
	if got := heard.heard(); !slices.Equal(got[len(got)-2:], []string{"INSERT notes 2", "INSERT notes 3"}) {
		t.Errorf("heard %q", got)
	}
}

func TestTwoWhoReadTheSameSlot(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	psql(t, open(t, dsn), table)
	first, second := newNode(t, dsn, nil), newNode(t, dsn, nil)
	one := first.witnessing("anon", notesEntry)
	one.note(t, dsn, 1)
	two := second.witness("anon", notesEntry)
	until(t, "the second is told", func() bool { return two.times("ReplicationSlotBeingUsed") == 1 })
	first.stop()
	two.note(t, dsn, 2)
	if told := two.told(); len(told) != 2 {
		t.Errorf("told %q", told)
	}
}

// left returns what a node still holds of those who have left.
func (r *reader) left() (subscriptions, viewers, pending, members int) {
	r.index.Match(&tutti.Change{Kind: tutti.Insert, Table: &tutti.Table{Schema: "public", Name: "notes"}}, func(g *changes.Group[*target], _ changes.Verdict) {
		members += len(g.Who())
	})
	return len(r.subscriptions), len(r.viewers), len(r.pending), members
}

// Many come, go and change their minds while changes flow.
func TestManyComeAndGo(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, guarded)
	n := newNode(t, dsn, nil)
	stays := n.witnessing("service_role", notesEntry)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	var coming sync.WaitGroup
	for i := range 8 {
		coming.Go(func() {
			random := rand.New(rand.NewPCG(3, uint64(i)))
			var here []*witness
			for ctx.Err() == nil {
				switch k := random.IntN(20); {
				case k < 8:
					entry := fmt.Sprintf(`[{"event":"*","schema":"public","table":"notes","filter":"id=gt.%d"}]`, random.IntN(100))
					here = append(here, n.witness([]string{ann, bob, "anon", "nobody"}[random.IntN(4)], entry))
				case k < 14 && len(here) > 0:
					n.Unsubscribe(here[0].Subscriber)
					here = here[1:]
				case k < 18 && len(here) > 0:
					n.Renew(here[random.IntN(len(here))].Subscriber, claimsOf([]string{ann, bob, "anon"}[random.IntN(3)]))
				case k == 18:
					changed := n.with(dsn, map[string]any{"replay_limit": float64(1 + random.IntN(3))})
					changed.MaxEventsPerSecond = 1<<30 + random.IntN(10)
					n.TenantChanged("acme", n.tenant, changed)
				case k == 19:
					if n.Enter(n.tenant) {
						n.Leave("acme")
					}
				}
				repeat(1, time.Duration(random.IntN(20))*time.Millisecond, func(int) {})
			}
			for _, w := range here {
				n.Unsubscribe(w.Subscriber)
			}
		})
	}
	rows := 0
	for ctx.Err() == nil {
		rows++
		psql(t, db, fmt.Sprintf("INSERT INTO notes VALUES (%d, 'a', '%s')", rows, ann))
	}
	coming.Wait()
	rows++
	stays.note(t, dsn, rows)
	var want []string
	for i := range rows {
		want = append(want, fmt.Sprint("INSERT notes ", i+1))
	}
	compare(t, "one who stays", stays.heard(), want)
	n.mu.Lock()
	r := n.readers["acme"]
	n.mu.Unlock()
	n.stop()
	if subscriptions, viewers, pending, members := r.left(); subscriptions != 1 || viewers != 1 || pending != 0 || members != 1 {
		t.Errorf("%d subscriptions, %d viewers, %d pending and %d in the index are left", subscriptions, viewers, pending, members)
	}
}

func TestADeletedTenantsSlotIsDroppedWhoeverReadIt(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	psql(t, db, table)
	first := newNode(t, dsn, nil)
	first.hearing("anon", `[{"event":"*","schema":"public","table":"notes"}]`)
	first.stop()
	slot := first.slotName()
	if slots(t, db, slot) != 1 {
		t.Fatal("a node that stopped left no slot")
	}
	second := newNode(t, dsn, nil)
	second.TenantChanged("acme", second.tenant, nil)
	until(t, "the slot is gone", func() bool { return slots(t, db, slot) == 0 })
}
