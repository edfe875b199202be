package presence

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

// hear takes a diff for the clients of a node, and says what is wrong with it.
func (n *simNode) hear(m tutti.Message) {
	n.changed = true
	d := decode[wireDiff](m.Payload)
	if len(d.Joins)+len(d.Leaves) == 0 {
		n.t.Fatalf("%s: a diff without anything in it", n.name)
	}
	topic := fmt.Sprint(m.Topic)
	for _, p := range d.Joins {
		for _, meta := range p.Metas {
			n.checkJoin(topic, meta.Ref)
		}
	}
	for _, p := range d.Leaves {
		for _, meta := range p.Metas {
			at := topic + meta.Ref
			if !n.shown[at] {
				n.t.Fatalf("%s: %s leaves and was not there", n.name, at)
			}
			delete(n.shown, at)
			if n.reading.from != nil { // its owner said so; membership may be wrong, and a copy on its way
				n.left[at] = true
			}
		}
	}
	for _, c := range n.clients {
		if c.topic == m.Topic {
			c.view.diff(m.Payload)
		}
	}
}

func (n *simNode) checkJoin(topic, ref string) {
	at := topic + ref
	if n.shown[at] {
		n.t.Fatalf("%s: %s is shown twice", n.name, at)
	}
	died, dead := n.dead[ref]
	if dead && n.left[at] {
		n.t.Fatalf("%s: %s comes back %v after its socket went", n.name, at, n.now.Sub(died))
	}
	// What is read may be old, but not have been old when it was sent, unless
	// the sender stood still with half of it said.
	const batch = 60 * time.Millisecond
	if sent := n.reading.sent; dead && sent.Sub(died) > batch && n.reading.from.awake.Before(died) {
		n.t.Fatalf("%s: %s comes in a message sent %v after its socket went", n.name, at, sent.Sub(died))
	}
	n.shown[at] = true
}

func (n *simNode) checkIfChanged() {
	if n.changed {
		n.check()
		n.changed = false
	}
	n.checkWaits()
}

// checkWaits says whose presence_state is late.
func (n *simNode) checkWaits() {
	for _, c := range n.clients {
		if !c.view.synced && n.now.Sub(c.asked) > n.roster.wait()+2*askDelay && n.awake.Before(c.asked) {
			n.t.Fatalf("%s: channel %d has waited %v for its presence_state", n.name, c.id, n.now.Sub(c.asked))
		}
	}
}

// check compares what the clients of a node see with what the node holds, and
// forgets what was shown in topics that the node has forgotten.
func (n *simNode) check() {
	states := make(map[tutti.Topic]*view)
	for _, topic := range topics {
		var v view
		v.state(n.roster.State(topic))
		states[topic] = &v
		n.checkShown(fmt.Sprint(topic), &v)
	}
	for _, c := range n.clients {
		if c.view.synced && !c.view.equal(states[c.topic]) {
			n.t.Fatalf("%s: channel %d sees %v, the node %v", n.name, c.id, c.view.metas, states[c.topic].metas)
		}
	}
}

// checkShown compares the diffs with the state; that a node forgets a topic that
// nobody listens to makes no diff.
func (n *simNode) checkShown(topic string, v *view) {
	held := make(map[string]bool)
	for _, metas := range v.metas {
		for _, m := range metas {
			held[topic+m.Ref] = true
			if !n.shown[topic+m.Ref] {
				n.t.Fatalf("%s: %s%s is held without a diff", n.name, topic, m.Ref)
			}
		}
	}
	listened := slices.ContainsFunc(n.clients, func(c *simClient) bool { return c.topicS == topic })
	for at := range n.shown {
		if len(at) > len(topic) && at[:len(topic)] == topic && len(at) == len(topic)+refSize && !held[at] {
			if listened {
				n.t.Fatalf("%s: %s went without a diff", n.name, at)
			}
			delete(n.shown, at)
		}
	}
}

