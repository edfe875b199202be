package cluster

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

func TestAMessageReachesNodesThatListenAndNoOther(t *testing.T) {
	t.Parallel()
	n := trio(t)
	tune(t, n[0], room("r"), n[1])
	before := n[2].Stats().Received
	m := tutti.Message{
		Topic: room("r"), Form: tutti.Binary, Event: "e\x00", Payload: []byte{0, 255}, Meta: []byte(`{"id":"1"}`), Sender: 7,
	}
	n[0].Publish(m)
	eventually(t, "b hears it", func() bool { return slices.Contains(n[1].texts(), "e\x00") })
	last := func(n *testNode) (m tutti.Message) { n.note(func() { m = n.heard[len(n.heard)-1] }); return m }
	if got := last(n[0]); !reflect.DeepEqual(got, m) {
		t.Errorf("the sender heard %+v", got)
	}
	m.Sender = 0
	if got := last(n[1]); !reflect.DeepEqual(got, m) {
		t.Errorf("b heard %+v", got)
	}
	n[0].Publish(tutti.Message{Topic: tutti.Topic{Tenant: "acme", Name: "r", Private: true}, Event: "private"})
	n[0].Publish(tutti.Message{Topic: tutti.Topic{Tenant: "other", Name: "r"}, Event: "other"})
	n[0].Publish(tutti.Message{Topic: room("r"), Event: "end"})
	eventually(t, "b hears the end", func() bool { return slices.Contains(n[1].texts(), "end") })
	if got := n[1].texts(); slices.Contains(got, "private") || slices.Contains(got, "other") {
		t.Errorf("b heard %q", got)
	}
	if got := n[2].texts(); len(got) != 0 {
		t.Errorf("c heard %q", got)
	}
	if got := n[2].Stats(); got.Unwanted != 0 || got.Received-before > 20 { // heartbeats
		t.Errorf("c was sent %+v", got)
	}
	got := slices.DeleteFunc(n[0].texts(), func(s string) bool { return s == "hello" })
	if want := []string{"e\x00", "private", "other", "end"}; !slices.Equal(got, want) {
		t.Errorf("the sender heard %q, want %q", got, want)
	}
}

func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	n := trio(t)
	const each = 2000
	tune(t, n[0], room("r"), n[2])
	tune(t, n[1], room("r"), n[2])
	for i := range each {
		n[0].Publish(tutti.Message{Topic: room("r"), Event: fmt.Sprintf("a%d", i)})
		n[1].Publish(tutti.Message{Topic: room("r"), Event: fmt.Sprintf("b%d", i)})
		if i%10 == 0 {
			n[0].Note("presence", room("r"), []byte{byte(i)})
		}
	}
	next := map[byte]int{}
	seen := 0
	eventually(t, "all have arrived", func() bool {
		all := n[2].texts()
		for _, text := range all[seen:] {
			if text == "hello" {
				continue
			}
			if want := fmt.Sprintf("%c%d", text[0], next[text[0]]); text != want {
				t.Fatalf("heard %s, want %s", text, want)
			}
			next[text[0]]++
		}
		seen = len(all)
		return next['a'] == each && next['b'] == each
	})
	if s := n[2].Stats(); s.Missed != 0 || s.Late != 0 || s.Malformed != 0 {
		t.Errorf("%+v", s)
	}
	n[2].note(func() {
		if len(n[2].notes) != each/10 || n[2].notes[0].Node != "a" || n[2].notes[0].Room != "presence" {
			t.Errorf("%d notes", len(n[2].notes))
		}
	})
}

func TestInterestLingers(t *testing.T) {
	t.Parallel()
	s := testSettings("a")
	s.Linger = 300 * time.Millisecond
	a := begin(t, s, nil)
	began := time.Now()
	for range 1000 {
		a.Want(room("r"), true)
		a.Want(room("r"), true)
		a.Want(room("r"), false)
		a.Want(room("r"), false)
	}
	if got := a.Stats(); got.Topics != 0 || got.Subscriptions != 1 {
		t.Errorf("%+v", got)
	}
	eventually(t, "it is forgotten", func() bool { return a.Stats().Subscriptions == 0 })
	if took := time.Since(began); took < s.Linger {
		t.Errorf("forgotten after %v", took)
	}
	a.Want(room("r"), false) // one too many does no harm
	a.Want(room("r"), true)
	eventually(t, "the server has it", func() bool { return a.Stats().Subscriptions == 1 && a.Stats().Topics == 1 })
}

func TestInterestHealsAfterItLapsed(t *testing.T) {
	t.Parallel()
	n := trio(t)
	for range 3 {
		tune(t, n[0], room("r"), n[1])
		n[1].Want(room("r"), false)
		eventually(t, "it is forgotten", func() bool { return n[1].Stats().Subscriptions == 0 })
		n[1].note(func() { n[1].heard = nil })
	}
}

