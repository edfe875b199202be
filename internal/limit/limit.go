// Package limit knows how much a tenant may do: how many events of each kind it
// had per second lately, and how many of its sockets are in use. The rooms that
// let something through count it here and ask here; internal/app runs the ticks.
// It owns no goroutine, never blocks, and knows no refusals: what a tripped
// limit means is the caller's to say.
//
// Limits hold for a cluster: the nodes tell each other what they count. What is
// asked on hot paths are sums that stand ready.
package limit

import (
	"math"
	"sync/atomic"

	"github.com/tutti-realtime/tutti/internal/tally"
)

// How often a counter takes a sample, and how many samples make its window
// (protocol.md §7.1, §7.2).
const (
	slowTick    = 5 // seconds
	slowSamples = 12

	requestTick    = 1 // seconds
	requestSamples = 60
)

// Tenant holds all counters of one tenant on this node. Meters.Of hands it out.
type Tenant struct {
	Events   Counter // broadcasts accepted and delivered; average over 60 s, renewed every 5 s
	Joins    Counter // join attempts; the same window
	Presence Counter // presence events; the same window
	DBEvents Counter // deliveries of database changes; the same window
	Requests Counter // HTTP requests; average over 60 s, renewed every second

	Tally *tally.Tenant // what else is counted of the tenant on this node

	users atomic.Int64 // of this node
	idle  atomic.Int64 // seconds since anything was counted or anybody asked for this tenant
	age   int          // seconds since creation; Meters.Run's alone

	// All below is nil on a single node.
	id       string
	exchange *exchange
	others   *account
	queued   atomic.Bool  // in exchange.changed
	urgent   atomic.Bool  // and the bell was rung for it
	told     atomic.Int64 // users that other nodes were told
	next     *Tenant      // in exchange.changed
}

// newTenant returns counters for a tenant that is counted on so many lanes, a
// power of two.
func newTenant(lanes int) *Tenant {
	t := &Tenant{Tally: tally.New(lanes)}
	shared := make([]lane, lanes)
	for kind, c := range t.counters() {
		if c == &t.Requests {
			c.begin(shared, kind, requestSamples, requestTick)
		} else {
			c.begin(shared, kind, slowSamples, slowTick)
		}
	}
	return t
}

// counters lists the counters; the place of each is its place in a lane.
func (t *Tenant) counters() [kinds]*Counter {
	return [kinds]*Counter{&t.Events, &t.Joins, &t.Presence, &t.DBEvents, &t.Requests}
}

// connect makes the counters those of a node in a cluster.
func (t *Tenant) connect(x *exchange, a *account) {
	t.id, t.exchange, t.others = a.tenantID, x, a
	for kind, c := range t.counters() {
		c.others = &a.rates[kind]
	}
}

// EnterUser counts one more socket that has joined a channel, unless max of them
// are counted already on all nodes, and says whether it did. However many
// callers race on a node, they never let in more than max; for what nodes let in
// at the same time see exchange.
func (t *Tenant) EnterUser(max int) bool {
	for {
		n, others := t.users.Load(), t.otherUsers()
		if n+others >= int64(max) {
			return false
		}
		if t.users.CompareAndSwap(n, n+1) {
			t.usersChanged(n+1+others >= int64(max-max/near) || n+1-t.told.Load() > int64(max/many))
			return true
		}
	}
}

// LeaveUser takes back one EnterUser that returned true.
func (t *Tenant) LeaveUser() {
	t.users.Add(-1)
	t.usersChanged(false)
}

// Users returns how many sockets of this node are counted.
func (t *Tenant) Users() int { return int(t.users.Load()) }

// ClusterUsers returns how many sockets of all nodes are counted.
func (t *Tenant) ClusterUsers() int { return int(t.users.Load() + t.otherUsers()) }

func (t *Tenant) otherUsers() int64 {
	if t.others == nil {
		return 0
	}
	return t.others.users.Load()
}

// usersChanged has the other nodes told, at once when it is urgent.
func (t *Tenant) usersChanged(urgent bool) {
	if t.exchange == nil {
		return
	}
	if !t.queued.Load() && t.queued.CompareAndSwap(false, true) {
		t.exchange.push(t)
	}
	if urgent && !t.urgent.Load() && t.urgent.CompareAndSwap(false, true) {
		t.exchange.ring()
	}
}

// share returns what this node has of the tenant.
func (t *Tenant) share() share {
	s := share{users: uint32(min(max(t.users.Load(), 0), math.MaxUint32))}
	for kind, c := range t.counters() {
		s.rates[kind] = rate(c.Local())
	}
	return s
}

// tick lets one second pass, and notes whether the tenant did anything in it.
//
// Each tenant has its own five seconds, which begin when it does: its first
// sample covers a whole tick, and the work spreads over the seconds.
func (t *Tenant) tick() {
	t.age++
	t.Requests.tick()
	if t.age%slowTick == 0 {
		for _, c := range t.counters() {
			if c != &t.Requests {
				c.tick()
			}
		}
	}
	if t.Users() > 0 || t.counted() {
		t.idle.Store(0)
	} else {
		t.idle.Add(1)
	}
}

// counted reports whether anything was counted since the counters' last ticks
// or in them.
func (t *Tenant) counted() bool {
	for _, c := range t.counters() {
		if c.latest != 0 || c.Total() != c.seen {
			return true
		}
	}
	return false
}
