package presence

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
)

// An exchange is what a Roster has with other nodes. Its lock may be held while
// that of a shard is taken, never the other way: an event loop does not wait for
// another node's message to be merged.
type exchange struct {
	count atomic.Int32 // of peers
	bells bells

	mu     sync.Mutex // guards all below; Roster.Tell is called under it
	peers  map[string]*peer
	line   uint64 // of the peer that joined last
	topics [buckets]map[id]*record
	heard  sums // of the topics listened to
	asks   []ask
	idle   []idleTopic
	next   time.Time // of the digests
	ready  []func()  // to be called when mu is free
	body   []byte    // of the frame that is written
	stats  Stats
}

// A record is a topic that this node listens to, or has entries in.
type record struct {
	topic     tutti.Topic
	heard     bool
	published Stamp // of the own entries as peers were told of them; zero for none
}

// A peer is another node. What two nodes tell each other is counted in lines: a
// node begins one for each time that another joins, and numbers its messages to
// it. Those of an older line, or that come late, are not read, so that nothing
// that is over ever comes back.
type peer struct {
	name     string
	epoch    uint64
	line     uint64 // of this node
	theirs   uint64 // line of the peer that this node answers to, 0 until it is heard
	sent     uint64
	received uint64
	acked    uint64
	whole    uint64 // number of the message that ended the list of all topics
	gone     bool

	out      []byte // frames of the next message
	part     *frame // a copy of which more is to come
	want     []id
	broken   bool      // messages are missing, or the sums differ
	reply    bool      // it waits for an answer
	compared time.Time // when sums were sent last

	listens [buckets]map[id]struct{}
	heard   sums // of listens
	told    sums // of this node's entries in listens
	held    sums // of the peer's entries here
}

// An ask is topics that are not known until the peers have answered.
type ask struct {
	topics   []freshTopic
	deadline time.Time
	needs    []need
}

type need struct {
	peer *peer
	seq  uint64 // 0: when all is told
}

type idleTopic struct {
	topic tutti.Topic
	until time.Time
}

// Stats counts what a Roster had to do with other nodes since it began.
type Stats struct {
	Sent, SentBytes         uint64
	Received, ReceivedBytes uint64
	Bad                     uint64 // messages that could not be read
	Late                    uint64 // messages of an older line, or behind a later one
	Gaps                    uint64 // times that messages were missing
	Compared                uint64 // times that sums were sent, because something differed
	Copies                  uint64 // topics that were sent whole
}

// Stats returns the counts.
func (r *Roster) Stats() Stats {
	r.far.mu.Lock()
	defer r.far.mu.Unlock()
	return r.far.stats
}

// Joined says that another node is there, in this epoch of its own. Its entries
// come in by and by.
func (r *Roster) Joined(node string, epoch uint64) {
	if r.Tell == nil || node == r.Node {
		return
	}
	defer r.enter()()
	x := &r.far
	if p := x.peers[node]; p != nil {
		if p.epoch >= epoch {
			return
		}
		r.lose(p)
	}
	x.line++
	p := &peer{name: node, epoch: epoch, line: x.line}
	if x.peers == nil {
		x.peers = make(map[string]*peer)
	}
	x.peers[node] = p
	x.count.Store(int32(len(x.peers)))
	r.hello(p)
}

// Lost says that another node is gone, or has begun another life. Its entries
// leave at once, in one diff for each topic.
func (r *Roster) Lost(node string, epoch uint64) {
	defer r.enter()()
	if p := r.far.peers[node]; p != nil && p.epoch <= epoch {
		r.lose(p)
	}
}

// enter takes the exchange's lock. The function that it returns gives it back
// and calls those who have waited.
func (r *Roster) enter() (leave func()) {
	x := &r.far
	x.mu.Lock()
	return func() {
		ready := x.ready
		x.ready = nil
		x.mu.Unlock()
		for _, f := range ready {
			f()
		}
	}
}

// lose forgets a peer. x.mu is held.
func (r *Roster) lose(p *peer) {
	x := &r.far
	p.gone = true
	delete(x.peers, p.name)
	x.count.Store(int32(len(x.peers)))
	for i := range r.shards {
		r.dropAll(&r.shards[i], p.name)
	}
	r.answered()
}

func (r *Roster) dropAll(s *shard, node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, pl := range s.topics {
		before := pl.Len()
		if leaves := pl.Drop(node); len(leaves) > 0 {
			s.settle(pl, before)
			r.deliver(t, Diff{Leaves: leaves})
		}
	}
}

// restart begins anew what is told to a peer, which has begun another line and
// knows nothing. What is here of it stays: it will say what of that is over.
func (r *Roster) restart(p *peer, line uint64) {
	x := &r.far
	p.theirs = line
	p.sent, p.received, p.acked = 0, 0, 0
	p.out, p.part, p.want, p.broken = p.out[:0], nil, nil, false
	p.listens, p.heard, p.told = [buckets]map[id]struct{}{}, sums{}, sums{}
	var ids []id
	for b := range x.topics {
		for i, rec := range x.topics[b] {
			if rec.heard {
				ids = append(ids, i)
			}
		}
	}
	p.whole = p.sent + 1
	for _, some := range chunks(ids) {
		p.whole = r.tellIDs(p, kindListen, some)
	}
	r.digest(p)
}

// record returns what is noted of a topic, beginning it when needed.
func (x *exchange) record(i id, t tutti.Topic) *record {
	in := &x.topics[i.bucket()]
	rec := (*in)[i]
	if rec == nil {
		rec = &record{topic: t}
		if *in == nil {
			*in = make(map[id]*record)
		}
		(*in)[i] = rec
	}
	return rec
}

func (x *exchange) find(i id) *record { return x.topics[i.bucket()][i] }

// release forgets a topic that nobody here has to do with.
func (x *exchange) release(i id, rec *record) {
	if !rec.heard && rec.published == (Stamp{}) {
		delete(x.topics[i.bucket()], i)
	}
}
