package limit

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// usersEvery is how often users are told when they changed.
	usersEvery = 250 * time.Millisecond
	// soonest is how often they are told when it is urgent: near a limit, or when
	// many have come. With more than ten other nodes it is soonestEach for each
	// of them, so that a node hears at most 500 tellings a second however large
	// the cluster is.
	soonest     = 20 * time.Millisecond
	soonestEach = 2 * time.Millisecond
	// near is which part of a limit is left when it is near: a fifth.
	near = 5
	// many is which part of a limit are many who came: a twentieth.
	many = 20
	// roundEvery is how many seconds pass between two tellings of everything.
	roundEvery = 10
)

// An exchange is what the nodes of a cluster tell each other about their
// tenants. One that is nil is that of a single node.
//
// How well a limit holds for the whole cluster: a socket is let in while this
// node's users and those that the others have told are less than max. So there
// are never more than max and those that other nodes let in unheard: in soonest
// and the time that a message takes, and on each of them a twentieth of max in
// usersEvery. When all clients of the world come to n nodes within that time,
// each node lets max of them in: n * max is the most there can be. Nobody is
// refused while there is room, as would happen if each node had a part of max.
// Rates of other nodes are those of their last ticks; they are told with the
// tick. What is lost on the way is repaired by the next message about the
// tenant, or by the next round.
type exchange struct {
	tell func(node string, message []byte) error
	bell chan struct{} // has room for one

	changed atomic.Pointer[Tenant] // those whose users changed, linked by Tenant.next

	mu       sync.Mutex // guards all below; Meters.mu may be held while it is taken
	accounts map[string]*account
	peers    map[string]*peer
	age      int // seconds that Run counted

	// What follows is only for Meters.Run.
	epoch  uint64           // of this life of the node: Unix time in nanoseconds
	told   map[string]share // what the others heard, without zeros
	rounds uint64
	last   time.Time
	others int // nodes
}

func newExchange(tell func(string, []byte) error) *exchange {
	return &exchange{
		tell: tell, bell: make(chan struct{}, 1), epoch: uint64(time.Now().UnixNano()),
		accounts: make(map[string]*account), peers: make(map[string]*peer), told: make(map[string]share),
	}
}

// ring has users told soon.
func (x *exchange) ring() {
	select {
	case x.bell <- struct{}{}:
	default:
	}
}

// push notes that the users of a tenant changed. The caller has set t.queued.
func (x *exchange) push(t *Tenant) {
	for {
		first := x.changed.Load()
		t.next = first
		if x.changed.CompareAndSwap(first, t) {
			return
		}
	}
}

// wait returns how long after now users may be told again. It is never nothing:
// timers of no time, made by two goroutines of a synctest bubble at once, crash
// the race detector of Go 1.26 (golang.org/issue/78156).
func (x *exchange) wait(now time.Time) time.Duration {
	pause := min(max(soonest, time.Duration(x.others)*soonestEach), usersEvery)
	return max(1, pause-now.Sub(x.last))
}

// writer returns what writes a message to a node, "" for all.
func (x *exchange) writer(node string, flags byte) *writer {
	// What cannot be sent is lost like all else, and the next round repairs it.
	// To try again sooner would not help a bus that has too much to do.
	send := func(message []byte) { _ = x.tell(node, message) }
	if flags&flagRound != 0 {
		x.rounds++
	}
	return &writer{head: head{flags: flags, epoch: x.epoch, round: x.rounds}, send: send}
}

// report writes what this node has of a tenant, unless the others know.
func (x *exchange) report(w *writer, tenantID string, s share) {
	if x.told[tenantID] == s || len(tenantID) == 0 || len(tenantID) > maxID {
		return
	}
	if s == (share{}) {
		delete(x.told, tenantID)
	} else {
		x.told[tenantID] = s
	}
	w.add(tenantID, s)
}

// tellUsers tells whose users changed.
func (x *exchange) tellUsers() {
	w := x.writer("", 0)
	for t := x.changed.Swap(nil); t != nil; {
		following := t.next
		t.next = nil
		// From here on it may be queued again, so its users are read after it.
		t.urgent.Store(false)
		t.queued.Store(false)
		s := t.share()
		t.told.Store(int64(s.users))
		x.report(w, t.id, s)
		t = following
	}
	w.end()
	x.answer(owedWelcome)
	if w.sent > 0 {
		x.last = time.Now()
	}
}

// tellSecond tells what changed in a second. It follows the ticks.
func (x *exchange) tellSecond(living map[string]*Tenant) {
	if x == nil {
		return
	}
	unheard := x.grow()
	w := x.writer("", 0)
	for id, t := range living {
		x.report(w, id, t.share())
	}
	// A tenant is quiet long before it is forgotten: it was told as such.
	for id := range x.told {
		if living[id] == nil {
			x.report(w, id, share{})
		}
	}
	w.end()
	// Nodes that began together do not tell everything at the same time.
	if (uint64(x.age)+x.epoch)%roundEvery == 0 {
		x.tellAll("")
	}
	x.answer(owedAnswer)
	for _, node := range unheard {
		x.writer(node, flagAsk).end()
	}
}

// answer tells everything to those who are owed so much at least.
func (x *exchange) answer(least debt) {
	nodes, others := x.debts(least)
	x.others = others
	if len(nodes) > 1 && 2*len(nodes) > others {
		nodes = []string{""}
	}
	for _, node := range nodes {
		x.tellAll(node)
	}
}

// tellAll repeats to a node what the others have heard.
func (x *exchange) tellAll(node string) {
	w := x.writer(node, flagRound)
	for id, s := range x.told {
		w.add(id, s)
	}
	w.end()
}
