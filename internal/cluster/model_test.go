package cluster

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A world is some nodes with their leases, in virtual time, and a network that
// does to their messages what networks do.
type world struct {
	t      *rapid.T
	now    time.Duration
	nodes  []*simNode
	mail   []simMail
	serial int
	quorum int

	loss, twice int // percent
	delay       time.Duration
	cut         map[[2]int]bool // from, to

	terms  map[string]map[Term]string // by lease name: who had a term
	parted bool                       // nodes cannot hear each other, and there is no quorum
}

type simMail struct {
	at       time.Duration
	serial   int
	from, to int
	id       string
	epoch    uint64
	kind     kind
	payload  []byte
}

// A simNode is one node; its clock began when it did.
type simNode struct {
	world  *world
	index  int
	desk   *desk
	start  time.Duration
	next   time.Duration // tick
	awake  time.Duration // it stands still until then
	down   bool
	epoch  uint64
	skew   time.Duration // of its calendar
	waits  map[string]*waiter
	leases map[string]*Lease
	inbox  []simMail // what came while it stood still
}

func newWorld(t *rapid.T, nodes, quorum int) *world {
	w := &world{t: t, quorum: quorum, cut: map[[2]int]bool{}, terms: map[string]map[Term]string{}, delay: time.Millisecond}
	for i := range nodes {
		n := &simNode{world: w, index: i, skew: time.Duration(i) * 7 * time.Second}
		w.nodes = append(w.nodes, n)
		n.boot()
	}
	return w
}

func (n *simNode) id() string { return fmt.Sprintf("node%d", n.index) }

func (n *simNode) clock() time.Duration { return n.world.now - n.start }

func (n *simNode) boot() {
	w := n.world
	n.epoch++
	n.start, n.awake, n.down, n.inbox = w.now, w.now, false, nil
	n.next = w.now + time.Duration(n.index)*20*time.Millisecond // not all at once
	n.waits, n.leases = map[string]*waiter{}, map[string]*Lease{}
	n.desk = newDesk(n.id(), n.epoch, newPace(5*time.Second), w.quorum)
	n.desk.info = func() []byte { return []byte("{}") }
	n.desk.unix = func() int64 { return 1e12 + (w.now + n.skew).Milliseconds() }
	n.desk.post = func(to string, k kind, payload []byte) { w.send(n, to, k, payload) }
	n.desk.award = func(name string, term Term) *Lease {
		return newLease(context.Background(), name, term, n.clock, func(l *Lease) { n.desk.lose(n.clock(), l.Name) })
	}
}

func (w *world) send(from *simNode, to string, k kind, payload []byte) {
	for _, n := range w.nodes {
		if n == from || to != "" && to != n.id() || w.cut[[2]int{from.index, n.index}] || n.down {
			continue
		}
		copies := 1
		if w.percent(w.loss) {
			copies = 0
		} else if w.percent(w.twice) {
			copies = 2
		}
		for range copies {
			w.serial++
			d := w.delay
			if w.delay > time.Millisecond {
				d = time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(w.delay)).Draw(w.t, "delay"))
			}
			w.mail = append(w.mail, simMail{w.now + d, w.serial, from.index, n.index, from.id(), from.epoch, k, payload})
		}
	}
}

func (w *world) percent(p int) bool { return p > 0 && rapid.IntRange(0, 99).Draw(w.t, "luck") < p }

// run lets time pass.
func (w *world) run(d time.Duration) {
	for end := w.now + d; w.now < end; {
		w.now += 20 * time.Millisecond
		w.deliver()
		for _, n := range w.nodes {
			n.work()
		}
		w.check()
	}
}

func (w *world) deliver() {
	slices.SortFunc(w.mail, func(a, b simMail) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.serial, b.serial))
	})
	for len(w.mail) > 0 && w.mail[0].at <= w.now {
		m := w.mail[0]
		w.mail = w.mail[1:]
		n := w.nodes[m.to]
		switch {
		case n.down:
		case w.now < n.awake:
			n.inbox = append(n.inbox, m)
		default:
			n.desk.handle(n.clock(), m.id, m.epoch, m.kind, m.payload)
		}
		n.collect()
	}
}

