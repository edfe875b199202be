package limit

import "sync/atomic"

const (
	// maxShares bounds what one node may tell, in tenants.
	maxShares = 1 << 17
	// batch is how many records are taken in at once, about 20 µs: whoever needs
	// the lock meanwhile waits no longer.
	batch = 256
	// silence is how long, in seconds, the numbers of a node count that tells
	// nothing. Each node tells at least every roundEvery seconds.
	silence = 6 * roundEvery
)

// An account sums up what all other nodes have of a tenant.
//
// It exists as long as another node counts the tenant or this one does. What the
// other nodes count is known whether or not this one has clients of the tenant,
// for it must be in force with the first of them: 100 nodes that count 10,000
// tenants each cost 80 MB when all count the same ones, and 262 MB when each counts
// others, a million in all (TestWhatOtherNodesCountCostsLittleMemory).
type account struct {
	users atomic.Int64
	rates [kinds]atomic.Int64 // in 1/rateUnit events per second

	tenantID string
	holders  int // shares in it, and this node's counters; guarded by exchange.mu
}

// add puts s in the place of old.
func (a *account) add(old, s share) {
	if s.users != old.users {
		a.users.Add(int64(s.users) - int64(old.users))
	}
	for i := range s.rates {
		if s.rates[i] != old.rates[i] {
			a.rates[i].Add(int64(s.rates[i]) - int64(old.rates[i]))
		}
	}
}

// A peer is another node, as far as it was heard.
type peer struct {
	epoch  uint64 // of the life that its shares are of
	heard  int    // when, by exchange.age
	joined bool   // the cluster says that it is there
	since  int    // when it joined, by exchange.age
	left   bool   // the cluster says that it is gone
	owed   debt

	shares map[*account]heldShare
	round  uint64 // the telling of everything that is on its way, or was the last
	parts  int    // of it that were heard, -1 when one was lost
	whole  bool   // one was heard from its beginning to its end
}

// A debt says whether a node is to be told everything.
type debt uint8

const (
	owedNothing debt = iota
	owedAnswer       // it has asked: with the next second, so that asking costs little
	owedWelcome      // it has joined: at once
)

// A heldShare is a share and the round in which it was heard, so that what is
// no longer repeated can be found.
type heldShare struct {
	share
	round uint32
}

// Receive takes in what another node tells. The error says what is wrong with
// the message, of which nothing was taken in then.
func (x *exchange) receive(node string, message []byte) error {
	h, records, err := decode(message)
	if err != nil {
		return err
	}
	for first, done := true, false; !done; first = false {
		records, done = x.takeIn(node, h, records, first)
	}
	return nil
}

// takeIn takes in some records and returns those that are left, and whether the
// message is done with.
func (x *exchange) takeIn(node string, h head, records []byte, first bool) (rest []byte, done bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.speaker(node, h)
	if p == nil {
		return nil, true
	}
	if first {
		p.begin(h)
	}
	for n := 0; n < batch && len(records) > 0; n++ {
		var r record
		r, records, _ = next(records) // decode has read it
		x.set(p, r)
	}
	if len(records) > 0 {
		return records, false
	}
	if h.is(flagLast) {
		x.finish(p)
	}
	return nil, true
}

// speaker returns the peer whose message this is, nil when it is of a life that
// is over. Who is said to be gone is not heard until he is said to be there: he
// is asked then.
func (x *exchange) speaker(node string, h head) *peer {
	p := x.peer(node)
	if p.left || h.epoch < p.epoch {
		return nil
	}
	if h.epoch > p.epoch {
		x.forget(p)
		p.epoch = h.epoch
	}
	p.heard = x.age
	return p
}

func (x *exchange) peer(node string) *peer {
	p := x.peers[node]
	if p == nil {
		p = &peer{parts: -1, shares: make(map[*account]heldShare)}
		x.peers[node] = p
	}
	return p
}

