package presence

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti"
)

// Receive takes what the Tell of another node sent. Messages of one node should
// come one after another; those that come out of order are lost, and made good.
// An error says that it could not be read, and changes nothing. The payload is
// not kept.
func (r *Roster) Receive(node string, epoch uint64, payload []byte) error {
	if r.Tell == nil {
		return nil
	}
	h, frames, err := parse(payload, epoch)
	defer r.enter()()
	x := &r.far
	x.stats.Received++
	x.stats.ReceivedBytes += uint64(len(payload))
	if err != nil {
		x.stats.Bad++
		return err
	}
	p := x.peers[node]
	if p == nil || p.epoch != epoch {
		return nil // Joined comes first
	}
	if !r.admit(p, h) {
		return nil
	}
	for i := range frames {
		r.apply(p, &frames[i])
	}
	r.respond(p)
	return nil
}

// admit reports whether the frames of a message are to be read.
func (r *Roster) admit(p *peer, h header) bool {
	x := &r.far
	if h.line < p.theirs {
		x.stats.Late++
		return false
	}
	if h.line > p.theirs {
		r.restart(p, h.line)
		r.flush(p)
	}
	if h.to != p.line || h.life != uint32(r.Epoch) {
		r.hello(p) // it does not know this line yet
		return false
	}
	switch {
	case h.seq == 0:
		return false
	case h.seq <= p.received:
		x.stats.Late++
		return false
	case h.seq > p.received+1:
		x.stats.Gaps++
		p.broken, p.part = true, nil
	}
	p.received = h.seq
	return true
}

func (r *Roster) apply(p *peer, f *frame) {
	x := &r.far
	if f.kind != kindCopy {
		p.part = nil
	}
	switch f.kind {
	case kindListen:
		r.gather(r.now())
		for _, i := range f.ids {
			r.listens(p, i)
		}
		p.reply = true
	case kindUnlisten:
		for _, i := range f.ids {
			r.unlistens(p, i)
		}
	case kindWhole:
		r.listensTo(p, f)
	case kindChanges:
		r.merge(p, f)
	case kindCopy:
		r.replace(p, f)
	case kindGone:
		for _, i := range f.ids {
			r.drop(p, i)
		}
	case kindWant:
		for _, i := range f.ids {
			r.tellCopy(p, i)
		}
	case kindDigest:
		if f.roots != [2]uint64{p.heard.root(), p.held.root()} {
			p.broken = true
		}
	case kindHeard:
		for b := range f.sums {
			if f.sums[b] != x.heard[b] {
				r.tellWhole(p, b)
			}
		}
	case kindHeld:
		r.gather(r.now())
		for b := range f.sums {
			if f.sums[b] != p.told[b] {
				r.tellList(p, b)
			}
		}
	case kindList:
		r.list(p, f)
	case kindAck:
		p.acked = max(p.acked, f.seq)
		r.answered()
	}
}

// respond sends what a message has called for.
func (r *Roster) respond(p *peer) {
	x := &r.far
	for _, some := range chunks(p.want) {
		r.tellIDs(p, kindWant, some)
	}
	p.want = p.want[:0]
	if now := r.now(); p.broken && now.Sub(p.compared) >= time.Second {
		p.broken, p.compared = false, now
		r.tellSums(p)
	}
	if p.reply {
		p.reply = false
		r.digest(p)
		x.body = binary.AppendUvarint(x.body[:0], p.received)
		r.add(p, kindAck, x.body)
	}
	r.flush(p)
}

// listens notes that a peer listens to a topic, and tells it who is there.
func (r *Roster) listens(p *peer, i id) {
	b := i.bucket()
	if _, ok := p.listens[b][i]; !ok {
		if p.listens[b] == nil {
			p.listens[b] = make(map[id]struct{})
		}
		p.listens[b][i] = struct{}{}
		p.heard[b] ^= i.hash()
		if rec := r.far.find(i); rec != nil {
			p.told[b] ^= i.stamped(rec.published)
		}
	}
	if rec := r.far.find(i); rec != nil && rec.published != (Stamp{}) {
		r.tellCopy(p, i)
	}
}

func (r *Roster) unlistens(p *peer, i id) {
	b := i.bucket()
	if _, ok := p.listens[b][i]; !ok {
		return
	}
	if delete(p.listens[b], i); len(p.listens[b]) == 0 {
		p.listens[b] = nil
	}
	p.heard[b] ^= i.hash()
	if rec := r.far.find(i); rec != nil {
		p.told[b] ^= i.stamped(rec.published)
	}
}