func (n *simNode) work() {
	w := n.world
	if n.down || w.now < n.awake {
		return
	}
	inbox := n.inbox
	n.inbox = nil
	for _, m := range inbox { // before the first tick, as it well may be
		n.desk.handle(n.clock(), m.id, m.epoch, m.kind, m.payload)
	}
	if w.now >= n.next {
		n.desk.tick(n.clock())
		n.next = w.now + n.desk.pace.tick()
	}
	n.collect()
}

func (n *simNode) collect() {
	for _, name := range slices.Sorted(maps.Keys(n.waits)) {
		select {
		case l := <-n.waits[name].got:
			delete(n.waits, name)
			n.leases[name] = l
			n.world.took(n, l)
		default:
		}
	}
	maps.DeleteFunc(n.leases, func(_ string, l *Lease) bool { return l.ctx.Err() != nil })
}

func (w *world) took(n *simNode, l *Lease) {
	who := fmt.Sprintf("%s/%d", n.id(), n.epoch)
	if w.terms[l.Name] == nil {
		w.terms[l.Name] = map[Term]string{}
	}
	if other, ok := w.terms[l.Name][l.Term]; ok {
		w.t.Fatalf("%s and %s both had %s in term %d", other, who, l.Name, l.Term)
	}
	w.terms[l.Name][l.Term] = who
}

// want makes the node wait for a lease unless it has it or waits for it.
func (n *simNode) want(name string) {
	if n.down || n.leases[name] != nil || n.waits[name] != nil {
		return
	}
	n.waits[name] = &waiter{got: make(chan *Lease, 1)}
	n.desk.want(n.clock(), name, n.waits[name])
	n.collect()
}

// owners returns who may act for a lease.
func (w *world) owners(name string) (all []int) {
	for _, n := range w.nodes {
		if l := n.leases[name]; l != nil && !n.down && l.Valid() {
			all = append(all, n.index)
		}
	}
	return all
}

var simNames = []string{"a", "b"}

// check is what must hold at all times: one owner, except for nodes that
// cannot hear each other when there is no quorum.
func (w *world) check() {
	for _, name := range simNames {
		if all := w.owners(name); len(all) > 1 && !w.parted {
			w.t.Fatalf("at %v nodes %v all own %s", w.now, all, name)
		}
	}
}

// calm ends all that is wrong, and everybody wants everything.
func (w *world) calm() {
	w.loss, w.twice, w.delay = 0, 0, time.Millisecond
	clear(w.cut)
	for _, n := range w.nodes {
		n.awake = w.now
		if n.down {
			n.boot()
		}
	}
}

// settled checks that each lease has its one owner, before long.
func (w *world) settled(within time.Duration) {
	w.eager(within)
	for _, name := range simNames {
		if all := w.owners(name); len(all) != 1 {
			w.t.Fatalf("at %v, %v after all was well: nodes %v own %s", w.now, within, all, name)
		}
	}
}

// eager lets time pass while everybody always wants everything.
func (w *world) eager(d time.Duration) {
	for end := w.now + d; w.now < end; w.run(100 * time.Millisecond) {
		for _, n := range w.nodes {
			for _, name := range simNames {
				if w.now >= n.awake {
					n.want(name)
				}
			}
		}
	}
}

