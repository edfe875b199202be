// Package presence knows who is in a topic, under which key and with what they
// tell about themselves. internal/channel tracks, untracks and asks for the
// state of a topic; the diffs go out through the function that internal/app
// puts into the Roster. It owns the entries of this node's channels, and no
// goroutine.
package presence

import (
	"bytes"
	"hash/maphash"
	"strings"
	"sync"

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
	// nanoseconds is.
	Epoch uint64

	// Deliver hands a presence_diff to all who listen to its topic, the channel
	// that caused it included. It is called with the topic's lock held, so that
	// the diffs of a topic leave in the order of its changes: it only queues,
	// never blocks, and never calls the Roster.
	Deliver func(tutti.Message)

	shards [shardCount]shard
}

type shard struct {
	mu      sync.Mutex // guards all below; only Roster.Deliver is called under it
	topics  map[tutti.Topic]*State
	begun   uint64 // states begun so far: what makes the next one's epoch greater
	entries int
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
	state := s.topics[t]
	if state == nil {
		state = r.begin(s, t)
	}
	old, tracked := state.Own(channel)
	prev := ""
	if tracked {
		if old.Key == key && bytes.Equal(membersOf(old.Meta), own) {
			return false
		}
		prev = refOf(old.Meta)
	} else {
		s.entries++
	}
	r.deliver(t, state.Put(channel, key, render(ref, prev, own)).Diff)
	return true
}

// Untrack takes a channel out of a topic: when the client asks for it, and when
// the channel ends, for whatever reason. It reports whether the channel was in.
func (r *Roster) Untrack(t tutti.Topic, channel uint64) (changed bool) {
	s := r.shard(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.topics[t]
	if state == nil {
		return false
	}
	d, ok := state.Remove(channel)
	if !ok {
		return false
	}
	s.entries--
	if state.Len() == 0 {
		delete(s.topics, t)
	}
	r.deliver(t, d.Diff)
	return true
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
	state := s.topics[t]
	if state == nil {
		return nil
	}
	return state.Entries()
}

// Count returns how many topics have entries, and how many entries there are.
// Under load it is a little blurred: the shards are counted one after another.
func (r *Roster) Count() (topics, entries int) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		topics += len(s.topics)
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
func (r *Roster) begin(s *shard, t tutti.Topic) *State {
	if s.topics == nil {
		s.topics = make(map[tutti.Topic]*State)
	}
	s.begun++
	state := NewState(r.Node, r.Epoch+s.begun)
	s.topics[t] = state
	return state
}

// deliver sends a change of a topic to its listeners. The topic's lock is held.
func (r *Roster) deliver(t tutti.Topic, d Diff) {
	r.Deliver(tutti.Message{Topic: t, Form: tutti.Object, Event: DiffEvent, Payload: renderDiff(d)})
}
