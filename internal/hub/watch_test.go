package hub

import (
	"slices"
	"testing"

	"github.com/tutti-realtime/tutti"
)

// A spy remembers what it saw.
type spy struct{ seen []string }

func (s *spy) Deliver(m *Message)            { s.seen = append(s.seen, m.Event) }
func (s *spy) Note(kind string, data []byte) { s.seen = append(s.seen, kind+" "+string(data)) }

func TestAWatcherSeesATopicAndCountsForNothing(t *testing.T) {
	t.Parallel()
	h, queues := newTestHub(2)
	var told []bool
	h.Wanted = func(_ tutti.Topic, yes bool) { told = append(told, yes) }
	shard, room := h.Shard(0), topic("room")
	var chief, other spy
	shard.Watch(room, &chief, true)
	h.Shard(1).Watch(room, &other, false)

	h.Deliver(tutti.Message{Topic: room, Event: "one"})
	h.Deliver(tutti.Message{Topic: topic("elsewhere"), Event: "no"})
	if len(queues[0].messages) != 1 || len(queues[1].messages) != 0 {
		t.Fatalf("%d and %d messages came, want one where they are wanted", len(queues[0].messages), len(queues[1].messages))
	}
	if n := shard.Deliver(queues[0].messages[0]); n != 0 {
		t.Errorf("%d heard it", n)
	}
	var l listener
	shard.Join(room, &l.seat, &l)
	if shard.Count(room) != 1 || shard.Members() != 1 || shard.Crowd("acme") != 1 || len(slices.Collect(shard.Listeners(room))) != 1 {
		t.Error("the watcher is counted")
	}
	shard.Note(room, "row", []byte("{}"))
	shard.Note(topic("elsewhere"), "row", nil)
	shard.Deliver(&Message{Message: tutti.Message{Topic: room, Event: "two"}})
	if want := []string{"one", "row {}", "two"}; !slices.Equal(chief.seen, want) || l.count != 1 {
		t.Errorf("it saw %q, want %q; the listener heard %d", chief.seen, want, l.count)
	}
	shard.Unwatch(room, &chief, true)
	h.Shard(1).Unwatch(room, &other, false)
	shard.Deliver(&Message{Message: tutti.Message{Topic: room, Event: "three"}})
	if len(chief.seen) != 3 || l.count != 2 || len(other.seen) != 0 {
		t.Error("it sees after it has gone")
	}
	shard.Leave(&l.seat)
	if want := []bool{true, false}; !slices.Equal(told, want) {
		t.Errorf("others were told %v, want %v", told, want)
	}
	if h.Topics() != 0 || shard.Crowd("acme") != 0 || len(shard.watched) != 0 || len(shard.crowds) != 0 {
		t.Error("something is left")
	}
}

func TestATopicIsWantedAsLongAsAnybodyListensOrWatches(t *testing.T) {
	t.Parallel()
	h, _ := newTestHub(1)
	shard, room := h.Shard(0), topic("room")
	var told []bool
	h.Wanted = func(_ tutti.Topic, yes bool) { told = append(told, yes) }
	var l listener
	var first, second spy
	shard.Join(room, &l.seat, &l)
	shard.Watch(room, &first, true)
	shard.Watch(room, &second, true)
	shard.Leave(&l.seat)
	shard.Unwatch(room, &first, true)
	if h.Topics() != 1 || len(told) != 1 {
		t.Fatalf("while it is watched it is wanted; told %v", told)
	}
	shard.Unwatch(room, &second, true)
	shard.Unwatch(room, &second, true) // nobody's
	if h.Topics() != 0 || !slices.Equal(told, []bool{true, false}) {
		t.Errorf("told %v", told)
	}
}

func TestAllTopicsAreFound(t *testing.T) {
	t.Parallel()
	h, _ := newTestHub(3)
	want := map[tutti.Topic]bool{}
	var all [300]listener
	for i := range all {
		at := tutti.Topic{Tenant: "acme", Name: string(rune('a' + i%100)), Private: i%2 == 0}
		h.Shard(i%3).Join(at, &all[i].seat, &all[i])
		want[at] = true
	}
	found := map[tutti.Topic]bool{}
	for at := range h.All() {
		if found[at] {
			t.Errorf("%v comes twice", at)
		}
		found[at] = true
	}
	if len(found) != len(want) {
		t.Errorf("%d are found, want %d", len(found), len(want))
	}
	for range h.All() {
		break // and that ends it
	}
}
