package presence

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

// A view is the presence of a topic as a realtime-js client sees it: protocol
// reference 10.7.
type view struct {
	metas   map[string][]meta
	synced  bool // presence_state has come
	pending []wireDiff
}

// A meta is one presence as it travels.
type meta struct {
	Ref  string `json:"phx_ref"`
	Prev string `json:"phx_ref_prev"`
	N    int    `json:"n"`
}

type wireState map[string]struct{ Metas []meta }

type wireDiff struct{ Joins, Leaves wireState }

func decode[T any](payload []byte) (v T) {
	if err := json.Unmarshal(payload, &v); err != nil {
		panic(fmt.Sprintf("%v in %s", err, payload))
	}
	return v
}

// state takes a presence_state, then the diffs that came before it.
func (v *view) state(payload []byte) {
	v.metas = make(map[string][]meta)
	for key, p := range decode[wireState](payload) {
		v.metas[key] = p.Metas
	}
	v.synced = true
	for _, d := range v.pending {
		v.apply(d)
	}
	v.pending = nil
}

func (v *view) diff(payload []byte) {
	d := decode[wireDiff](payload)
	if d.Joins == nil || d.Leaves == nil {
		panic("a diff lacks joins or leaves: " + string(payload))
	}
	if !v.synced {
		v.pending = append(v.pending, d)
		return
	}
	v.apply(d)
}

func (v *view) apply(d wireDiff) {
	for key, p := range d.Joins {
		v.metas[key] = append(without(v.metas[key], p.Metas), p.Metas...)
	}
	for key, p := range d.Leaves {
		v.metas[key] = without(v.metas[key], p.Metas)
		if len(v.metas[key]) == 0 {
			delete(v.metas, key)
		}
	}
}

// without returns the metas whose ref is not among those of out.
func without(metas, out []meta) []meta {
	return slices.DeleteFunc(slices.Clone(metas), func(m meta) bool {
		return slices.ContainsFunc(out, func(o meta) bool { return o.Ref == m.Ref })
	})
}

// equal compares two views; the order within a key is the client's own affair.
func (v *view) equal(o *view) bool {
	if len(v.metas) != len(o.metas) {
		return false
	}
	for key, metas := range v.metas {
		if len(metas) != len(o.metas[key]) || len(without(metas, o.metas[key])) > 0 {
			return false
		}
	}
	return true
}

// A world is a server with clients, and messages that are on their way to them:
// first from the Roster to the hub, then to each client in order.
type world struct {
	roster  *Roster
	hub     []tutti.Message
	clients map[uint64]*client // by channel
	last    uint64             // the channel that joined last
	tracked map[uint64]int     // what the server should hold, by channel
}

type client struct {
	topic    tutti.Topic
	key      string
	queue    []func(*view)
	view     view
	stateDue bool // listens already, its presence_state is not written yet
}

var topics = []tutti.Topic{
	{Tenant: "acme", Name: "one"},
	{Tenant: "acme", Name: "two"},
	{Tenant: "acme", Name: "one", Private: true},
}

func newWorld() *world {
	w := &world{clients: make(map[uint64]*client), tracked: make(map[uint64]int)}
	w.roster = &Roster{Deliver: func(m tutti.Message) { w.hub = append(w.hub, m) }}
	return w
}

func (w *world) join(topic tutti.Topic, key string) {
	w.last++
	w.clients[w.last] = &client{topic: topic, key: key, stateDue: true}
}

func (w *world) pushState(c *client) {
	if c.stateDue {
		c.stateDue = false
		payload := w.roster.State(c.topic)
		c.queue = append(c.queue, func(v *view) { v.state(payload) })
	}
}

// fanOut moves the oldest message from the hub to all who listen to its topic.
func (w *world) fanOut() {
	if len(w.hub) == 0 {
		return
	}
	m := w.hub[0]
	w.hub = w.hub[1:]
	for _, c := range w.clients {
		if c.topic == m.Topic {
			c.queue = append(c.queue, func(v *view) { v.diff(m.Payload) })
		}
	}
}

func (c *client) read() {
	if len(c.queue) > 0 {
		c.queue[0](&c.view)
		c.queue = c.queue[1:]
	}
}

func (w *world) step(t *rapid.T) {
	action := rapid.IntRange(0, 14).Draw(t, "action")
	if action == 0 || len(w.clients) == 0 {
		w.join(rapid.SampledFrom(topics).Draw(t, "topic"), rapid.SampledFrom([]string{"ann", "bob", "é\"\n"}).Draw(t, "key"))
		return
	}
	var channels []uint64
	for channel := range w.clients {
		channels = append(channels, channel)
	}
	slices.Sort(channels)
	channel := rapid.SampledFrom(channels).Draw(t, "channel")
	c := w.clients[channel]
	switch {
	case action == 1: // leave, close or death: for the Roster they are the same
		w.untrack(t, channel)
		delete(w.clients, channel)
	case action == 2:
		w.untrack(t, channel)
	case action < 7:
		w.track(t, channel)
	case action < 9:
		w.pushState(c)
	case action < 12:
		w.fanOut()
	default:
		c.read()
	}
}