func TestANodeThatIsSlowDoesNotSlowTheOthersAndKnowsWhatItMissed(t *testing.T) {
	t.Parallel()
	a := begin(t, testSettings("a"), nil)
	b := begin(t, testSettings("b"), nil, a)
	release := make(chan struct{})
	goOn := sync.OnceFunc(func() { close(release) })
	var slow *testNode
	s := testSettings("c")
	s.Incoming = 1 << 20
	slow = begin(t, s, func(n *testNode) {
		arrive := n.Arrive
		n.Arrive = func(m tutti.Message) {
			if m.Event == "flood" {
				<-release
			}
			arrive(m)
		}
	}, a)
	t.Cleanup(goOn) // else a failure would wait for c to end
	meet(t, a, b, slow)
	tune(t, a, room("r"), b, slow)
	const flood = 3000
	payload := make([]byte, 4096)
	began := time.Now()
	for range flood {
		a.Publish(tutti.Message{Topic: room("r"), Event: "flood", Payload: payload})
	}
	count := func(n *testNode) (c int) {
		for _, text := range n.texts() {
			if text == "flood" {
				c++
			}
		}
		return c
	}
	eventually(t, "b has all", func() bool { return count(b) == flood })
	t.Logf("%d messages of 4 kB in %v", flood, time.Since(began))
	eventually(t, "c has missed some", func() bool { return slow.Stats().Missed > flood/2 })
	eventually(t, "c is told", func() (told bool) { slow.note(func() { told = slow.missed > 0 }); return told })
	eventually(t, "a sees that", func() bool {
		at := slices.IndexFunc(a.Members(), func(m Member) bool { return m.ID == "c" })
		return at > 0 && a.Members()[at].Missed > flood/2
	})
	goOn()
	eventually(t, "the rest arrives", func() bool { return uint64(count(slow))+slow.Stats().Missed == flood })
}

func TestTheOutboxHasAnEnd(t *testing.T) {
	t.Parallel()
	s := testSettings("a")
	s.Outgoing = 10_000
	bus, err := New(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	bus.Arrive = func(tutti.Message) {}
	for range 100 { // it does not run, so nothing leaves
		bus.Publish(tutti.Message{Topic: room("r"), Payload: make([]byte, 800)})
	}
	if got := bus.Stats().Unsent; got != 90 {
		t.Errorf("%d found no room, want 90", got)
	}
	if err := bus.Tell("", "kick", make([]byte, 800)); err == nil {
		t.Error("a call found room")
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	n := trio(t)
	ctx := context.Background()
	if err := n[0].Tell("", "tenant changed", []byte("acme")); err != nil {
		t.Error(err)
	}
	if err := n[0].Tell("c", "kick", []byte("7")); err != nil {
		t.Error(err)
	}
	eventually(t, "c is told both", func() (told bool) {
		n[2].note(func() {
			told = reflect.DeepEqual(n[2].told, []Call{{"a", n[0].epoch, "tenant changed", []byte("acme")}, {"a", n[0].epoch, "kick", []byte("7")}})
		})
		return told
	})
	replies, silent, err := n[0].Ask(ctx, "", "count", []byte("acme"))
	slices.SortFunc(replies, func(a, b Reply) int { return strings.Compare(a.Node, b.Node) })
	want := []Reply{{Node: "b", Payload: []byte("b got acme")}, {Node: "c", Payload: []byte("c got acme")}}
	if !reflect.DeepEqual(replies, want) || len(silent) > 0 || err != nil {
		t.Errorf("%v, silent %v, %v", replies, silent, err)
	}
	replies, _, _ = n[1].Ask(ctx, "a", "refuse", nil)
	if len(replies) != 1 || replies[0].Err == nil || replies[0].Err.Error() != "no" {
		t.Errorf("%v", replies)
	}
	if _, silent, _ := n[1].Ask(ctx, "nobody", "count", nil); !slices.Equal(silent, []string{"nobody"}) {
		t.Errorf("silent: %v", silent)
	}
	if _, _, err := n[1].Ask(ctx, "a", "", nil); err == nil {
		t.Error("a call without a name was sent")
	}
}

func TestAskSaysWhoDidNotAnswer(t *testing.T) {
	t.Parallel()
	a := begin(t, testSettings("a"), nil)
	hang := func(n *testNode) {
		n.Asked = func(ctx context.Context, _ Call) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
	}
	b := begin(t, testSettings("b"), hang, a)
	c := begin(t, testSettings("c"), nil, a)
	meet(t, a, b, c)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	replies, silent, err := a.Ask(ctx, "", "count", nil)
	if len(replies) != 1 || replies[0].Node != "c" || !slices.Equal(silent, []string{"b"}) || err != nil {
		t.Errorf("%v, silent %v, %v", replies, silent, err)
	}
	done := make(chan []string)
	go func() {
		_, silent, _ := a.Ask(context.Background(), "b", "count", nil)
		done <- silent
	}()
	eventually(t, "b works on it", func() bool { return len(b.places) == 2 })
	b.kill()
	select {
	case silent := <-done:
		if !slices.Equal(silent, []string{"b"}) {
			t.Errorf("silent: %v", silent)
		}
	case <-time.After(patience):
		t.Error("the question outlives the node that was asked")
	}
}