// converged returns "" when every node shows, in the topics of its clients, what
// all clients of all nodes track.
func (w *sim) converged() string {
	want := make(map[tutti.Topic][]string)
	for _, n := range w.nodes {
		for _, c := range n.clients {
			if c.ref != "" {
				want[c.topic] = append(want[c.topic], c.ref)
			}
		}
	}
	for _, n := range w.nodes {
		for _, c := range n.clients {
			var got []string
			for _, metas := range c.view.metas {
				for _, m := range metas {
					got = append(got, m.Ref)
				}
			}
			slices.Sort(got)
			slices.Sort(want[c.topic])
			if !c.view.synced || !slices.Equal(got, want[c.topic]) {
				return fmt.Sprintf("channel %d of %s sees %q in %v, want %q", c.id, n.name, got, c.topic, want[c.topic])
			}
		}
	}
	return ""
}

// pick draws a number below n, each as often as any other: rapid prefers small
// ones.
func (w *sim) pick(n int, label string) int {
	return int(mix(rapid.Uint64().Draw(w.t, label)) % uint64(n))
}

func pickOf[T any](w *sim, label string, of ...T) T { return of[w.pick(len(of), label)] }

func (w *sim) step() {
	n := pickOf(w, "node", w.nodes...)
	action := w.pick(32, "action")
	switch {
	case n.down:
		if action < 16 {
			n.boot()
		}
	case action < 20:
		n.stepClient(action)
	case action < 26:
		w.run(time.Duration(pickOf(w, "ms", 1, 7, 60, 400, 3000, 7000)) * time.Millisecond)
	default:
		n.trouble(action)
	}
}

func (n *simNode) trouble(action int) {
	w := n.sim
	switch action {
	case 26:
		n.crash()
	case 27:
		n.awake = w.now.Add(time.Duration(pickOf(w, "standstill", 50, 800, 8000)) * time.Millisecond)
	case 28:
		w.cut[[2]int{n.index, w.pick(len(w.nodes), "to")}] = true
	case 29:
		for _, o := range w.nodes {
			w.cut[[2]int{n.index, o.index}], w.cut[[2]int{o.index, n.index}] = true, true
		}
	case 30:
		clear(w.cut)
		w.weather()
	case 31: // membership was wrong about a node for a moment
		o := pickOf(w, "flaps", w.nodes...)
		n.roster.Lost(o.name, n.sees[o.index])
		n.sees[o.index] = 0
	}
}

func (w *sim) weather() {
	w.loss = pickOf(w, "loss", 0, 0, 10, 50)
	w.twice = pickOf(w, "twice", 0, 30)
	w.delay = pickOf[time.Duration](w, "delays", 2, 40, 900, 8000) * time.Millisecond
}

func (n *simNode) stepClient(action int) {
	if n.now.Before(n.awake) {
		return
	}
	if action < 3 || len(n.clients) == 0 {
		n.join(pickOf(n.sim, "topic", topics...), pickOf(n.sim, "key", "ann", "bob"))
		return
	}
	c := pickOf(n.sim, "client", n.clients...)
	switch {
	case action < 12:
		n.track(c)
	case action < 16:
		n.untrack(c)
	case action < 20:
		n.leave(c)
	}
	n.check()
	if n.pick(2, "time passes") == 0 {
		n.run(time.Duration(pickOf(n.sim, "ms", 1, 3, 20, 70)) * time.Millisecond)
	}
}

// meet is a beginning where everybody listens.
func (w *sim) meet() {
	for _, n := range w.nodes {
		for _, topic := range topics {
			n.join(topic, "eve")
		}
	}
	w.run(50 * time.Millisecond)
	w.weather()
}

// healed is how long nodes may take to agree once the network does its work:
// two digests, with what they bring about. Before that late messages come in,
// and nodes that are down are found lost.
const longest = 8 * time.Second

const healed = 2*2*time.Second + 3*time.Second

func TestNodesAgreeWhenTheNetworkHeals(t *testing.T) {
	t.Parallel()
	for nodes := 2; nodes <= 4; nodes++ {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			t.Parallel()
			var slowest time.Duration
			rapid.Check(t, func(t *rapid.T) { slowest = max(slowest, agree(t, nodes)) })
			t.Logf("slowest: %v after the network healed", slowest)
		})
	}
}

