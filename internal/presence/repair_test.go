package presence

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// lose runs f and forgets what was told meanwhile.
func (w *wire) lose(r *Roster, f func()) {
	f()
	w.cut = true
	r.turn()
	w.cut = false
}

// pass hands over what is on its way, and what that calls for. No digest is due.
func (w *wire) pass(r *Roster) {
	r.turn()
	for len(w.mail) > 0 {
		mail := w.mail
		w.mail = nil
		for _, deliver := range mail {
			deliver()
		}
	}
}

func TestAGapIsRepairedWithoutADigest(t *testing.T) {
	t.Parallel()
	other := tutti.Topic{Tenant: "acme", Name: "other"}
	for name, tt := range map[string]struct{ missed, then func(a *Roster) }{
		"a change of the same topic is missing": {
			missed: func(a *Roster) { a.Track(room, 1, "ann", nil) },
			then:   func(a *Roster) { a.Track(room, 2, "bob", nil) },
		},
		"a change of another topic is missing": {
			missed: func(a *Roster) { a.Track(room, 1, "ann", nil) },
			then:   func(a *Roster) { a.Track(other, 2, "bob", nil) },
		},
		"a topic has emptied": {
			missed: func(a *Roster) { a.Untrack(room, 9) },
			then:   func(a *Roster) { a.Track(other, 2, "bob", nil) },
		},
		"a topic has emptied and filled again": {
			missed: func(a *Roster) { a.Untrack(room, 9); a.Track(room, 9, "eve", nil) },
			then:   func(a *Roster) { a.Track(room, 8, "bob", nil) },
		},
		"a wish to listen is missing": {
			missed: func(a *Roster) { a.Listen(tutti.Topic{Tenant: "acme", Name: "late"}) },
			then:   func(a *Roster) { a.Track(other, 2, "bob", nil) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, w := crowd(t, 2)
			b := w.rosters["node1"]
			late := tutti.Topic{Tenant: "acme", Name: "late"}
			b.Track(late, 1, "zoe", nil)
			for _, r := range w.rosters {
				r.Compare, r.far.next = time.Hour, time.Now().Add(time.Hour)
				r.Listen(room)
				r.Listen(other)
			}
			a.Track(room, 9, "eve", nil)
			w.settle()
			w.lose(a, func() { tt.missed(a) })
			tt.then(a)
			w.pass(a)
			for _, topic := range []tutti.Topic{room, other} {
				if got, want := string(b.State(topic)), string(a.State(topic)); got != want {
					t.Errorf("state of %v = %s, want %s", topic, got, want)
				}
			}
			if a.shard(late).topics[late] != nil && string(a.State(late)) != string(b.State(late)) {
				t.Errorf("state of the late topic = %s", a.State(late))
			}
		})
	}
}

func TestASecondGapIsRepairedAtOnceToo(t *testing.T) {
	t.Parallel()
	a, w := crowd(t, 2)
	b := w.rosters["node1"]
	b.Compare = time.Hour
	b.Listen(room)
	w.settle()
	for i := range uint64(3) { // sums are compared once a second
		w.lose(a, func() { a.Track(room, 2*i, "ann", nil) })
		a.Track(room, 2*i+1, "bob", nil)
		w.pass(a)
		if got, want := string(b.State(room)), string(a.State(room)); got != want {
			t.Fatalf("state after gap %d = %s, want %s", i+1, got, want)
		}
	}
	if n := b.Stats().Compared; n != 1 {
		t.Errorf("sums were compared %d times", n)
	}
}

func TestATopicThatFillsAgainNeedsNoRepair(t *testing.T) {
	t.Parallel()
	a, w := crowd(t, 2)
	b := w.rosters["node1"]
	for _, r := range w.rosters {
		r.Listen(room)
	}
	w.settle()
	for range 3 {
		a.Track(room, 1, "ann", nil)
		w.pass(a)
		if got, want := string(b.State(room)), string(a.State(room)); got != want {
			t.Fatalf("state = %s, want %s", got, want)
		}
		a.Untrack(room, 1)
		w.pass(a)
		if string(b.State(room)) != `{}` || b.shard(room).topics[room].others != nil {
			t.Fatal("something is left of a node without entries")
		}
	}
	if s := a.Stats(); s.Copies+s.Compared > 0 {
		t.Errorf("it was repaired: %+v", s)
	}
}

func TestACopyOfNothingSaysSo(t *testing.T) {
	t.Parallel()
	a, w := crowd(t, 2)
	b := w.rosters["node1"]
	for _, r := range w.rosters {
		r.Compare, r.far.next = time.Hour, time.Now().Add(time.Hour)
		r.Listen(room)
	}
	a.Track(room, 9, "eve", nil)
	w.settle()
	b.far.peers[a.Node].compared = time.Now().Add(time.Hour) // sums do not help
	w.lose(a, func() {
		a.Untrack(room, 9)
		a.Track(room, 1, "ann", nil)
	})
	a.Track(room, 2, "bob", nil)
	a.turn() // and before it is read
	a.Untrack(room, 1)
	a.Untrack(room, 2)
	w.pass(b)
	if got := string(b.State(room)); got != `{}` {
		t.Errorf("state = %s", got)
	}
}