// fault does something bad to the world; without a quorum only what leaves
// every pair of running nodes in hearing.
func (w *world) fault(cuts bool) {
	n := w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(w.t, "node")]
	// Releases are what most owners come from, and what makes nodes contend.
	kinds := []string{"release", "release", "release", "release", "pause", "pause", "crash", "boot", "leave", "delay", "delay", "twice"}
	if cuts {
		kinds = append(kinds, "cut", "cut one way", "partition", "loss", "heal", "slow")
	}
	switch kind := rapid.SampledFrom(kinds).Draw(w.t, "fault"); kind {
	case "pause":
		n.awake = w.now + time.Duration(rapid.IntRange(100, 12_000).Draw(w.t, "ms"))*time.Millisecond
	case "crash":
		n.down = true
	case "boot":
		if n.down {
			n.boot()
		}
	case "release":
		for _, l := range n.leases {
			if !n.down && w.now >= n.awake {
				l.Release()
			}
		}
		n.collect()
	case "leave":
		if !n.down && w.now >= n.awake {
			n.desk.goodbye(n.clock())
			n.down = true
		}
	case "delay":
		w.delay = time.Duration(rapid.IntRange(1, 400).Draw(w.t, "ms")) * time.Millisecond
	case "slow":
		w.delay = time.Duration(rapid.IntRange(1, 15_000).Draw(w.t, "ms")) * time.Millisecond
	case "twice":
		w.twice = rapid.IntRange(0, 50).Draw(w.t, "percent")
	case "loss":
		w.loss = rapid.IntRange(0, 60).Draw(w.t, "percent")
	case "heal":
		clear(w.cut)
		w.loss = 0
	case "cut", "cut one way":
		other := rapid.IntRange(0, len(w.nodes)-1).Draw(w.t, "other")
		w.cut[[2]int{n.index, other}] = true
		if kind == "cut" {
			w.cut[[2]int{other, n.index}] = true
		}
	case "partition":
		side := rapid.IntRange(1, 1<<len(w.nodes)-2).Draw(w.t, "side")
		for a := range w.nodes {
			for b := range w.nodes {
				w.cut[[2]int{a, b}] = side>>a&1 != side>>b&1
			}
		}
	}
}

func (w *world) storm(cuts bool) {
	w.eager(6 * time.Second)
	for range rapid.IntRange(1, 20).Draw(w.t, "faults") {
		w.fault(cuts)
		most := rapid.SampledFrom([]int{100, 1000, 6000}).Draw(w.t, "most")
		w.eager(time.Duration(rapid.IntRange(0, most).Draw(w.t, "pass")) * time.Millisecond)
	}
	w.calm()
	w.settled(10 * time.Second)
	w.parted = false // all have met again: from here on there is one owner again
	w.eager(10 * time.Second)
}

func TestModelNodesThatHearEachOtherHaveOneOwner(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.IntRange(1, 5).Draw(t, "nodes"), 0)
		w.storm(false)
	})
}

func TestModelAQuorumHasOneOwnerWhateverHappens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.IntRange(2, 5).Draw(t, "nodes")
		w := newWorld(t, nodes, nodes/2+1)
		w.storm(true)
	})
}

func TestModelPartsOfAClusterNeverShareATermAndConverge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.IntRange(2, 5).Draw(t, "nodes"), 0)
		w.parted = true // both sides may have an owner
		w.storm(true)
	})
}

func TestModelACrashIsFollowedInTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.IntRange(2, 5).Draw(t, "nodes"), 0)
		w.delay = time.Duration(rapid.IntRange(1, 50).Draw(t, "ms")) * time.Millisecond
		w.settled(6*time.Second + time.Duration(rapid.IntRange(0, 2000).Draw(t, "pass"))*time.Millisecond)
		owner := w.nodes[w.owners("a")[0]]
		if rapid.Bool().Draw(t, "only stands still") {
			owner.awake = w.now + time.Hour
		} else {
			owner.down = true
		}
		w.eager(5 * time.Second)
		if all := w.owners("a"); len(all) != 1 || all[0] == owner.index {
			t.Fatalf("5 s after node %d: owners %v", owner.index, all)
		}
	})
}

func TestModelAReleaseIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.IntRange(2, 5).Draw(t, "nodes"), 0)
		w.settled(6 * time.Second)
		owner := w.nodes[w.owners("a")[0]]
		owner.leases["a"].Release()
		owner.collect()
		w.run(200 * time.Millisecond) // ten steps of the world's, each carries one message
		if all := w.owners("a"); len(all) != 1 || all[0] == owner.index {
			t.Fatalf("after the release of %d: owners %v", owner.index, all)
		}
	})
}
