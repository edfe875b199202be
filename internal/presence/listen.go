package presence

import (
	"time"

	"github.com/tutti-realtime/tutti"
)

// A freshTopic is one that this node has begun to listen to.
type freshTopic struct {
	id
	topic tutti.Topic
}

// Listen says that an event loop has listeners for a topic now. Each loop says
// it once, before anything is asked about the topic, and takes it back with
// Unlisten after its last listener left. It never blocks.
func (r *Roster) Listen(t tutti.Topic) {
	if r.Tell == nil {
		return
	}
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	pl := s.topics[t]
	if pl == nil {
		pl = r.begin(s, t)
	}
	pl.loops++
	if pl.heard {
		return
	}
	pl.heard = true
	s.fresh = append(s.fresh, freshTopic{pl.id, t})
	r.far.bells.hurry.ring()
}

// Unlisten takes a Listen back. The entries of other nodes are kept for a while,
// so that a topic that is joined and left again and again is asked for once.
func (r *Roster) Unlisten(t tutti.Topic) {
	if r.Tell == nil {
		return
	}
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	pl := s.topics[t]
	if pl == nil || pl.loops == 0 {
		return
	}
	if pl.loops--; pl.loops == 0 {
		pl.idle = r.now()
		s.idle = append(s.idle, idleTopic{t, pl.idle.Add(r.linger())})
	}
}

// Alone reports whether there are no other nodes: then there is nothing to await.
func (r *Roster) Alone() bool { return r.Tell == nil || r.far.count.Load() == 0 }

// Await reports whether the State of a topic may lack entries, because nodes have
// not answered yet. Then ready is called once: when they have, or when they did
// not in time (Wait). What they say later comes as a presence_diff. A client that
// waits for its presence_state keeps the diffs that come before it.
//
// Ready is called by Run, or by Receive, Joined or Lost, so it only queues.
func (r *Roster) Await(t tutti.Topic, ready func()) (waiting bool) {
	if r.Alone() {
		return false
	}
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	pl := s.topics[t]
	if pl == nil || !pl.heard || pl.known {
		return false
	}
	pl.waiting = append(pl.waiting, ready)
	return true
}

// gather takes from the shards what happened there since, and tells the peers.
// x.mu is held.
func (r *Roster) gather(now time.Time) {
	x := &r.far
	var fresh []freshTopic
	for i := range r.shards {
		s := &r.shards[i]
		changes, more, idle := s.take()
		r.publish(changes)
		fresh = append(fresh, more...)
		x.idle = append(x.idle, idle...)
	}
	if len(fresh) > 0 {
		r.announce(fresh, now)
	}
}

func (s *shard) take() (changes []localChange, fresh []freshTopic, idle []idleTopic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, fresh, idle = s.changes, s.fresh, s.idle
	s.changes, s.fresh, s.idle = nil, nil, nil
	return changes, fresh, idle
}

// announce tells the peers that this node listens to topics from now on, which
// asks them for what they have.
func (r *Roster) announce(fresh []freshTopic, now time.Time) {
	x := &r.far
	ids := make([]id, len(fresh))
	for i, f := range fresh {
		ids[i] = f.id
		x.record(f.id, f.topic).heard = true
		x.heard[f.bucket()] ^= f.hash()
	}
	var needs []need
	for _, p := range x.peers {
		seq := uint64(0)
		for _, some := range chunks(ids) {
			seq = r.tellIDs(p, kindListen, some)
		}
		needs = append(needs, need{p, seq})
	}
	x.asks = append(x.asks, ask{fresh, now.Add(r.wait()), needs})
	r.answered()
}

// answered lets those go on whose topics are known by now.
func (r *Roster) answered() {
	x := &r.far
	now := r.now()
	rest := x.asks[:0]
	for _, a := range x.asks {
		if now.Before(a.deadline) && !a.met() {
			rest = append(rest, a)
			continue
		}
		for _, f := range a.topics {
			r.known(f.topic)
		}
	}
	clear(x.asks[len(rest):])
	x.asks = rest
}

func (a *ask) met() bool {
	for _, n := range a.needs {
		p, seq := n.peer, n.seq
		if seq == 0 {
			seq = p.whole
		}
		if !p.gone && (seq == 0 || p.acked < seq) {
			return false
		}
	}
	return true
}

func (r *Roster) known(t tutti.Topic) {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if pl := s.topics[t]; pl != nil {
		pl.known = true
		r.far.ready = append(r.far.ready, pl.waiting...)
		pl.waiting = nil
	}
}

// cease forgets the entries of others in topics that have had no listener for
// a while, and says so.
func (r *Roster) cease(now time.Time) {
	x := &r.far
	var ids []id
	for len(x.idle) > 0 && !now.Before(x.idle[0].until) {
		t := x.idle[0].topic
		x.idle = x.idle[1:]
		if i, ok := r.forget(t, now); ok {
			rec := x.find(i)
			rec.heard = false
			x.heard[i.bucket()] ^= i.hash()
			x.release(i, rec)
			ids = append(ids, i)
		}
	}
	for _, some := range chunks(ids) {
		for _, p := range x.peers {
			r.tellIDs(p, kindUnlisten, some)
		}
	}
}

// forget drops what others have in a topic that is idle. Nobody is left to hear
// of it.
func (r *Roster) forget(t tutti.Topic, now time.Time) (i id, done bool) {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	pl := s.topics[t]
	if pl == nil || pl.loops > 0 || !pl.heard || now.Sub(pl.idle) < r.linger() {
		return i, false
	}
	before := pl.Len()
	for _, o := range pl.others {
		if p := r.far.peers[o.node]; p != nil {
			p.held[pl.id.bucket()] ^= pl.id.stamped(o.stamp)
		}
	}
	pl.others = nil
	s.settle(pl, before)
	pl.heard, pl.known = false, false
	r.far.ready = append(r.far.ready, pl.waiting...)
	pl.waiting = nil
	if pl.Len() == 0 {
		delete(s.topics, t)
	}
	return pl.id, true
}
