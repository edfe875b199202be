// Package presence knows who is in a topic, under which key and with what they
// tell about themselves. internal/channel tracks, untracks and asks for the
// state of a topic; the diffs go out through the function that internal/app
// puts into the Roster. It owns the entries of this node's channels, and no
// goroutine but the one that Run is called on.
//
// In a cluster each entry belongs to the node of its channel, and nodes hold the
// entries of others in those topics that they have listeners for. internal/app
// says which these are (Listen), which nodes there are (Joined, Lost), and
// carries what they tell each other (Tell, Receive).
package presence

import (
	"bytes"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
)

// DiffEvent is the channel event of the messages that a Roster delivers.
const DiffEvent = "presence_diff"

// shardCount is a power of two, many times the number of event loops, so that
// two of them rarely want the same lock.
const shardCount = 64

// seed never changes. That it differs from process to process keeps clients
// from choosing topics that fall into one shard.
var seed = maphash.MakeSeed()

// A Roster is the presence of all topics on this node. It is safe for
// concurrent use.
type Roster struct {
	Node string // name of this node in the cluster, "" is fine for a single one

	// Epoch is greater at each start of the node; the Unix time of the start in
	// nanoseconds is. It is the one that others are told by Joined and Receive.
	Epoch uint64

	// Deliver hands a presence_diff to all on this node who listen to its topic,
	// the channel that caused it included; other nodes make their own. It is
	// called with the topic's lock held, so that the diffs of a topic leave in
	// the order of its changes: it only queues, never blocks, and never calls
	// the Roster.
	Deliver func(tutti.Message)

	// Tell sends bytes to the Receive of another node. It only queues: it never
	// blocks, never calls the Roster, and may lose them. Nil is for a single
	// node, which then pays nothing for others.
	Tell func(node string, payload []byte)

	Delay   time.Duration // changes are collected for so long before others are told; 50 ms, 1.5 s at most
	Wait    time.Duration // for the answers of others about a topic; 300 ms
	Linger  time.Duration // entries of others are kept for so long after the last listener left; 5 s
	Compare time.Duration // between two digests; 2 s

	clock  func() time.Time // time.Now but in tests
	far    exchange
	shards [shardCount]shard
}

type shard struct {
	mu       sync.Mutex // guards all below; only Roster.Deliver is called under it
	topics   map[tutti.Topic]*place
	begun    uint64 // states begun so far: what makes the next one's epoch greater
	entries  int
	occupied int // topics with entries

	// What the exchange has yet to hear of, in a cluster.
	changes []localChange
	fresh   []freshTopic
	idle    []idleTopic
}

// A place is a topic with entries, or one that is listened to in a cluster.
type place struct {
	State

	// In a cluster:
	id      id
	loops   int       // that have listeners
	heard   bool      // the entries of others are kept
	known   bool      // others have been heard, or did not answer
	idle    time.Time // since when loops is 0
	waiting []func()  // to be called when known
}

// Track enters a channel into a topic under its key, with a payload that is a
// valid JSON object; an empty payload is taken for {}. Tracked again with other
// members the entry is updated: it gets a new phx_ref and names the old one in
// phx_ref_prev. With the same members, byte for byte, nothing happens and
// changed is false. The payload is not kept.
func (r *Roster) Track(t tutti.Topic, channel uint64, key string, payload []byte) (changed bool) {
	// Two keys that differ in broken bytes only would be the same key in JSON.
	key = strings.ToValidUTF8(key, "\uFFFD")
	ref, own := newRef(), members(payload)

	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	pl := s.topics[t]
	if pl == nil {
		pl = r.begin(s, t)
	}
	old, tracked := pl.Own(channel)
	prev := ""
	if tracked {
		if old.Key == key && bytes.Equal(membersOf(old.Meta), own) {
			return false
		}
		prev = refOf(old.Meta)
	}
	before := pl.Len()
	r.changed(s, t, pl, pl.Put(channel, key, render(ref, prev, own)), before)
	return true
}

// Untrack takes a channel out of a topic: when the client asks for it, and when
// the channel ends, for whatever reason. It reports whether the channel was in.
func (r *Roster) Untrack(t tutti.Topic, channel uint64) (changed bool) {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	pl := s.topics[t]
	if pl == nil {
		return false
	}
	before := pl.Len()
	d, ok := pl.Remove(channel)
	if !ok {
		return false
	}
	r.changed(s, t, pl, d, before)
	return true
}

// changed does what a change of this node's own entries brings about. s.mu is
// held.
func (r *Roster) changed(s *shard, t tutti.Topic, pl *place, d Delta, before int) {
	empty := pl.own.size == 0
	s.settle(pl, before)
	switch {
	case empty && pl.Len() == 0 && !pl.heard:
		delete(s.topics, t)
	case empty: // others forget how far an empty node has come
		s.begun++
		pl.Renew(r.Epoch + s.begun)
	}
	if r.Tell != nil {
		s.changes = append(s.changes, localChange{id: pl.id, Delta: d, topic: t, empty: empty})
		if len(s.changes) == 1 {
			r.far.bells.changes.ring()
		}
	}
	r.deliver(t, d.Diff)
}

// settle counts the entries of a place that held so many before.
func (s *shard) settle(pl *place, before int) {
	after := pl.Len()
	s.entries += after - before
	if before == 0 && after > 0 {
		s.occupied++
	} else if before > 0 && after == 0 {
		s.occupied--
	}
}

// State returns the payload of presence_state, oldest entries first, {} for an
// empty topic. Ask for it after the channel has begun to listen to the topic:
// a diff that comes twice does no harm, one that never comes does.
func (r *Roster) State(t tutti.Topic) []byte { return renderState(r.snapshot(t)) }

// snapshot returns the entries of a topic. Rendering a large topic takes long;
// it happens outside of the lock.
func (r *Roster) snapshot(t tutti.Topic) []Entry {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	pl := s.topics[t]
	if pl == nil {
		return nil
	}
	return pl.Entries()
}

// Count returns how many topics have entries, and how many entries there are,
// those of other nodes included.
// Under load it is a little blurred: the shards are counted one after another.
func (r *Roster) Count() (topics, entries int) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		topics += s.occupied
		entries += s.entries
		s.mu.Unlock()
	}
	return topics, entries
}

func (r *Roster) shard(t tutti.Topic) *shard {
	return &r.shards[maphash.Comparable(seed, t)%shardCount]
}

// begin starts the state of a topic. A topic that emptied and fills again has
// lost its count of versions with its state, so it gets a greater epoch. s.mu
// is held.
func (r *Roster) begin(s *shard, t tutti.Topic) *place {
	if s.topics == nil {
		s.topics = make(map[tutti.Topic]*place)
	}
	s.begun++
	pl := &place{State: *NewState(r.Node, r.Epoch+s.begun)}
	if r.Tell != nil {
		pl.id = idOf(t)
	}
	s.topics[t] = pl
	return pl
}

// deliver sends a change of a topic to its listeners. The topic's lock is held.
func (r *Roster) deliver(t tutti.Topic, d Diff) {
	r.Deliver(tutti.Message{Topic: t, Form: tutti.Object, Event: DiffEvent, Payload: renderDiff(d)})
}
