package cluster

import (
	"maps"
	"slices"
	"time"
)

// claimsAtOnce bounds a message of claims to some 60 kB.
const claimsAtOnce = 200

// receive handles what another node says about leases.
func (d *desk) receive(now time.Duration, p *peer, m *leaseMessage) {
	switch m.op {
	case opAsk:
		d.vote(now, p, m)
	case opGrant:
		if b := d.bids[m.name]; b != nil && b.asking && b.term == m.term {
			b.granted[p.id] = p.key
			d.complete(now, b)
		}
	case opDeny:
		d.denied(now, p, m)
	case opTook:
		d.noteTook(now, p, claim{m.name, m.term})
	case opFree:
		d.noteFree(now, p, m)
	case opClaim:
		d.noteClaims(now, p, m)
	case opClaimed:
		d.noteClaimed(now, p, m)
	case opProbe:
		reply := leaseMessage{op: opFree, name: m.name}
		if t := d.tenures[m.name]; t != nil {
			reply = leaseMessage{op: opTook, name: m.name, term: t.lease.Term}
		}
		d.send(p.id, &reply)
	}
}

// vote answers a candidate.
func (d *desk) vote(now time.Duration, p *peer, m *leaseMessage) {
	rec := d.record(m.name)
	reply := leaseMessage{op: opDeny, name: m.name, term: m.term}
	b := d.bids[m.name]
	switch {
	case d.tenures[m.name] != nil:
		reply.why = whyHeld
	case m.term.tag() == d.tag:
		reply.why = whyTwin
	case b != nil && b.asking && d.before(m.name, d.self, p.id):
		reply.why = whyRival
	case d.far(now, p, m, rec):
		reply.why = whyFar
	case rec.high > m.term, rec.high == m.term && rec.stakes[p.id] != stake{p.key, m.term}:
		reply.why, reply.high = whyStale, rec.high
		if b != nil && b.asking {
			d.yield(now, b, p.id, false) // it goes first, and will ask again
		}
	default:
		reply.op = opGrant
		rec.high = m.term
		rec.stakes[p.id] = stake{p.key, m.term}
		if b != nil && b.asking {
			d.yield(now, b, p.id, false)
		}
	}
	d.send(p.id, &reply)
}

// before reports whether node a goes before node b when both want a lease: each
// lease has an order of its own, so that leases spread over the nodes.
func (d *desk) before(name, a, b string) bool {
	x, y := keyOf(name+"\x00"+a, 0), keyOf(name+"\x00"+b, 0)
	return x > y || x == y && a > b
}

// far reports whether somebody may have the lease whom this node hears and the
// asker does not.
func (d *desk) far(now time.Duration, asker *peer, m *leaseMessage, rec *record) bool {
	for id, s := range rec.stakes {
		p := d.peers[id]
		if id == asker.id || p == nil || p.key != s.key || now-p.heard > d.pace.deaf {
			continue // whom the asker has given up just now, this node gives up as well
		}
		if !slices.Contains(m.view, s.key) {
			return true
		}
	}
	return false
}

func (d *desk) denied(now time.Duration, p *peer, m *leaseMessage) {
	b := d.bids[m.name]
	if b == nil || !b.asking || b.term != m.term {
		return
	}
	switch m.why {
	case whyStale:
		rec := d.record(m.name)
		rec.high = max(rec.high, m.high)
		d.ask(now, b)
	case whyHeld:
		d.yield(now, b, p.id, true)
	case whyRival:
		d.yield(now, b, p.id, false)
	default:
		d.yield(now, b, "", false)
	}
}

// noteTook remembers an owner.
func (d *desk) noteTook(now time.Duration, p *peer, c claim) {
	rec := d.record(c.name)
	rec.high = max(rec.high, c.term)
	if s := rec.stakes[p.id]; s.key == p.key && s.term > c.term {
		return // an old message
	}
	rec.stakes[p.id] = stake{p.key, c.term}
	if b := d.bids[c.name]; b != nil && d.tenures[c.name] == nil {
		d.yield(now, b, p.id, true)
	}
}

// noteFree forgets an owner or a candidate, and wakes a bid that waited for it.
func (d *desk) noteFree(now time.Duration, p *peer, m *leaseMessage) {
	rec := d.record(m.name)
	if s, ok := rec.stakes[p.id]; ok && s.term <= m.term {
		delete(rec.stakes, p.id)
	}
	if b := d.bids[m.name]; b != nil && !b.asking && b.after == p.id {
		d.ask(now, b)
	}
}

// anew is called when a peer has taken this node up anew, and so may have
// forgotten, or never known, what it has.
func (d *desk) anew(p *peer) {
	p.untold = make(map[string]struct{}, len(d.tenures))
	p.telling, p.claimed = nil, -d.pace.lost
	for name, t := range d.tenures {
		delete(t.witness, p.id)
		p.untold[name] = struct{}{}
	}
}

// tellClaims tells peers what they do not know, one message at a time to each.
func (d *desk) tellClaims(now time.Duration) {
	for _, p := range d.view(now) {
		if len(p.untold) > 0 && now-p.claimed >= d.pace.again {
			d.tellClaim(now, p)
		}
	}
}

func (d *desk) tellClaim(now time.Duration, p *peer) {
	p.claimed = now
	d.chunks++
	p.chunk = d.chunks
	p.telling = slices.Sorted(maps.Keys(p.untold))
	p.telling = p.telling[:min(len(p.telling), claimsAtOnce)]
	m := leaseMessage{op: opClaim, chunk: p.chunk}
	for _, name := range p.telling {
		m.claims = append(m.claims, claim{name, d.tenures[name].lease.Term})
	}
	d.send(p.id, &m)
}

// noteClaims hears what a peer has. Whoever has the greater term keeps a lease
// that both have: what fences by term would refuse the other.
func (d *desk) noteClaims(now time.Duration, p *peer, m *leaseMessage) {
	reply := leaseMessage{op: opClaimed, chunk: m.chunk}
	for _, c := range m.claims {
		rec := d.record(c.name)
		if t := d.tenures[c.name]; t != nil && t.lease.Term < c.term {
			d.lose(now, c.name)
		}
		over := Term(0)
		if t := d.tenures[c.name]; t != nil {
			over = t.lease.Term
		}
		for id, s := range rec.stakes {
			if q := d.peers[id]; id != p.id && q != nil && q.key == s.key && !q.deaf {
				over = max(over, s.term)
			}
		}
		if over > c.term {
			reply.claims = append(reply.claims, claim{c.name, over})
			continue
		}
		d.noteTook(now, p, c)
	}
	d.send(p.id, &reply)
}

func (d *desk) noteClaimed(now time.Duration, p *peer, m *leaseMessage) {
	if m.chunk != p.chunk || p.telling == nil {
		return
	}
	for _, name := range p.telling {
		delete(p.untold, name)
		if t := d.tenures[name]; t != nil {
			t.witness[p.id] = p.key
		}
	}
	p.telling = nil
	for _, c := range m.claims {
		if t := d.tenures[c.name]; t != nil && c.term > t.lease.Term {
			d.lose(now, c.name)
		}
	}
	if len(p.untold) > 0 {
		d.tellClaim(now, p)
	}
	d.extend()
}
