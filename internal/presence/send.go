package presence

import (
	"encoding/binary"
	"slices"

	"github.com/tutti-realtime/tutti"
)

const (
	// messageSize is about the largest message, in bytes. One entry that is
	// larger goes alone.
	messageSize = 128 << 10
	// idsPerFrame keeps lists of topics within it.
	idsPerFrame = 4096
)

func chunks(ids []id) [][]id { return slices.Collect(slices.Chunk(ids, idsPerFrame)) }

// add puts a frame into the next message to a peer and returns the number of
// that message. A peer whose line is not known is told nothing: it will be told
// all.
func (r *Roster) add(p *peer, k kind, body []byte) (seq uint64) {
	if p.theirs == 0 {
		return 0
	}
	if len(p.out) > 0 && len(p.out)+len(body) > messageSize {
		r.flush(p)
	}
	p.out = appendFrame(p.out, k, body)
	return p.sent + 1
}

func (r *Roster) tellIDs(p *peer, k kind, ids []id) (seq uint64) {
	r.far.body = appendIDs(r.far.body[:0], ids)
	return r.add(p, k, r.far.body)
}

// flush sends what waits for a peer.
func (r *Roster) flush(p *peer) {
	if len(p.out) == 0 {
		return
	}
	p.sent++
	r.send(p, p.sent, p.out)
	p.out = p.out[:0]
	if cap(p.out) > 2*messageSize {
		p.out = nil
	}
}

// hello tells a peer the line of this node and nothing else.
func (r *Roster) hello(p *peer) { r.send(p, 0, nil) }

func (r *Roster) send(p *peer, seq uint64, frames []byte) {
	const room = 32 // for the header
	b := appendHeader(make([]byte, 0, room+len(frames)), header{line: p.line, to: p.theirs, life: uint32(p.epoch), seq: seq})
	b = append(b, frames...)
	r.far.stats.Sent++
	r.far.stats.SentBytes += uint64(len(b))
	r.Tell(p.name, b)
}

// digest tells a peer what it should know of this node.
func (r *Roster) digest(p *peer) {
	r.far.body = appendRoots(r.far.body[:0], r.far.heard.root(), p.told.root())
	r.add(p, kindDigest, r.far.body)
}

// A localChange is a change of this node that peers are not told of yet.
type localChange struct {
	id
	Delta
	topic tutti.Topic
	empty bool // no entry of this node is left
}

// publish tells the peers who listen to their topics of changes, which are all
// of one shard and in order.
func (r *Roster) publish(all []localChange) {
	latest := make(map[id]int)
	var groups [][]localChange
	for _, c := range all {
		if i, ok := latest[c.id]; ok && groups[i][0].Epoch == c.Epoch && sizeOfChanges(groups[i]) < messageSize {
			groups[i] = append(groups[i], c)
			continue
		}
		latest[c.id] = len(groups)
		groups = append(groups, []localChange{c})
	}
	for _, g := range groups {
		r.publishTopic(g)
	}
}

func sizeOfChanges(g []localChange) (size int) {
	if len(g) < 16 {
		return 0 // near enough
	}
	for _, c := range g {
		for _, e := range c.Joins {
			size += len(e.Key) + len(e.Meta)
		}
	}
	return size
}

func (r *Roster) publishTopic(g []localChange) {
	x := &r.far
	i, last := g[0].id, g[len(g)-1]
	rec := x.record(i, last.topic)
	was, is := rec.published, last.Stamp
	if last.empty {
		is = Stamp{}
	}
	rec.published = is
	body := appendTopic(x.body[:0], i, g[0].Stamp, r.Epoch)
	for _, c := range g {
		body = appendChange(body, c.Diff)
	}
	x.body = body
	for _, p := range x.peers {
		if _, ok := p.listens[i.bucket()][i]; ok {
			p.told[i.bucket()] ^= i.stamped(was) ^ i.stamped(is)
			r.add(p, kindChanges, body)
		}
	}
	x.release(i, rec)
}

// tellCopy tells a peer all entries of this node in a topic, or that there are
// none.
func (r *Roster) tellCopy(p *peer, i id) {
	rec := r.far.find(i)
	if rec == nil || rec.published == (Stamp{}) {
		r.tellIDs(p, kindGone, []id{i})
		return
	}
	full, changes := r.shard(rec.topic).full(rec.topic, r.Node)
	r.publish(changes)
	if len(full.Entries) == 0 {
		r.tellIDs(p, kindGone, []id{i})
		return
	}
	r.appendCopy(p, i, full)
}

// full returns all entries of this node in a topic, and the changes of the shard
// that lead there.
func (s *shard) full(t tutti.Topic, node string) (full Copy, changes []localChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pl := s.topics[t]; pl != nil {
		full, _ = pl.Full(node)
	}
	changes, s.changes = s.changes, nil
	return full, changes
}

// appendCopy writes a copy as so many frames as it needs.
func (r *Roster) appendCopy(p *peer, i id, full Copy) {
	x := &r.far
	x.stats.Copies++
	for rest := full.Entries; ; {
		size, n := 0, 0
		for n < len(rest) && (n == 0 || size < messageSize/2) {
			size += len(rest[n].Key) + len(rest[n].Meta)
			n++
		}
		body := appendTopic(x.body[:0], i, full.Stamp, r.Epoch)
		body = append(body, 0)
		if n < len(rest) {
			body[len(body)-1] = 1
		}
		for _, e := range rest[:n] {
			body = appendEntry(body, e)
		}
		x.body = body
		r.add(p, kindCopy, body)
		if rest = rest[n:]; len(rest) == 0 {
			return
		}
	}
}

// tellSums shows a peer what is known of it, for it to say what is wrong.
func (r *Roster) tellSums(p *peer) {
	x := &r.far
	x.stats.Compared++
	x.body = appendSums(x.body[:0], &p.heard)
	r.add(p, kindHeard, x.body)
	x.body = appendSums(x.body[:0], &p.held)
	r.add(p, kindHeld, x.body)
}

// tellWhole tells all topics of a bucket that this node listens to.
func (r *Roster) tellWhole(p *peer, bucket int) {
	x := &r.far
	body := x.body[:0]
	body = append(body, byte(bucket))
	for i, rec := range x.topics[bucket] {
		if rec.heard {
			body = append(body, i[:]...)
		}
	}
	x.body = body
	r.add(p, kindWhole, body)
}

// tellList tells which entries of a bucket the peer should have.
func (r *Roster) tellList(p *peer, bucket int) {
	x := &r.far
	body := binary.BigEndian.AppendUint64(append(x.body[:0], byte(bucket)), p.heard[bucket])
	for i := range p.listens[bucket] {
		if rec := x.find(i); rec != nil && rec.published != (Stamp{}) {
			body = appendTopic(body, i, rec.published, r.Epoch)
		}
	}
	x.body = body
	r.add(p, kindList, body)
}
