package hub

import (
	"maps"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

// A queue is a loop that only remembers what it was given.
type queue struct{ messages []*Message }

func (q *queue) Post(int, int, func()) bool { return false }

func (q *queue) Enqueue(m *Message) { q.messages = append(q.messages, m) }

// newTestHub returns a hub of so many loops.
func newTestHub(n int) (*Hub, []*queue) {
	queues := make([]*queue, n)
	loops := make([]Loop, n)
	for i := range loops {
		queues[i] = &queue{}
		loops[i] = queues[i]
	}
	return New(loops), queues
}

// A listener counts what it hears, and does what it is told when it does.
type listener struct {
	id    int
	seat  Seat
	count int
	when  func(*listener)
}

func (l *listener) Deliver(*Message) {
	l.count++
	if l.when != nil {
		l.when(l)
	}
}

func topic(name string) tutti.Topic { return tutti.Topic{Tenant: "acme", Name: name} }

// A world is a hub beside the simplest thing that could be one.
type world struct {
	hub    *Hub
	queues []*queue
	next   int
	in     map[*listener]place
}

type place struct {
	loop  int
	topic tutti.Topic
}

// The same name in two tenants, and public and private, are four topics.
var worldTopics = []tutti.Topic{
	{Tenant: "acme", Name: "room"},
	{Tenant: "acme", Name: "room", Private: true},
	{Tenant: "other", Name: "room"},
	{Tenant: "acme", Name: ""},
}

func (w *world) join(t *rapid.T) {
	w.next++
	l := &listener{id: w.next}
	at := place{rapid.IntRange(0, len(w.queues)-1).Draw(t, "loop"), rapid.SampledFrom(worldTopics).Draw(t, "topic")}
	if got := w.hub.Shard(at.loop).Join(at.topic, &l.seat, l); got != at.topic {
		t.Fatalf("joined %v, not %v", got, at.topic)
	}
	w.in[l] = at
}

func (w *world) leave(t *rapid.T) {
	if len(w.in) == 0 {
		t.Skip("nobody is there")
	}
	all := slices.SortedFunc(maps.Keys(w.in), func(a, b *listener) int { return a.id - b.id })
	l := rapid.SampledFrom(all).Draw(t, "listener")
	w.hub.Shard(w.in[l].loop).Leave(&l.seat)
	delete(w.in, l)
	w.hub.Shard(0).Leave(&l.seat) // nobody's seat stays so
}

// deliver checks that a message is queued where somebody listens, and only
// there.
func (w *world) deliver(t *rapid.T) {
	to := rapid.SampledFrom(worldTopics).Draw(t, "topic")
	before := make([]int, len(w.queues))
	for i, q := range w.queues {
		before[i] = len(q.messages)
	}
	w.hub.Deliver(tutti.Message{Topic: to})
	for i, q := range w.queues {
		want := min(1, w.listeners(place{i, to}))
		if got := len(q.messages) - before[i]; got != want {
			t.Fatalf("loop %d was given %d messages to %v, want %d", i, got, to, want)
		}
	}
}

// work makes a loop hand out what was queued, to those who listen by then.
// Some of them leave on hearing it.
func (w *world) work(t *rapid.T) {
	i := rapid.IntRange(0, len(w.queues)-1).Draw(t, "loop")
	shy := rapid.IntRange(1, 4).Draw(t, "every how many leaves")
	for _, m := range w.queues[i].messages {
		at := place{i, m.Topic}
		want := map[*listener]int{}
		for l, p := range w.in {
			if p == at {
				want[l] = l.count + 1
				l.when = nil
				if l.id%shy == 0 {
					l.when = w.quit
				}
			}
		}
		if n := w.hub.Shard(i).Deliver(m); n != len(want) {
			t.Fatalf("%d heard, want %d", n, len(want))
		}
		for l, n := range want {
			if l.count != n {
				t.Fatalf("listener %d has heard %d, want %d", l.id, l.count, n)
			}
		}
	}
	w.queues[i].messages = nil
}

func (w *world) quit(l *listener) {
	w.hub.Shard(w.in[l].loop).Leave(&l.seat)
	delete(w.in, l)
}

func (w *world) listeners(at place) (n int) {
	for _, p := range w.in {
		if p == at {
			n++
		}
	}
	return n
}

// check compares what the hub says of itself.
func (w *world) check(t *rapid.T) {
	topics := map[tutti.Topic]bool{}
	members := make([]int, len(w.queues))
	for _, p := range w.in {
		topics[p.topic] = true
		members[p.loop]++
	}
	if got := w.hub.Topics(); got != len(topics) {
		t.Fatalf("%d topics, want %d", got, len(topics))
	}
	for i, want := range members {
		if got := w.hub.Shard(i).Members(); got != want {
			t.Fatalf("loop %d has %d members, want %d", i, got, want)
		}
	}
}

func TestAHubDoesWhatAListOfListenersWould(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, queues := newTestHub(rapid.SampledFrom([]int{1, 3, MaxLoops}).Draw(t, "loops"))
		w := &world{hub: h, queues: queues, in: map[*listener]place{}}
		t.Repeat(map[string]func(*rapid.T){
			"join": w.join, "leave": w.leave, "deliver": w.deliver, "work": w.work, "": w.check,
		})
	})
}

