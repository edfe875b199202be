package feed

import (
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
	"github.com/tutti-realtime/tutti/internal/tally"
)

// sheet returns what was counted of the tenant.
func (n *node) sheet() (s tally.Sheet) {
	n.Meters.Of(n.tenant.ExternalID).Tally.AddTo(&s)
	return s
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for timeout := time.After(patience); !so(); {
		select {
		case <-timeout:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// What a feed does is counted, and it is shown how it stands.
func TestAFeedIsMeasured(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	db := open(t, dsn)
	// Of such a policy only the database knows.
	psql(t, db, guarded, "CREATE TABLE members (id uuid)", "GRANT SELECT ON members TO authenticated",
		"ALTER POLICY own ON notes USING (owner = auth.uid() OR owner IN (SELECT id FROM members))")
	n := newNode(t, dsn, nil)
	n.Enter(n.tenant)
	const entry = `[{"event":"*","schema":"public","table":"notes"}]`
	mine, same, other := n.hearing(ann, entry), n.hearing(ann, entry), n.hearing(bob, entry)
	stands := &n.Meters.Of("acme").Tally.Feed
	eventually(t, "the feed to stand", func() bool {
		return stands.Open.Load() && stands.Live.Load() && stands.Subscriptions.Load() == 3 && stands.Identities.Load() == 2
	})
	psql(t, db, "INSERT INTO notes VALUES (1, 'a', '"+ann+"')", "SELECT realtime.send('{}', 'hello', 'room', false)")
	mine.titles(1)
	same.titles(1)
	n.message()
	eventually(t, "all to be counted", func() bool {
		s := n.sheet()
		return s.Counts[tally.RowsHandedOut] == 1 && s.Measures[tally.FromInsert].Count() == 1
	})
	s := n.sheet()
	for m, want := range map[tally.Measure]int64{
		tally.VisibleCheck: 1, tally.Identities: 1, tally.RowBytes: 1, tally.CommitToHandOut: 1, tally.FromCommit: 1, tally.BroadcastBytes: 1,
	} {
		if got := s.Measures[m].Count(); got != want {
			t.Errorf("measure %d was taken %d times, want %d", m, got, want)
		}
	}
	if got := s.Measures[tally.Identities].Sum(); got != 2 {
		t.Errorf("%d identities were asked about, want 2", got)
	}
	for _, m := range []tally.Measure{tally.CommitToHandOut, tally.FromCommit, tally.FromInsert} {
		if got := time.Duration(s.Measures[m].Sum()); got < 0 || got > patience {
			t.Errorf("measure %d is %v", m, got)
		}
	}
	other.silent()

	// While nobody judges, the oldest commit gets older, and the database keeps its log.
	hold := open(t, dsn)
	psql(t, hold, "BEGIN", "LOCK TABLE members IN ACCESS EXCLUSIVE MODE")
	psql(t, db, "INSERT INTO notes SELECT i, repeat('x', 1000), '"+ann+"' FROM generate_series(10, 500) i")
	eventually(t, "the feed to be behind", func() bool { return stands.Oldest.Load() != 0 })
	psql(t, hold, "ROLLBACK")
	mine.titles(491)
	eventually(t, "the feed to catch up", func() bool { return stands.Oldest.Load() == 0 && stands.LagBytes.Load() < 1<<20 })
	for _, e := range []*ear{mine, same, other} {
		n.Unsubscribe(e.Subscriber)
	}
	eventually(t, "nobody to be subscribed", func() bool { return stands.Subscriptions.Load() == 0 && stands.Identities.Load() == 0 })
	n.stop()
	if stands.Open.Load() || stands.Live.Load() {
		t.Error("a feed that has ended is shown")
	}
}