func (w *world) track(t *rapid.T, channel uint64) {
	n := rapid.IntRange(1, 3).Draw(t, "payload")
	c := w.clients[channel]
	before := w.tracked[channel]
	w.tracked[channel] = n
	changed := w.roster.Track(c.topic, channel, c.key, fmt.Appendf(nil, `{"n":%d,"phx_ref":"mine"}`, n))
	if changed != (before != n) {
		t.Fatalf("track of %d after %d: changed = %v", n, before, changed)
	}
}

func (w *world) untrack(t *rapid.T, channel uint64) {
	_, was := w.tracked[channel]
	delete(w.tracked, channel)
	if changed := w.roster.Untrack(w.clients[channel].topic, channel); changed != was {
		t.Fatalf("untrack: changed = %v", changed)
	}
}

// settle lets everything that is on its way arrive.
func (w *world) settle() {
	for _, c := range w.clients {
		w.pushState(c)
	}
	for len(w.hub) > 0 {
		w.fanOut()
	}
	for _, c := range w.clients {
		for len(c.queue) > 0 {
			c.read()
		}
	}
}

func TestEveryClientEndsWithTheStateOfTheServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		for range rapid.IntRange(0, 150).Draw(t, "steps") {
			w.step(t)
		}
		w.settle()
		for channel, c := range w.clients {
			var server view
			server.state(w.roster.State(c.topic))
			if !c.view.equal(&server) {
				t.Fatalf("channel %d sees %v, the server %v", channel, c.view.metas, server.metas)
			}
		}
		w.checkServer(t)
	})
}

// checkServer compares the Roster with what was tracked.
func (w *world) checkServer(t *rapid.T) {
	got, want := make(map[string]int), make(map[string]int)
	refs := make(map[string]bool)
	occupied := make(map[tutti.Topic]bool)
	for _, topic := range topics {
		for key, p := range decode[wireState](w.roster.State(topic)) {
			for _, m := range p.Metas {
				got[fmt.Sprintf("%v %q %d", topic, key, m.N)]++
				refs[m.Ref] = true
			}
		}
	}
	for channel, n := range w.tracked {
		c := w.clients[channel]
		want[fmt.Sprintf("%v %q %d", c.topic, c.key, n)]++
		occupied[c.topic] = true
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("the server holds %v, want %v", got, want)
	}
	if len(refs) != len(w.tracked) {
		t.Fatalf("%d refs for %d entries", len(refs), len(w.tracked))
	}
	if topics, entries := w.roster.Count(); topics != len(occupied) || entries != len(w.tracked) {
		t.Fatalf("count = %d topics, %d entries; want %d, %d", topics, entries, len(occupied), len(w.tracked))
	}
}

func TestDiffsLeaveInTheOrderOfTheChanges(t *testing.T) {
	var mu sync.Mutex // guards views; the topic's lock gives the order
	views := make(map[tutti.Topic]*view)
	for _, topic := range topics {
		views[topic] = &view{synced: true, metas: make(map[string][]meta)}
	}
	r := &Roster{Deliver: func(m tutti.Message) {
		runtime.Gosched() // a chance to overtake, if nothing forbids it
		mu.Lock()
		defer mu.Unlock()
		views[m.Topic].diff(m.Payload)
	}}
	var loops sync.WaitGroup
	for loop := range uint64(8) {
		loops.Go(func() {
			for i := range uint64(600) {
				// The loops quarrel over the same channels, so that a diff out
				// of order leaves a trace.
				topic, channel := topics[i%3], i%7
				if (i+loop)%3 == 2 {
					r.Untrack(topic, channel)
				} else {
					r.Track(topic, channel, fmt.Sprint("key", channel%4), fmt.Appendf(nil, `{"n":%d}`, loop))
				}
				if i%16 == 0 {
					decode[wireState](r.State(topic))
					r.Count()
				}
			}
		})
	}
	loops.Wait()
	for _, topic := range topics {
		var server view
		server.state(r.State(topic))
		if !views[topic].equal(&server) {
			t.Errorf("the diffs of %v add up to %v, the server holds %v", topic, views[topic].metas, server.metas)
		}
	}
	for channel := range uint64(7) {
		for _, topic := range topics {
			r.Untrack(topic, channel)
		}
	}
	if topics, entries := r.Count(); topics != 0 || entries != 0 {
		t.Errorf("%d topics and %d entries are left", topics, entries)
	}
}