func TestADifferenceCostsItsBucketsOnly(t *testing.T) {
	t.Parallel()
	a, w := crowd(t, 2)
	b := w.rosters["node1"]
	now := time.Now()
	for _, r := range w.rosters {
		r.clock = func() time.Time { return now }
	}
	b.Compare = time.Hour
	b.far.next = now.Add(b.Compare)
	for i := range 2000 {
		topic := tutti.Topic{Tenant: "acme", Name: fmt.Sprint("room", i)}
		a.Listen(topic)
		b.Listen(topic)
		a.Track(topic, 1, "ann", []byte(`{"name":"Ann","online_at":"2026-01-01T00:00:00.000Z"}`))
	}
	w.settle()
	copies := a.Stats().Copies
	w.lose(a, func() { a.Track(tutti.Topic{Tenant: "acme", Name: "room7"}, 1, "ann", nil) })
	w.bytes = 0
	now = now.Add(3 * time.Second) // a digest is due
	w.pass(a)
	if got := b.State(tutti.Topic{Tenant: "acme", Name: "room7"}); string(got) != string(a.State(tutti.Topic{Tenant: "acme", Name: "room7"})) {
		t.Errorf("it is not repaired: %s", got)
	}
	if n := a.Stats().Copies - copies; n != 1 || w.bytes > 6000 {
		t.Errorf("it has cost %d copies and %d bytes", n, w.bytes)
	}
	t.Logf("%d bytes to find and repair one of 2,000 topics", w.bytes)
}

func TestANodeThatRestartsBringsNothingBack(t *testing.T) {
	t.Parallel()
	a, w := crowd(t, 2)
	b := w.rosters["node1"]
	a.Listen(room)
	b.Track(room, 1, "old", nil)
	w.settle()
	fresh := &Roster{Node: b.Node, Epoch: b.Epoch + uint64(time.Hour), Deliver: func(tutti.Message) {}}
	fresh.Tell = w.tell(fresh)
	b.Track(room, 2, "older", nil) // is on its way when the node restarts
	b.turn()
	w.rosters[b.Node] = fresh
	a.Joined(fresh.Node, fresh.Epoch) // nobody has said that the old one is lost
	if string(a.State(room)) != `{}` {
		t.Errorf("the state after the restart is %s", a.State(room))
	}
	fresh.Joined(a.Node, a.Epoch)
	fresh.Track(room, 1, "new", nil)
	a.Joined(b.Node, b.Epoch) // late news
	w.settle()
	if got, want := string(a.State(room)), string(fresh.State(room)); got != want {
		t.Errorf("state = %s, want %s", got, want)
	}
}

// TestRemoteEntriesAreSmall measures what an entry of another node takes beside
// its own bytes, in rooms of ten.
func TestRemoteEntriesAreSmall(t *testing.T) {
	a, w := crowd(t, 2)
	b := w.rosters["node1"]
	const rooms, each = 2000, 10
	members := []byte(`{"name":"Ann","online_at":"2026-01-01T00:00:00.000Z"}`)
	topic := func(i int) tutti.Topic { return tutti.Topic{Tenant: "acme", Name: fmt.Sprint("room", i)} }
	nothing := heap()
	for i := range rooms {
		a.Listen(topic(i))
	}
	w.settle()
	empty := heap()
	w.cut = true
	for i := range rooms {
		for n := range uint64(each) {
			b.Track(topic(i), n, "user-1234", members)
		}
	}
	b.turn()
	w.cut = false
	full := heap()
	b.far.next, a.far.peers[b.Node].compared = time.Time{}, time.Time{} // a digest is due
	w.settle()
	w.mail, w.last = nil, nil
	mine := float64(heap()-full) / (rooms * each)
	if _, entries := a.Count(); entries != rooms*each {
		t.Fatalf("%d entries", entries)
	}
	payload := float64(len(render(newRef(), "", trim(members)[1:len(members)-1])) + len("user-1234"))
	t.Logf("%.0f bytes for a remote entry whose key and meta are %.0f; the owner has %.0f, a topic %.0f on both",
		mine, payload, float64(full-empty)/(rooms*each), float64(empty-nothing)/rooms)
	if mine > payload+200 {
		t.Errorf("a remote entry takes %.0f bytes, of which %.0f are its own", mine, payload)
	}
	runtime.KeepAlive(b)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkPublish is a track that three other nodes are told of, one of whom
// takes it; the figures to look at are for one change of a batch of 100.
func BenchmarkPublish(b *testing.B) {
	a, w := crowd(b, 4)
	for _, r := range w.rosters {
		r.Listen(room)
	}
	w.settle()
	other := w.rosters["node1"]
	payload := []byte(`{"name":"Ann","online_at":"2026-01-01T00:00:00.000Z"}`)
	var bytes, changes int
	b.ReportAllocs()
	for b.Loop() {
		for n := range uint64(50) {
			a.Track(room, n, "user-1234", payload)
		}
		for n := range uint64(50) {
			a.Untrack(room, n)
		}
		changes += 100
		w.bytes = 0
		a.turn()
		bytes += w.bytes / 3
		if err := other.Receive(a.Node, a.Epoch, w.last); err != nil {
			b.Fatal(err)
		}
		w.mail = w.mail[:0]
	}
	b.ReportMetric(float64(bytes)/float64(changes), "B/change")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(changes), "ns/change")
}

// BenchmarkIdleTurn is a digest for three nodes who share 2,000 topics, none of
// which has changed.
func BenchmarkIdleTurn(b *testing.B) {
	a, w := crowd(b, 4)
	for i := range 2000 {
		topic := tutti.Topic{Tenant: "acme", Name: fmt.Sprint("room", i)}
		for _, r := range w.rosters {
			r.Listen(topic)
			r.Track(topic, 1, "ann", nil)
		}
	}
	w.settle()
	var bytes int
	for b.Loop() {
		a.far.next = time.Time{}
		w.bytes = 0
		a.turn()
		bytes += w.bytes
		w.mail = w.mail[:0]
	}
	b.ReportMetric(float64(bytes)/float64(b.N)/3, "B/digest")
}
