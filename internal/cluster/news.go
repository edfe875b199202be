package cluster

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tutti-realtime/tutti"
)

// missedTopics is how many topics are told apart; more are any topic.
const missedTopics = 10_000

// news is what the owner of the bus is to be told.
type news struct {
	bell chan struct{}

	mu     sync.Mutex // guards all below
	events []Event
	topics map[tutti.Topic]struct{}
	any    bool
}

func newNews() *news { return &news{bell: make(chan struct{}, 1), topics: map[tutti.Topic]struct{}{}} }

func (n *news) event(e Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
	n.ring()
}

// missed notes that messages of some topics were lost, or of any.
func (n *news) missed(topics []tutti.Topic) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(topics) == 0 || len(n.topics)+len(topics) > missedTopics {
		n.any = true
		clear(n.topics)
	}
	if !n.any {
		for _, t := range topics {
			n.topics[t] = struct{}{}
		}
	}
	n.ring()
}

func (n *news) ring() {
	select {
	case n.bell <- struct{}{}:
	default:
	}
}

func (n *news) take() (events []Event, topics []tutti.Topic, any bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	events, any = n.events, n.any
	n.events, n.any = nil, false
	for t := range n.topics {
		topics = append(topics, t)
	}
	clear(n.topics)
	return events, topics, any
}

// announce tells the owner of the bus what there is to tell.
func (b *Bus) announce(ctx context.Context) {
	for {
		events, topics, any := b.news.take()
		for _, e := range events {
			b.log.Info("the cluster has changed", "node", e.Member.ID, "event", e.Kind.String())
			if e.Kind == Joined && e.Member.Buckets != b.settings.Buckets {
				b.log.Error("a node divides topics otherwise and hears nothing of this one: set the same number of buckets on all nodes",
					"node", e.Member.ID)
			}
			if e.Kind != Joined {
				b.asks.gone(e.Member.ID)
			}
			if b.Changed != nil {
				b.Changed(e)
			}
		}
		if b.Missed != nil && (any || len(topics) > 0) {
			b.Missed(topics)
		}
		select {
		case <-b.news.bell:
		case <-ctx.Done():
			return
		}
	}
}

// counts is what happened so far.
type counts struct {
	sent, received, unwanted, unsent, missed, late, malformed, unknown, twins, slow, disconnects atomic.Uint64
}

// Stats is what happened on a bus since the node started.
type Stats struct {
	Sent        uint64 // envelopes
	Received    uint64 // envelopes
	Unwanted    uint64 // received for a topic that nobody here listens to: it shares a bucket, or lingers
	Unsent      uint64 // there was no room, or no connection, or it was too large
	Missed      uint64 // sent to this node by others, and lost before they were handed on
	Late        uint64 // heard twice, or out of order, and dropped
	Malformed   uint64 // no envelopes
	Unknown     uint64 // of a release that this one does not understand
	Twins       uint64 // of another node with the name of this one
	Slow        uint64 // times that this node could not take what the connection had for it
	Disconnects uint64
	SlowPeers   uint64 // routes of the embedded server that could not take what it had for them

	Topics        int // wanted
	Subscriptions int // buckets, lingering ones included
	Routes        int // connections to other nodes
	Leases        int // that this node has
}

// Stats returns the numbers as of now.
func (b *Bus) Stats() Stats {
	c := &b.stats
	s := Stats{
		Sent: c.sent.Load(), Received: c.received.Load(), Unwanted: c.unwanted.Load(), Unsent: c.unsent.Load(),
		Missed: c.missed.Load(), Late: c.late.Load(), Malformed: c.malformed.Load(), Unknown: c.unknown.Load(),
		Twins: c.twins.Load(), Slow: c.slow.Load(), Disconnects: c.disconnects.Load(),
	}
	b.interest.mu.Lock()
	s.Topics, s.Subscriptions = b.interest.topics, len(b.interest.buckets)
	b.interest.mu.Unlock()
	b.mu.Lock()
	s.Leases = len(b.desk.tenures)
	b.mu.Unlock()
	if b.engine != nil {
		s.Routes = b.engine.server.NumRoutes()
		s.SlowPeers = b.engine.server.NumSlowConsumersRoutes()
	}
	return s
}
