package presence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A wire joins Rosters: what one tells is read by another at once, or when it is
// let through.
type wire struct {
	rosters map[string]*Roster
	mu      sync.Mutex // guards all below where a Roster runs
	mail    []func()
	cut     bool
	bytes   int
	last    []byte
}

func (w *wire) tell(from *Roster) func(string, []byte) {
	return func(to string, payload []byte) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.cut {
			return
		}
		w.bytes += len(payload)
		w.last = payload
		w.mail = append(w.mail, func() { _ = w.rosters[to].Receive(from.Node, from.Epoch, payload) })
	}
}

// waiting returns how many messages are on their way.
func (w *wire) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mail)
}

// settle lets everything be told that is due.
func (w *wire) settle() {
	for n := 0; n < 2 || len(w.mail) > 0; n++ {
		for _, r := range w.rosters {
			r.turn()
		}
		mail := w.mail
		w.mail = nil
		for _, deliver := range mail {
			deliver()
		}
	}
}

// crowd returns nodes that know each other, and what joins them.
func crowd(t testing.TB, n int) (*Roster, *wire) {
	w := &wire{rosters: make(map[string]*Roster)}
	start := time.Now()
	for i := range n {
		r := &Roster{Node: fmt.Sprint("node", i), Epoch: uint64(start.UnixNano()) + uint64(i), Deliver: func(tutti.Message) {}}
		r.Tell = w.tell(r)
		w.rosters[r.Node] = r
	}
	for _, r := range w.rosters {
		for _, o := range w.rosters {
			r.Joined(o.Node, o.Epoch)
		}
	}
	w.settle()
	for _, r := range w.rosters {
		if got := len(r.far.peers); got != n-1 {
			t.Fatalf("%s knows %d nodes", r.Node, got)
		}
	}
	return w.rosters["node0"], w
}

func TestASingleNodeDoesNotKnowThatThereCouldBeOthers(t *testing.T) {
	t.Parallel()
	r, _ := recorder()
	r.Listen(room)
	if r.Await(room, func() { t.Error("it has waited") }) {
		t.Error("a single node waits for others")
	}
	r.Track(room, 1, "ann", nil)
	r.Unlisten(room)
	r.Joined("b", 1)
	r.Lost("b", 1)
	if err := r.Receive("b", 1, []byte("anything")); err != nil {
		t.Errorf("receive: %v", err)
	}
	if s := r.shard(room); len(s.changes)+len(s.fresh)+len(s.idle) > 0 {
		t.Error("a single node keeps things for others")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
}

func TestANodeAloneInItsClusterDoesNotWait(t *testing.T) {
	t.Parallel()
	r, _ := crowd(t, 1)
	r.Listen(room)
	if r.Await(room, func() {}) {
		t.Error("it waits")
	}
	for i := range uint64(100) {
		r.Track(room, i, "ann", nil)
	}
	r.turn()
	if s := r.Stats(); s.Sent > 0 {
		t.Errorf("%d messages to nobody", s.Sent)
	}
}

func TestPresenceStateComesWhenTheOthersHaveAnswered(t *testing.T) {
	t.Parallel()
	a, w := crowd(t, 3)
	b := w.rosters["node1"]
	b.Listen(room)
	b.Track(room, 1, "bob", nil)
	w.settle()
	a.Listen(room)
	states := make(chan string, 1)
	if !a.Await(room, func() { states <- tame(map[string]string{}, a.State(room)) }) {
		t.Fatal("what others have is known before they were asked")
	}
	w.settle()
	select {
	case got := <-states:
		if got != `{"bob":{"metas":[{"phx_ref":ref1}]}}` {
			t.Errorf("state = %s", got)
		}
	default:
		t.Fatal("it still waits")
	}
	if a.Await(room, func() {}) {
		t.Error("the second client waits too")
	}
}

func TestAJoinDoesNotWaitLongForANodeThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, w := crowd(t, 2)
		w.cut = true
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		start := time.Now()
		a.Listen(room)
		known := make(chan struct{})
		if !a.Await(room, func() { close(known) }) {
			t.Fatal("it does not wait")
		}
		<-known
		if d := time.Since(start); d > 310*time.Millisecond {
			t.Errorf("it has waited %v", d)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v", err)
		}
	})
}

func TestChangesAreCollectedForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, w := crowd(t, 2)
		b := w.rosters["node1"]
		var diffs []string
		b.Deliver = func(m tutti.Message) { diffs = append(diffs, tame(map[string]string{}, m.Payload)) }
		b.Listen(room)
		w.settle()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		synctest.Wait()
		told := w.waiting()
		a.Track(room, 1, "ann", nil)
		a.Track(room, 2, "bob", nil)
		a.Track(room, 2, "bob", []byte(`{"n":2}`))
		a.Track(room, 3, "eve", nil)
		a.Untrack(room, 3)
		time.Sleep(49 * time.Millisecond)
		synctest.Wait()
		if w.waiting() != told {
			t.Error("others are told at once")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		cancel()
		<-ended
		for _, deliver := range w.mail {
			deliver()
		}
		wantDiffs(t, diffs, `{"joins":{"ann":{"metas":[{"phx_ref":ref1}]},`+
			`"bob":{"metas":[{"phx_ref":ref2,"phx_ref_prev":ref3,"n":2}]}},"leaves":{}}`)
	})
}

func TestALostNodeLeavesInOneDiffForEachTopic(t *testing.T) {
	t.Parallel()
	a, w := crowd(t, 2)
	b := w.rosters["node1"]
	other := tutti.Topic{Tenant: "acme", Name: "other"}
	for i, topic := range []tutti.Topic{room, other} {
		a.Listen(topic)
		for n := range 5 + i {
			b.Track(topic, uint64(n), fmt.Sprint("user", n), nil)
		}
	}
	w.settle()
	var leaves []int
	a.Deliver = func(m tutti.Message) {
		d := decode[wireDiff](m.Payload)
		if len(d.Joins) > 0 {
			t.Errorf("somebody joins: %s", m.Payload)
		}
		leaves = append(leaves, len(d.Leaves))
	}
	a.Lost(b.Node, b.Epoch-1) // a life that is over
	if len(leaves) > 0 {
		t.Error("the loss of an older life takes the new one away")
	}
	a.Lost(b.Node, b.Epoch)
	if slices.Sort(leaves); !slices.Equal(leaves, []int{5, 6}) {
		t.Errorf("diffs with %v leaves", leaves)
	}
	if topics, entries := a.Count(); topics+entries > 0 {
		t.Errorf("%d topics and %d entries are left", topics, entries)
	}
}

func TestTopicsAreForgottenAfterTheirLastListener(t *testing.T) {
	t.Parallel()
	a, w := crowd(t, 2)
	b := w.rosters["node1"]
	now := time.Now()
	a.clock = func() time.Time { return now }
	b.Track(room, 1, "bob", nil)
	a.Listen(room)
	a.Listen(room)
	w.settle()
	a.Unlisten(room)
	now = now.Add(time.Minute)
	w.settle()
	if string(a.State(room)) == `{}` {
		t.Fatal("the topic is forgotten while a loop listens")
	}
	a.Unlisten(room)
	now = now.Add(4 * time.Second)
	w.settle()
	a.Listen(room)
	a.Unlisten(room)
	now = now.Add(4 * time.Second)
	w.settle()
	if string(a.State(room)) == `{}` {
		t.Fatal("the topic is forgotten too early")
	}
	now = now.Add(time.Second)
	w.settle()
	if s := a.shard(room); string(a.State(room)) != `{}` || len(s.topics) > 0 || a.far.heard != (sums{}) {
		t.Errorf("%s is left", a.State(room))
	}
	if p := b.far.peers[a.Node]; p.heard != (sums{}) || p.told != (sums{}) {
		t.Error("the other node still tells of it")
	}
	a.Unlisten(room) // once too often
}

func TestALargeTopicTravelsInParts(t *testing.T) {
	t.Parallel()
	a, w := crowd(t, 2)
	b := w.rosters["node1"]
	for i := range uint64(300) {
		b.Track(room, i, fmt.Sprint("user", i), fmt.Appendf(nil, `{"text":"%01024d"}`, i))
	}
	w.settle()
	a.Listen(room)
	w.settle()
	if got, want := a.State(room), b.State(room); string(got) != string(want) {
		t.Errorf("%d bytes of state, want %d", len(got), len(want))
	}
	if s := b.Stats(); s.Copies != 1 {
		t.Errorf("%d copies", s.Copies)
	}
}
