package cluster

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tutti-realtime/tutti"
)

// An interest is the topics that this node wants to hear. They are subscribed to
// by bucket: a subscription costs 1 kB on the node that has it and 0.6 kB on
// each node that it is routed to, so their number must have an end. With the
// 65,536 of the default 10,000 topics want 14 % of the buckets, and that part of
// the messages to topics that nobody here listens to is heard for nothing;
// 100,000 want 78 %.
type interest struct {
	count  uint32 // of buckets, a power of two
	linger time.Duration
	bell   chan struct{}

	mu      sync.Mutex // guards all below
	buckets map[uint32]*bucket
	topics  int
	fresh   []uint32 // to be subscribed to
	idle    []idleBucket
}

type bucket struct {
	topics  []wantedTopic
	sub     *nats.Subscription // the tender's alone
	asked   bool               // stands in fresh, or is subscribed to
	idle    bool               // stands in idle
	emptied time.Time
	last    []lastHeard
}

type wantedTopic struct {
	tutti.Topic
	wants int
}

// lastHeard is how far this node has heard another in a bucket.
type lastHeard struct {
	sender uint32
	life   uint32 // lower half of its epoch
	seq    uint64
}

type idleBucket struct {
	number uint32
	since  time.Time
}

// bucketOf returns the bucket of a topic, the same on all nodes: FNV-1a.
func bucketOf[B []byte | string](tenant, name B, private, bare bool, count uint32) uint32 {
	h := uint64(14695981039346656037)
	for i := range len(tenant) {
		h = (h ^ uint64(tenant[i])) * 1099511628211
	}
	h = (h ^ 0xFF) * 1099511628211 // no byte of UTF-8
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	if private {
		h = (h ^ 1) * 1099511628211
	}
	if bare {
		h = (h ^ 2) * 1099511628211
	}
	return uint32(h^h>>32) & (count - 1)
}

func (in *interest) of(t tutti.Topic) uint32 {
	return bucketOf(t.Tenant, t.Name, t.Private, t.Bare, in.count)
}

// want notes one more wish to hear a topic, or one less.
func (in *interest) want(t tutti.Topic, yes bool, now time.Time) {
	n := in.of(t)
	in.mu.Lock()
	defer in.mu.Unlock()
	b := in.buckets[n]
	if b == nil {
		if !yes {
			return
		}
		b = &bucket{}
		in.buckets[n] = b
	}
	at := b.find(t)
	if yes {
		if at < 0 {
			b.topics = append(b.topics, wantedTopic{Topic: t})
			at = len(b.topics) - 1
			in.topics++
		}
		b.topics[at].wants++
		if !b.asked {
			b.asked = true
			in.fresh = append(in.fresh, n)
			in.ring()
		}
		return
	}
	if at < 0 {
		return
	}
	if b.topics[at].wants--; b.topics[at].wants > 0 {
		return
	}
	end := len(b.topics) - 1
	b.topics[at], b.topics[end] = b.topics[end], wantedTopic{}
	b.topics = b.topics[:end]
	in.topics--
	if end == 0 {
		b.topics, b.emptied = nil, now
		if !b.idle {
			b.idle = true
			in.idle = append(in.idle, idleBucket{n, now})
			if len(in.idle) == 1 {
				in.ring()
			}
		}
	}
}

func (b *bucket) find(t tutti.Topic) int {
	for i := range b.topics {
		if b.topics[i].Topic == t {
			return i
		}
	}
	return -1
}

func (in *interest) ring() {
	select {
	case in.bell <- struct{}{}:
	default:
	}
}

// takeFresh returns the buckets that are to be subscribed to.
func (in *interest) takeFresh() (fresh []uint32) {
	in.mu.Lock()
	defer in.mu.Unlock()
	fresh, in.fresh = in.fresh, nil
	return fresh
}

// subscribed notes the subscription of a bucket.
func (in *interest) subscribed(n uint32, sub *nats.Subscription) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.buckets[n].sub = sub
	in.buckets[n].last = nil
}

// takeIdle forgets the buckets that nobody has wanted for a while, and returns
// their subscriptions and when to look again, 0 when there is nothing to come.
func (in *interest) takeIdle(now time.Time) (ended []*nats.Subscription, next time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.idle) > 0 {
		first := in.idle[0]
		if wait := first.since.Add(in.linger).Sub(now); wait > 0 {
			return ended, wait
		}
		in.idle = in.idle[1:]
		b := in.buckets[first.number]
		switch {
		case len(b.topics) > 0:
			b.idle = false
		case b.emptied.After(first.since): // it was wanted in between
			in.idle = append(in.idle, idleBucket{first.number, b.emptied})
		default:
			delete(in.buckets, first.number)
			if b.sub != nil {
				ended = append(ended, b.sub)
			}
		}
	}
	return ended, 0
}

// A verdict is what becomes of a message.
type verdict uint8

const (
	wanted verdict = iota
	unwanted
	late // heard before, or out of its order
)

// judge says whether a message is for this node, and of which topic it is, and
// how many of its sender's messages to that bucket are missing before it.
func (in *interest) judge(e *envelope, sender uint32) (t tutti.Topic, v verdict, missing uint64, all []tutti.Topic) {
	n := bucketOf(e.tenant, e.topic, e.private, e.bare, in.count)
	in.mu.Lock()
	defer in.mu.Unlock()
	b := in.buckets[n]
	if b == nil {
		return t, unwanted, 0, nil
	}
	if missing, v = b.follow(sender, uint32(e.epoch), e.seq); v == late {
		return t, late, 0, nil
	}
	if missing > 0 {
		for i := range b.topics {
			all = append(all, b.topics[i].Topic)
		}
	}
	for i := range b.topics {
		w := &b.topics[i]
		if w.Private == e.private && w.Bare == e.bare && w.Name == string(e.topic) && w.Tenant == string(e.tenant) {
			return w.Topic, wanted, missing, all
		}
	}
	return t, unwanted, missing, all
}

// follow compares a message's number with the last of its sender's. The first
// that is heard of a sender tells nothing.
func (b *bucket) follow(sender, life uint32, seq uint64) (missing uint64, v verdict) {
	for i := range b.last {
		l := &b.last[i]
		if l.sender != sender {
			continue
		}
		if l.life == life {
			if seq <= l.seq {
				return 0, late
			}
			missing = seq - l.seq - 1
		}
		l.life, l.seq = life, seq
		return missing, wanted
	}
	b.last = append(b.last, lastHeard{sender, life, seq})
	return 0, wanted
}