// listensTo takes all topics of a bucket that a peer listens to.
func (r *Roster) listensTo(p *peer, f *frame) {
	r.gather(r.now())
	now := make(map[id]struct{}, len(f.ids))
	for _, i := range f.ids {
		now[i] = struct{}{}
	}
	for i := range p.listens[f.bucket] {
		if _, ok := now[i]; !ok {
			r.unlistens(p, i)
		}
	}
	for i := range now {
		if _, ok := p.listens[f.bucket][i]; !ok {
			r.listens(p, i)
		}
	}
	p.reply = true
}

// at calls f with what is here of a topic, unless nobody listens to it. What f
// returns is delivered, and what the peer has there is counted again.
func (r *Roster) at(p *peer, i id, f func(*place) Diff) {
	rec := r.far.find(i)
	if rec == nil || !rec.heard {
		return
	}
	s := r.shard(rec.topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	pl := s.topics[rec.topic]
	if pl == nil {
		return
	}
	before, was := pl.Len(), pl.stamp(p.name)
	diff := f(pl)
	if o := pl.other(p.name); o != nil && o.size == 0 {
		pl.Drop(p.name)
	}
	p.held[i.bucket()] ^= i.stamped(was) ^ i.stamped(pl.stamp(p.name))
	s.settle(pl, before)
	if len(diff.Joins)+len(diff.Leaves) > 0 {
		r.deliver(rec.topic, diff)
	}
}

// merge takes changes of a peer, for which clients hear one diff.
func (r *Roster) merge(p *peer, f *frame) {
	r.at(p, f.id, func(pl *place) (all Diff) {
		d := Delta{Node: p.name, Stamp: f.stamp}
		for _, c := range f.changes {
			d.Diff = Diff{Joins: []Entry{c.Entry}}
			if c.remove {
				d.Diff = Diff{Leaves: []Entry{c.Entry}}
			}
			diff, wanted := pl.Merge(d)
			if wanted {
				p.want = append(p.want, f.id)
				break
			}
			all.add(diff)
			d.Version++
		}
		return all
	})
}

// replace takes a copy, of which there may be parts.
func (r *Roster) replace(p *peer, f *frame) {
	if p.part != nil && p.part.id == f.id && p.part.stamp == f.stamp {
		f.entries = append(p.part.entries, f.entries...)
	}
	p.part = nil
	if f.more {
		p.part = f
		return
	}
	r.at(p, f.id, func(pl *place) Diff {
		return pl.Replace(Copy{Node: p.name, Stamp: f.stamp, Entries: f.entries})
	})
}

// drop forgets what a peer had in a topic, where it has nothing.
func (r *Roster) drop(p *peer, i id) {
	r.at(p, i, func(pl *place) Diff { return Diff{Leaves: pl.Drop(p.name)} })
}

// list compares what a peer has in a bucket with what is here of it. If it does
// not know which topics this node listens to, that comes first.
func (r *Roster) list(p *peer, f *frame) {
	x := &r.far
	if f.sum != x.heard[f.bucket] {
		return
	}
	theirs := make(map[id]Stamp, len(f.ids))
	for n, i := range f.ids {
		theirs[i] = f.stamps[n]
	}
	for i, rec := range x.topics[f.bucket] {
		if !rec.heard {
			continue
		}
		switch theirs[i] {
		case r.stampOf(rec.topic, p.name):
		case Stamp{}:
			r.drop(p, i)
		default:
			p.want = append(p.want, i)
		}
	}
}

func (r *Roster) stampOf(t tutti.Topic, node string) Stamp {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if pl := s.topics[t]; pl != nil {
		return pl.stamp(node)
	}
	return Stamp{}
}

// add appends what happened after d to it, so that nothing comes and goes in
// one diff: clients take joins before leaves.
func (d *Diff) add(next Diff) {
	for _, e := range next.Leaves {
		i := slices.IndexFunc(d.Joins, func(j Entry) bool {
			return j.Channel == e.Channel && j.Key == e.Key && bytes.Equal(j.Meta, e.Meta)
		})
		if i >= 0 {
			d.Joins = slices.Delete(d.Joins, i, i+1)
		} else {
			d.Leaves = append(d.Leaves, e)
		}
	}
	d.Joins = append(d.Joins, next.Joins...)
}