// agree returns how long the nodes took, 0 when that says nothing.
func agree(t *rapid.T, nodes int) (took time.Duration) {
	w := newSim(t, nodes)
	w.meet()
	for range rapid.IntRange(0, 100).Draw(t, "steps") {
		w.step()
	}
	late := w.delay > time.Second // then it is not the network that has to heal
	w.heal()
	for began := w.now; w.now.Sub(began) < longest+healed; {
		w.run(50 * time.Millisecond)
		if w.converged() != "" {
			took = w.now.Sub(began)
		}
	}
	if wrong := w.converged(); wrong != "" {
		t.Fatal(wrong)
	}
	w.checkSums()
	sent := w.traffic()
	w.run(20 * time.Second)
	w.checkQuiet(w.traffic().Sent - sent.Sent)
	if late || slices.ContainsFunc(w.nodes, func(n *simNode) bool { return n.down }) {
		return 0
	}
	return took
}

// heal makes the network work again, and some nodes.
func (w *sim) heal() {
	w.loss, w.twice, w.delay = 0, 0, 2*time.Millisecond
	clear(w.cut)
	for _, n := range w.nodes {
		n.awake = w.now
		if n.down && w.pick(2, "restarts") == 0 {
			n.boot()
		}
	}
}

func (w *sim) traffic() (all Stats) {
	for _, n := range w.nodes {
		s := n.roster.Stats()
		all.Sent += s.Sent
		all.Compared += s.Compared
	}
	return all
}

// checkQuiet allows one digest for each pair and period, and what ends topics
// nobody listens to.
func (w *sim) checkQuiet(sent uint64) {
	pairs := uint64(len(w.nodes) * (len(w.nodes) - 1))
	if digests := 11 * pairs; sent > 2*digests {
		w.t.Fatalf("%d messages in 20 s without any change, want %d", sent, digests)
	}
}

// checkSums compares the sums, which are kept up by every change, with what they
// stand for.
func (w *sim) checkSums() {
	for _, n := range w.nodes {
		if n.down {
			continue
		}
		r := n.roster
		for name, p := range r.far.peers {
			var held, told sums
			for i := range r.shards {
				for _, pl := range r.shards[i].topics {
					held[pl.id.bucket()] ^= pl.id.stamped(pl.stamp(name))
					if _, ok := p.listens[pl.id.bucket()][pl.id]; ok && pl.own.size > 0 {
						told[pl.id.bucket()] ^= pl.id.stamped(pl.own.stamp)
					}
				}
			}
			if held != p.held || told != p.told {
				w.t.Fatalf("%s: the sums of %s are wrong", n.name, name)
			}
			o := w.nodes[slices.IndexFunc(w.nodes, func(o *simNode) bool { return o.name == name })]
			if o.roster.far.heard != p.heard {
				w.t.Fatalf("%s does not know what %s listens to", n.name, name)
			}
			if part := o.roster.far.peers[n.name]; part.told != p.held {
				w.t.Fatalf("%s holds something else than %s has told", n.name, name)
			}
		}
		n.checkCount()
	}
}

func (n *simNode) checkCount() {
	occupied, entries := 0, 0
	for _, topic := range topics {
		if e := len(n.roster.snapshot(topic)); e > 0 {
			occupied++
			entries += e
		}
	}
	if gotTopics, gotEntries := n.roster.Count(); gotTopics != occupied || gotEntries != entries {
		n.t.Fatalf("%s counts %d topics and %d entries, want %d and %d", n.name, gotTopics, gotEntries, occupied, entries)
	}
	for b := range n.roster.far.topics {
		for _, i := range slices.Collect(maps.Keys(n.roster.far.topics[b])) {
			rec := n.roster.far.topics[b][i]
			if pl := n.roster.shard(rec.topic).topics[rec.topic]; pl == nil || pl.heard != rec.heard {
				n.t.Fatalf("%s: the record of %v is wrong", n.name, rec.topic)
			}
		}
	}
}