func TestListenersThatLeaveWhileTheyHear(t *testing.T) {
	t.Parallel()
	for name, leaves := range map[string]func(id int) bool{
		"nobody":       func(int) bool { return false },
		"all":          func(int) bool { return true },
		"the first":    func(id int) bool { return id == 0 },
		"the last":     func(id int) bool { return id == 99 },
		"every second": func(id int) bool { return id%2 == 0 },
		"the old half": func(id int) bool { return id < 50 },
		"the new half": func(id int) bool { return id >= 50 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := newTestHub(1)
			s := h.Shard(0)
			all := make([]listener, 100)
			left := 0
			for i := range all {
				all[i] = listener{id: i}
				if leaves(i) {
					all[i].when = func(l *listener) { s.Leave(&l.seat) }
					left++
				}
				s.Join(topic("room"), &all[i].seat, &all[i])
			}
			for round, want := range []int{100, 100 - left} {
				if got := s.Deliver(&Message{Message: tutti.Message{Topic: topic("room")}}); got != want {
					t.Errorf("round %d: %d heard, want %d", round, got, want)
				}
			}
			for i := range all {
				want := 2
				if leaves(i) {
					want = 1
				}
				if all[i].count != want {
					t.Errorf("listener %d heard %d, want %d", i, all[i].count, want)
				}
			}
		})
	}
}

// A channel that is shut down for too many messages is joined again at once by
// its client, which may happen on the same stack.
func TestAListenerThatComesBackWhileItHearsIsNotToldTwice(t *testing.T) {
	t.Parallel()
	h, _ := newTestHub(1)
	s := h.Shard(0)
	all := make([]listener, 10)
	for i := range all {
		all[i] = listener{id: i, when: func(l *listener) {
			s.Leave(&l.seat)
			s.Join(topic("room"), &l.seat, l)
		}}
		s.Join(topic("room"), &all[i].seat, &all[i])
	}
	s.Deliver(&Message{Message: tutti.Message{Topic: topic("room")}})
	for i := range all {
		if all[i].count != 1 {
			t.Errorf("listener %d heard %d, want 1", i, all[i].count)
		}
	}
	if s.Members() != 10 || h.Topics() != 1 {
		t.Errorf("%d members in %d topics, want 10 in 1", s.Members(), h.Topics())
	}
}

func TestARoomSharesOneTopicName(t *testing.T) {
	t.Parallel()
	h, _ := newTestHub(1)
	var names []*byte
	for range 2 {
		l := &listener{}
		name := string([]byte("a name of its own"))
		got := h.Shard(0).Join(topic(name), &l.seat, l)
		names = append(names, unsafe.StringData(got.Name))
	}
	if names[0] != names[1] {
		t.Error("two members hold two copies")
	}
}

func TestARoomGivesMemoryBack(t *testing.T) {
	t.Parallel()
	h, _ := newTestHub(1)
	s := h.Shard(0)
	all := make([]listener, 15_000)
	for i := range all {
		s.Join(topic("room"), &all[i].seat, &all[i])
	}
	for i := range all[:len(all)-10] {
		s.Leave(&all[i].seat)
	}
	if got := cap(s.rooms[topic("room")].members); got > 64 {
		t.Errorf("ten members of 15,000 hold room for %d", got)
	}
	if got := s.Deliver(&Message{Message: tutti.Message{Topic: topic("room")}}); got != 10 {
		t.Errorf("%d heard, want 10", got)
	}
	for i := range all {
		s.Leave(&all[i].seat)
	}
	if len(s.rooms) != 0 || h.Topics() != 0 {
		t.Errorf("%d rooms and %d topics are left of none", len(s.rooms), h.Topics())
	}
}
