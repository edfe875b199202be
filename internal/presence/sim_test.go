package presence

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti"
)

// A sim is some nodes, each with a Roster and clients, in virtual time, and a
// network that loses, delays, doubles and reorders what they tell each other.
type sim struct {
	t      *rapid.T
	now    time.Time
	nodes  []*simNode
	mail   []simMail
	metas  int
	seed   uint64
	counts map[[2]int]uint64 // messages from one node to another, lost ones included

	loss, twice int // percent
	delay       time.Duration
	cut         map[[2]int]bool
	dead        map[string]time.Time // by ref: when its socket went
	alive       map[string]bool      // refs
}

type simMail struct {
	at, sent time.Time
	from, to *simNode
	number   uint64
	epoch    uint64 // of the sender
	payload  []byte
}

// A simNode is one node.
type simNode struct {
	*sim
	index   int
	name    string
	epoch   uint64
	down    bool
	awake   time.Time // it stands still until then
	roster  *Roster
	due     time.Time
	clients []*simClient
	last    uint64
	reading simMail // what is being read
	changed bool    // since the last check

	sees   map[int]uint64    // by node: the epoch of it that membership knows
	silent map[int]time.Time // since when another node is not heard
	shown  map[string]bool   // by topic and ref: what the diffs say
	left   map[string]bool
}

type simClient struct {
	topic  tutti.Topic
	id     uint64
	key    string
	ref    string // of what it tracks
	asked  time.Time
	view   view
	topicS string
}

const simLost = 5 * time.Second

func newSim(t *rapid.T, nodes int) *sim {
	w := &sim{
		t: t, now: time.Unix(1e9, 0), delay: 2 * time.Millisecond,
		seed: rapid.Uint64().Draw(t, "seed of the network"), counts: map[[2]int]uint64{},
		cut: map[[2]int]bool{}, dead: map[string]time.Time{}, alive: map[string]bool{},
	}
	for i := range nodes {
		n := &simNode{sim: w, index: i, name: fmt.Sprint("node", i)}
		w.nodes = append(w.nodes, n)
		n.boot()
	}
	return w
}

func (n *simNode) boot() {
	n.down, n.awake = false, n.now
	n.epoch = uint64(n.now.UnixNano()) + uint64(n.index)
	n.clients, n.sees, n.silent = nil, map[int]uint64{}, map[int]time.Time{}
	n.shown, n.left = map[string]bool{}, map[string]bool{}
	n.roster = &Roster{Node: n.name, Epoch: n.epoch, Deliver: n.hear, clock: func() time.Time { return n.now }}
	n.roster.Tell = func(to string, payload []byte) { n.post(n, to, payload) }
	n.due = n.now
}

// crash ends a node without a word.
func (n *simNode) crash() {
	for _, c := range n.clients {
		n.die(c.ref)
	}
	n.down, n.clients = true, nil
}

func (w *sim) die(ref string) {
	if ref != "" {
		w.dead[ref] = w.now
		delete(w.alive, ref)
	}
}

// post has the same luck whenever the same two nodes speak for the same time,
// whatever order a Roster goes through its peers in.
func (w *sim) post(from *simNode, to string, payload []byte) {
	i := slices.IndexFunc(w.nodes, func(n *simNode) bool { return n.name == to })
	pair := [2]int{from.index, i}
	w.counts[pair]++
	number := w.counts[pair]
	luck := rand.New(rand.NewPCG(w.seed, mix(number)^uint64(8*from.index+i)))
	if w.cut[pair] || luck.IntN(100) < w.loss {
		return
	}
	copies := 1
	if luck.IntN(100) < w.twice {
		copies = 2
	}
	for range copies {
		d := w.delay
		if w.delay > 2*time.Millisecond {
			d = time.Duration(1+luck.Int64N(w.delay.Milliseconds())) * time.Millisecond
		}
		w.mail = append(w.mail, simMail{w.now.Add(d), w.now, from, w.nodes[i], number, from.epoch, payload})
	}
}

