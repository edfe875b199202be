package cluster

import (
	"maps"
	"slices"
	"time"
)

// A Term numbers the tenures of a lease, and only grows: its upper 42 bits are
// at least the Unix time in milliseconds at which the lease was asked for and
// more than those of every term that the nodes of the cluster remember, the
// lower 22 stand for this life of the node. So two owners never share one, not
// even two that cannot hear each other.
type Term uint64

const tagBits = 22

func (t Term) tag() uint64 { return uint64(t) & (1<<tagBits - 1) }

// tagOf returns the lower bits of a node's terms.
func tagOf(id string, epoch uint64) uint64 { return keyOf(id, epoch) & (1<<tagBits - 1) }

// forgetTerms is how long a term is remembered: after that the clock alone makes
// the next one greater.
const forgetTerms = time.Hour

// A record is what a node remembers of a lease, its own or not.
type record struct {
	high   Term
	stakes map[string]stake // by node: who asked and was not refused, or has it
}

type stake struct {
	key  uint64
	term Term
}

// A bid is this node's wish to have a lease.
type bid struct {
	name    string
	waiters []*waiter

	asking  bool // otherwise it waits
	term    Term
	began   time.Duration
	asked   time.Duration
	viewed  []*peer           // whom the voters were told that this node hears
	granted map[string]uint64 // who has: key of the node

	after string        // the node that it waits for, "" when none is known
	owned bool          // that node has the lease, so that there is no hurry
	retry time.Duration // when to try again
}

// A waiter is one call of Hold.
type waiter struct{ got chan *Lease }

// A tenure is a lease that this node has.
type tenure struct {
	lease   *Lease
	witness map[string]uint64 // who knows: key of the node
}

// A desk decides about leases. The package comment says by which rules.
type desk struct {
	roll
	tag    uint64
	quorum int
	unix   func() int64 // Unix time in milliseconds
	award  func(name string, term Term) *Lease

	records map[string]*record
	bids    map[string]*bid
	tenures map[string]*tenure
	chunks  uint64        // of claims, sent so far
	alive   time.Duration // the last tick
	due     time.Duration // of the bids
	swept   time.Duration
}

// begin is the first line of all that the desk does: it finds out whether this
// node stood still, and gives up what it may no longer have.
func (d *desk) begin(now time.Duration) {
	if now-d.alive > d.pace.pause {
		d.resume(now)
		for _, b := range d.bids {
			if b.asking {
				d.yield(now, b, "", false)
			}
		}
	}
	if len(d.tenures) == 0 {
		return
	}
	if now > d.alive+d.pace.hold || d.shunned(now) {
		for _, name := range slices.Sorted(maps.Keys(d.tenures)) {
			d.lose(now, name)
		}
	}
}

// lapse gives up what too few nodes stand for. The holders know by their own
// clocks already.
func (d *desk) lapse(now time.Duration) {
	if d.quorum < 2 {
		return // begin has seen to it
	}
	for _, name := range slices.Sorted(maps.Keys(d.tenures)) {
		if now > d.until(name) {
			d.lose(now, name)
		}
	}
}

// until returns when this node's right to a lease ends unless it hears more.
func (d *desk) until(name string) time.Duration {
	end := d.alive + d.pace.hold
	if d.quorum < 2 {
		return end
	}
	var heard []time.Duration
	for id, key := range d.tenures[name].witness {
		if p := d.peers[id]; p != nil && p.key == key && !p.deaf {
			heard = append(heard, p.acked)
		}
	}
	if len(heard) < d.quorum-1 {
		return -1
	}
	slices.Sort(heard)
	return min(end, heard[len(heard)-(d.quorum-1)]+d.pace.hold)
}

// extend tells the holders of leases how long they may act.
func (d *desk) extend() {
	for name, t := range d.tenures {
		t.lease.until.Store(int64(d.until(name)))
	}
}

// tick looks at all that depends on time.
func (d *desk) tick(now time.Duration) {
	d.begin(now)
	d.lapse(now)
	d.alive = now
	if d.roll.tick(now) {
		d.due = 0
	}
	d.extend()
	d.tellClaims(now)
	if now >= d.due {
		d.due = now + d.pace.lost
		for _, name := range slices.Sorted(maps.Keys(d.bids)) {
			d.advance(now, d.bids[name])
		}
	}
	if now-d.swept > forgetTerms/10 {
		d.swept = now
		d.sweep()
	}
}

// advance does what a bid has to do by now.
func (d *desk) advance(now time.Duration, b *bid) {
	if b.asking {
		switch {
		case now-b.began >= d.pace.round || d.shrunk(now, b):
			d.ask(now, b) // under another term; grants that are old count no more
		case d.complete(now, b):
			return
		case now-b.asked >= d.pace.again:
			d.repeat(now, b) // whom it hears may have become more
		}
	} else if p := d.peers[b.after]; b.after != "" && (p == nil || p.deaf) {
		d.ask(now, b)
	} else if now >= b.retry {
		if b.owned && p != nil {
			d.send(b.after, &leaseMessage{op: opProbe, name: b.name})
			b.retry = now + 2*d.pace.lost
		} else {
			d.ask(now, b)
		}
	}
	d.dueAt(now, b)
}

func (d *desk) dueAt(now time.Duration, b *bid) {
	next := b.retry
	if b.asking {
		next = now + d.pace.again
	}
	d.due = min(d.due, next)
}