// begin notes what kind of message comes.
func (p *peer) begin(h head) {
	if h.is(flagAsk) {
		p.owed = max(p.owed, owedAnswer)
	}
	switch {
	case !h.is(flagRound):
	case h.part == 0:
		p.round, p.parts = h.round, 1
	case h.round == p.round && p.parts >= 0 && h.part == uint64(p.parts):
		p.parts++
	default:
		p.parts = -1
	}
}

// finish ends a round. When nothing of it was lost, what it did not repeat is no
// longer so.
func (x *exchange) finish(p *peer) {
	if p.parts < 0 {
		return
	}
	p.parts, p.whole = -1, true
	for a, s := range p.shares {
		if s.round != uint32(p.round) {
			x.drop(p, a, s.share)
		}
	}
}

// set notes what a peer has of a tenant now.
func (x *exchange) set(p *peer, r record) {
	a := x.accounts[string(r.tenantID)]
	if r.share == (share{}) {
		if a == nil {
			return
		}
		if old, known := p.shares[a]; known {
			x.drop(p, a, old.share)
		}
		return
	}
	if a == nil {
		if len(p.shares) >= maxShares {
			return
		}
		a = x.open(string(r.tenantID))
	}
	old, known := p.shares[a]
	switch {
	case known:
	case len(p.shares) >= maxShares:
		return
	default:
		a.holders++
	}
	a.add(old.share, r.share)
	p.shares[a] = heldShare{r.share, uint32(p.round)}
}

// drop takes a peer's share out of an account.
func (x *exchange) drop(p *peer, a *account, s share) {
	a.add(s, share{})
	delete(p.shares, a)
	x.release(a)
}

// forget drops all shares of a peer.
func (x *exchange) forget(p *peer) {
	for a, s := range p.shares {
		x.drop(p, a, s.share)
	}
	p.parts, p.whole = -1, false
}

// open returns a new account that nobody holds.
func (x *exchange) open(tenantID string) *account {
	a := &account{tenantID: tenantID}
	x.accounts[tenantID] = a
	return a
}

// release lets go of an account.
func (x *exchange) release(a *account) {
	if a.holders--; a.holders <= 0 {
		delete(x.accounts, a.tenantID)
	}
}

// hold returns the account of a tenant that this node begins to count.
func (x *exchange) hold(tenantID string) *account {
	x.mu.Lock()
	defer x.mu.Unlock()
	a := x.accounts[tenantID]
	if a == nil {
		a = x.open(tenantID)
	}
	a.holders++
	return a
}

// letGo gives back what hold returned.
func (x *exchange) letGo(accounts []*account) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range accounts {
		x.release(a)
	}
}

// join notes that a node is there.
func (x *exchange) join(node string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.peer(node)
	p.joined, p.left, p.owed = true, false, owedWelcome
	p.since, p.heard = x.age, x.age
}

// leave notes that a node is gone. What it said is still on its way, perhaps, so
// that it is remembered for a while as one that is not heard.
func (x *exchange) leave(node string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.peer(node)
	x.forget(p)
	p.joined, p.left, p.owed = false, true, owedNothing
	p.heard = x.age
}

// grow lets a second pass: it forgets who has been silent for too long, and
// returns the nodes that have joined and of which not everything was heard.
//
// An event of the cluster and what a node tells come on different ways. A node
// that began again may be heard before its former life is said to be over, and
// what it told is then forgotten. It is asked twice; then the next round is near.
func (x *exchange) grow() (unheard []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.age++
	for node, p := range x.peers {
		if x.age-p.heard > silence {
			x.forget(p)
			if !p.joined {
				delete(x.peers, node)
			}
		}
		if age := x.age - p.since; p.joined && !p.whole && (age == 2 || age == 5) {
			unheard = append(unheard, node)
		}
	}
	return unheard
}

// debts returns the nodes that are owed so much at least, and how many others
// there are. They are owed nothing then.
func (x *exchange) debts(least debt) (nodes []string, others int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for node, p := range x.peers {
		if p.owed >= least {
			p.owed = owedNothing
			nodes = append(nodes, node)
		}
	}
	return nodes, len(x.peers)
}