// run lets time pass, from event to event.
func (w *sim) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		next := end
		for _, n := range w.nodes {
			n.listen()
		}
		for _, m := range w.mail {
			if !m.at.After(next) && !w.now.Before(m.to.awake) {
				next = m.at
			}
		}
		for _, n := range w.nodes {
			if !n.down && n.due.Before(next) && !w.now.Before(n.awake) {
				next = n.due
			}
		}
		if step := w.now.Add(100 * time.Millisecond); step.Before(next) {
			next = step
		}
		if next.After(w.now) {
			w.now = next
		}
		w.deliver()
		for _, n := range w.nodes {
			n.work()
		}
		if !w.now.Before(end) {
			return
		}
	}
}

// deliver hands over what has arrived.
func (w *sim) deliver() {
	slices.SortStableFunc(w.mail, func(a, b simMail) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.from.index, b.from.index), cmp.Compare(a.to.index, b.to.index), cmp.Compare(a.number, b.number))
	})
	var rest []simMail
	all := w.mail
	w.mail = nil
	for _, m := range all {
		switch {
		case m.to.down: // is lost
		case m.at.After(w.now) || w.now.Before(m.to.awake):
			rest = append(rest, m)
		default:
			m.to.reading = m
			if err := m.to.roster.Receive(m.from.name, m.epoch, m.payload); err != nil {
				w.t.Fatalf("%s reads %v of %s: %v", m.to.name, m.payload, m.from.name, err)
			}
			m.to.reading = simMail{}
			m.to.checkIfChanged()
		}
	}
	w.mail = append(rest, w.mail...)
}

// work does what Run does, and membership.
func (n *simNode) work() {
	if n.down || n.now.Before(n.awake) {
		return
	}
	n.members()
	if !n.now.Before(n.due) {
		n.due = n.roster.turn()
		n.changed = true // it may have forgotten a topic
	}
	n.checkIfChanged()
}

// listen hears the bells.
func (n *simNode) listen() {
	select {
	case <-n.roster.far.bells.changes.heard():
		n.soon(n.roster.delay())
	default:
	}
	select {
	case <-n.roster.far.bells.hurry.heard():
		n.soon(askDelay)
	default:
	}
}

func (n *simNode) soon(d time.Duration) {
	if at := n.now.Add(d); at.Before(n.due) {
		n.due = at
	}
}

// members tells the Roster which nodes have been heard, and which have not.
func (n *simNode) members() {
	for _, o := range n.nodes {
		if o == n {
			continue
		}
		heard := !o.down && !n.cut[[2]int{o.index, n.index}] && !n.now.Before(o.awake)
		switch {
		case heard && n.sees[o.index] != o.epoch:
			n.sees[o.index] = o.epoch
			delete(n.silent, o.index)
			n.roster.Joined(o.name, o.epoch)
		case heard:
			delete(n.silent, o.index)
		case n.sees[o.index] == 0:
		case n.silent[o.index].IsZero():
			n.silent[o.index] = n.now
		case n.now.Sub(n.silent[o.index]) > simLost:
			n.roster.Lost(o.name, n.sees[o.index])
			n.sees[o.index] = 0
			delete(n.silent, o.index)
		}
	}
}

// join begins a client: as a channel does, it listens, then asks.
func (n *simNode) join(topic tutti.Topic, key string) {
	n.last++
	c := &simClient{topic: topic, id: n.last, key: key, asked: n.now, topicS: fmt.Sprint(topic)}
	n.clients = append(n.clients, c)
	n.roster.Listen(topic) // a client is a loop here
	if !n.roster.Await(topic, func() { n.push(c) }) {
		n.push(c)
	}
}

func (n *simNode) push(c *simClient) {
	n.changed = true
	if slices.Contains(n.clients, c) {
		c.view.state(n.roster.State(c.topic))
	}
}

func (n *simNode) leave(c *simClient) {
	n.untrack(c)
	n.clients = slices.DeleteFunc(n.clients, func(o *simClient) bool { return o == c })
	n.roster.Unlisten(c.topic)
}

func (n *simNode) track(c *simClient) {
	n.metas++
	n.die(c.ref)
	c.ref = ""
	n.roster.Track(c.topic, c.id, c.key, fmt.Appendf(nil, `{"n":%d}`, n.metas))
	s := n.roster.shard(c.topic)
	e, _ := s.topics[c.topic].Own(c.id)
	c.ref = refOf(e.Meta)
	n.alive[c.ref] = true
}

func (n *simNode) untrack(c *simClient) {
	n.die(c.ref)
	c.ref = ""
	n.roster.Untrack(c.topic, c.id)
}