// want adds a call of Hold.
func (d *desk) want(now time.Duration, name string, w *waiter) {
	d.begin(now)
	b := d.bids[name]
	if b == nil {
		b = &bid{name: name}
		d.bids[name] = b
	}
	b.waiters = append(b.waiters, w)
	if len(b.waiters) == 1 {
		d.ask(now, b)
	}
}

// unwant takes a call of Hold back.
func (d *desk) unwant(name string, w *waiter) {
	b := d.bids[name]
	if b == nil {
		return
	}
	b.waiters = slices.DeleteFunc(b.waiters, func(o *waiter) bool { return o == w })
	if len(b.waiters) == 0 {
		d.withdraw(b)
		delete(d.bids, name)
	}
}

// ask begins a round: everybody who is heard is asked.
func (d *desk) ask(now time.Duration, b *bid) {
	if !d.settled(now) || d.tenures[b.name] != nil {
		d.yield(now, b, "", false)
		return
	}
	rec := d.record(b.name)
	b.term = d.next(rec.high)
	rec.high = b.term
	b.asking, b.began, b.granted, b.viewed = true, now, map[string]uint64{}, nil
	if !d.complete(now, b) {
		d.repeat(now, b)
		d.dueAt(now, b)
	}
}

func (d *desk) next(high Term) Term {
	count := max(uint64(high>>tagBits)+1, uint64(d.unix()))
	return Term(count<<tagBits | d.tag)
}

func (d *desk) repeat(now time.Duration, b *bid) {
	b.asked = now
	b.viewed = d.view(now)
	m := leaseMessage{op: opAsk, name: b.name, term: b.term}
	for _, p := range b.viewed {
		m.view = append(m.view, p.key)
	}
	d.send("", &m)
}

// complete makes a bid a tenure when all who are heard have granted it.
func (d *desk) complete(now time.Duration, b *bid) bool {
	view := d.view(now)
	if len(view)+1 < d.quorum || now-b.began >= d.pace.round {
		return false
	}
	for _, p := range view {
		if b.granted[p.id] != p.key {
			return false
		}
	}
	if d.shrunk(now, b) {
		return false
	}
	if now-d.alive > d.pace.pause || d.shunned(now) {
		return false
	}
	t := &tenure{lease: d.award(b.name, b.term), witness: b.granted}
	d.tenures[b.name] = t
	if now > d.until(b.name) { // too few have confirmed a beat lately
		delete(d.tenures, b.name)
		t.lease.end()
		d.yield(now, b, "", false)
		return true
	}
	t.lease.until.Store(int64(d.until(b.name)))
	for _, p := range view {
		delete(p.untold, b.name)
	}
	w := b.waiters[0]
	b.waiters = b.waiters[1:]
	if len(b.waiters) == 0 {
		delete(d.bids, b.name)
	} else {
		b.asking, b.after, b.retry = false, "", now+2*d.pace.lost
	}
	d.send("", &leaseMessage{op: opTook, name: b.name, term: t.lease.Term})
	w.got <- t.lease
	return true
}

// shrunk reports whether somebody has no say any more whom the voters were told
// of. They granted because that one would be asked as well.
func (d *desk) shrunk(now time.Duration, b *bid) bool {
	view := d.view(now)
	return slices.ContainsFunc(b.viewed, func(p *peer) bool { return !slices.Contains(view, p) })
}

// yield makes a bid wait: for a node, when one is in the way.
func (d *desk) yield(now time.Duration, b *bid, after string, owned bool) {
	if b.asking {
		d.withdraw(b)
	}
	b.after, b.owned = after, owned
	// Nodes that stood in each other's way do not try again at the same time.
	b.retry = now + d.pace.again*time.Duration(1+keyOf(b.name+d.self, d.epoch)%3)
	switch {
	case owned:
		b.retry = now + 2*d.pace.lost
	case after != "":
		b.retry += 5 * d.pace.again // it says what becomes of its bid
	}
	if now < d.pace.deaf {
		b.retry = now + d.pace.again
	}
	d.dueAt(now, b)
}

// withdraw ends a round.
func (d *desk) withdraw(b *bid) {
	if b.asking {
		b.asking, b.granted = false, nil
		d.send("", &leaseMessage{op: opFree, name: b.name, term: b.term})
	}
}

// lose ends a tenure, for whatever reason, and tells everybody. A call of Hold
// that waits on this node gets its chance together with the other nodes.
func (d *desk) lose(now time.Duration, name string) {
	t := d.tenures[name]
	if t == nil {
		return
	}
	delete(d.tenures, name)
	for _, p := range d.peers {
		delete(p.untold, name)
	}
	t.lease.end()
	d.send("", &leaseMessage{op: opFree, name: name, term: t.lease.Term})
	if b := d.bids[name]; b != nil {
		b.after, b.retry = "", now
		d.dueAt(now, b)
	}
}

func (d *desk) record(name string) *record {
	rec := d.records[name]
	if rec == nil {
		rec = &record{stakes: map[string]stake{}}
		d.records[name] = rec
	}
	return rec
}

// sweep forgets leases that nobody has, and whose terms the clock has passed.
func (d *desk) sweep() {
	old := uint64(max(0, d.unix()-forgetTerms.Milliseconds()))
	for name, rec := range d.records {
		for id, s := range rec.stakes {
			if p := d.peers[id]; p == nil || p.key != s.key {
				delete(rec.stakes, id)
			}
		}
		if len(rec.stakes) == 0 && uint64(rec.high>>tagBits) < old && d.bids[name] == nil && d.tenures[name] == nil {
			delete(d.records, name)
		}
	}
}

func (d *desk) send(to string, m *leaseMessage) {
	d.post(to, kindLease, encodeLease(m))
}
