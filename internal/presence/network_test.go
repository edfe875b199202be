package presence

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A network is three nodes, and messages between them that are lost, late,
// doubled and out of order.
type network struct {
	states map[string]*State
	seen   map[string]map[string]bool // by node: the metas that its diffs say are present
	truth  map[string][]Entry         // by node: its own entries, oldest first
	wire   []packet
	epoch  uint64
	metas  int
}

// A packet is a Delta for a node, a wish for a Copy (want), or the Copy.
type packet struct {
	from, to string
	delta    Delta
	want     bool
	copy     *Copy
}

var nodes = []string{"a", "b", "c"}

func newNetwork() *network {
	n := &network{
		states: make(map[string]*State),
		seen:   make(map[string]map[string]bool),
		truth:  make(map[string][]Entry),
	}
	for _, node := range nodes {
		n.start(node)
	}
	return n
}

// start begins a node without any memory.
func (n *network) start(node string) {
	n.epoch++
	n.states[node] = NewState(node, n.epoch)
	n.seen[node] = make(map[string]bool)
	n.truth[node] = nil
}

// put enters a channel of a node and tells the peers.
func (n *network) put(node string, channel uint64, key string) {
	n.metas++
	e := entry(channel, key, fmt.Sprint("meta", n.metas))
	i := slices.IndexFunc(n.truth[node], func(o Entry) bool { return o.Channel == channel })
	if i < 0 {
		n.truth[node] = append(n.truth[node], e)
	} else {
		n.truth[node][i] = e
	}
	n.tell(node, n.states[node].Put(channel, key, e.Meta))
}

func (n *network) remove(node string, channel uint64) {
	n.truth[node] = slices.DeleteFunc(n.truth[node], func(o Entry) bool { return o.Channel == channel })
	if d, ok := n.states[node].Remove(channel); ok {
		n.tell(node, d)
	}
}

func (n *network) tell(node string, d Delta) {
	n.observe(node, d.Diff)
	for _, to := range nodes {
		if to != node {
			n.wire = append(n.wire, packet{from: node, to: to, delta: d})
		}
	}
}

// observe follows the diffs as the clients of a node do.
func (n *network) observe(node string, d Diff) {
	for _, e := range d.Joins {
		n.seen[node][string(e.Meta)] = true
	}
	for _, e := range d.Leaves {
		delete(n.seen[node], string(e.Meta))
	}
}

func (n *network) arrive(p packet) {
	s := n.states[p.to]
	switch {
	case p.want:
		if full, ok := s.Full(p.delta.Node); ok {
			n.wire = append(n.wire, packet{from: p.to, to: p.from, copy: &full})
		}
	case p.copy != nil:
		n.observe(p.to, s.Replace(*p.copy))
	default:
		diff, wanted := s.Merge(p.delta)
		n.observe(p.to, diff)
		if wanted {
			n.wire = append(n.wire, packet{from: p.to, to: p.from, want: true, delta: Delta{Node: p.delta.Node}})
		}
	}
}

// exchange is what heals: each node reads the digest of each other one.
func (n *network) exchange() {
	for _, from := range nodes {
		for _, to := range nodes {
			for _, node := range n.states[to].Behind(n.states[from].Digest()) {
				full, _ := n.states[from].Full(node)
				n.observe(to, n.states[to].Replace(full))
			}
		}
	}
}

func (n *network) step(t *rapid.T) {
	node := rapid.SampledFrom(nodes).Draw(t, "node")
	channel := rapid.Uint64Range(1, 4).Draw(t, "channel")
	action := rapid.IntRange(0, 14).Draw(t, "action")
	switch {
	case action < 4:
		n.put(node, channel, rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "key"))
	case action < 6:
		n.remove(node, channel)
	case action == 6:
		n.start(node)
	case action == 7:
		lost := rapid.SampledFrom(nodes).Draw(t, "lost")
		n.observe(node, Diff{Leaves: n.states[node].Drop(lost)})
	case len(n.wire) > 0: // any packet arrives, is lost, or arrives and stays to arrive again
		i := rapid.IntRange(0, len(n.wire)-1).Draw(t, "packet")
		p := n.wire[i]
		if action != 8 {
			n.wire = slices.Delete(n.wire, i, i+1)
		}
		if action != 9 {
			n.arrive(p)
		}
	}
}

func TestStatesConvergeWhateverTheNetworkDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNetwork()
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			n.step(t)
		}
		n.exchange()
		for range rapid.IntRange(0, 20).Draw(t, "late packets") { // stale by now, they must do no harm
			if len(n.wire) > 0 {
				n.arrive(n.wire[rapid.IntRange(0, len(n.wire)-1).Draw(t, "late packet")])
			}
		}
		var want []Entry
		for _, node := range nodes {
			want = append(want, n.truth[node]...)
		}
		for _, node := range nodes {
			got := n.states[node].Entries()
			if !slices.EqualFunc(got, want, same) {
				t.Fatalf("node %s holds %q, want %q", node, names(got), names(want))
			}
			if n.states[node].Len() != len(want) {
				t.Fatalf("node %s counts %d, want %d", node, n.states[node].Len(), len(want))
			}
			if !maps.Equal(n.states[node].Digest(), n.states["a"].Digest()) {
				t.Fatalf("the digest of node %s differs: %v", node, n.states[node].Digest())
			}
			if seen := slices.Sorted(maps.Keys(n.seen[node])); !slices.Equal(seen, slices.Sorted(slices.Values(names(want)))) {
				t.Fatalf("the diffs of node %s add up to %q, want %q", node, seen, names(want))
			}
		}
	})
}

func same(a, b Entry) bool {
	return a.Channel == b.Channel && a.Key == b.Key && string(a.Meta) == string(b.Meta)
}
