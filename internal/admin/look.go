package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
)

// An operator who looks into a topic watches it on the loops of his node (hub.Watch),
// one of which wants the topic's messages: so they come here from all nodes, each of
// them once, as they would to a client that hears itself. Clients notice nothing:
// he is no listener, is not counted and is not present.
//
// Changes of rows and system messages do not go by the topic, but to single clients on
// their nodes, and messages of a database are read by each node that has clients of
// the tenant. So the other nodes are told of the look, every few seconds for as long as it
// lasts, and tell what their watchers see (tap.go). A change that several clients get
// is shown once.
//
// Nothing waits for a viewer: what he is too slow for is counted and dropped.

const (
	// sightsPerSecond is how many messages a viewer is shown.
	sightsPerSecond = 200
	// queued is how many may wait for him, and queuedBytes what they may weigh.
	queued      = 256
	queuedBytes = 8 << 20
	// cut is where a payload is cut, in bytes.
	cut = 4096
	// renewal is how often other nodes are told that the look lasts.
	renewal = 5 * time.Second
)

// A look is one that an operator takes into a topic.
type look struct {
	id      uint64
	topic   tutti.Topic
	queue   chan glimpse
	bytes   atomic.Int64 // of messages in queue
	dropped atomic.Int64 // that he was not told of
	budget  budget
	names   names
	seen    recent
}

// A glimpse is what passed: a message, or what is made of it already.
type glimpse struct {
	at      time.Time
	message *hub.Message
	sight   *sight
}

// A budget allows so many sights in a second.
type budget struct {
	mu     sync.Mutex // guards window
	window limit.Window
}

func (b *budget) allows(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.window.Allow(now, sightsPerSecond, time.Second)
}

// offer takes a message, if there is room for it. It does not block.
func (l *look) offer(m *hub.Message) {
	now, size := time.Now(), int64(len(m.Payload))
	if l.bytes.Load()+size > queuedBytes || !l.budget.allows(now) {
		l.dropped.Add(1)
		return
	}
	l.bytes.Add(size)
	select {
	case l.queue <- glimpse{at: now, message: m}:
	default:
		l.bytes.Add(-size)
		l.dropped.Add(1)
	}
}

// show takes what a watcher, here or on another node, has seen. It does not block.
func (l *look) show(s *sight) {
	l.dropped.Add(s.Lost)
	if s.Kind == "" {
		return
	}
	if !l.budget.allows(time.Now()) {
		l.dropped.Add(1)
		return
	}
	select {
	case l.queue <- glimpse{sight: s}:
	default:
		l.dropped.Add(1)
	}
}

func (c *Console) lookIn(w http.ResponseWriter, v *visit) error {
	t, err := c.readTopic(v)
	if err != nil {
		return err
	}
	l := &look{id: rand.Uint64(), topic: t, queue: make(chan glimpse, queued)}
	s, err := c.begin(w, v)
	if err != nil {
		return err
	}
	defer s.leave()
	log := c.Log.With("who", v.who, "tenant", t.Tenant, "topic", t.Name, "private", t.Private)
	log.Info("topic is looked into", "remote", c.Gate.Address(v.Request).String())
	began, shown := time.Now(), 0
	defer func() {
		log.Info("topic is no longer looked into", "duration", time.Since(began).Round(time.Millisecond).String(), "messages", shown)
	}()
	defer c.watch(l)()
	shown = c.follow(v.unbounded(), s, l)
	return nil
}

// watch makes a look see what passes, until stop is called.
func (c *Console) watch(l *look) (stop func()) {
	c.mu.Lock()
	c.looks[l.id] = l
	c.mu.Unlock()
	shut := c.openEyes(l)
	return func() {
		shut()
		c.tellOthers(tellUnlook, l)
		c.mu.Lock()
		delete(c.looks, l.id)
		c.mu.Unlock()
	}
}

// openEyes opens the eyes of a look on the loops of this node.
func (c *Console) openEyes(l *look) (shut func()) {
	chief := int(l.id % uint64(max(1, len(c.Loops))))
	eyes := make([]*eye, len(c.Loops))
	for i, loop := range c.Loops {
		e := &eye{show: l.show, allows: l.budgeted}
		if i == chief {
			e.offer = l.offer
		}
		eyes[i] = e
		loop.Post(0, 0, func() { c.Topics.Shard(i).Watch(l.topic, e, i == chief) })
	}
	return func() {
		for i, loop := range c.Loops {
			loop.Post(0, 0, func() { c.Topics.Shard(i).Unwatch(l.topic, eyes[i], i == chief) })
		}
	}
}

// budgeted is for eyes of this node, whose sights show counts.
func (l *look) budgeted() bool { return len(l.queue) < cap(l.queue) }

// tellOthers tells other nodes of a look. What is lost is told again.
func (c *Console) tellOthers(kind string, l *look) {
	payload, err := json.Marshal(question{Kind: kind, Look: l.id, Topic: &l.topic})
	if err == nil {
		err = c.Bus.Tell("", Call, payload)
	}
	if err != nil {
		c.Log.Debug("other nodes could not be told of a look into a topic", "err", err)
	}
}

// follow sends a viewer what passes, until he leaves, loses his right, or the node
// stops. It returns how much was sent.
func (c *Console) follow(ctx context.Context, s *stream, l *look) (shown int) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	c.tellOthers(tellLook, l)
	renewed := time.Now()
	if s.write([]byte(": looking\n\n")) != nil {
		return 0
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return shown
		case <-c.over:
			return shown
		case g := <-l.queue:
			err = c.sendGlimpse(ctx, s, l, g)
			shown++
		case now := <-tick.C:
			if !s.visit.still(now) {
				return shown
			}
			if now.Sub(renewed) >= renewal {
				c.tellOthers(tellLook, l)
				renewed = now
			}
			if n := l.dropped.Swap(0); n > 0 {
				err = s.send("dropped", map[string]int64{"count": n})
			} else {
				err = s.keep(now)
			}
		}
		if err != nil {
			return shown
		}
	}
}

func (c *Console) sendGlimpse(ctx context.Context, s *stream, l *look, g glimpse) error {
	seen := g.sight
	if g.message != nil {
		l.bytes.Add(-int64(len(g.message.Payload)))
		seen = sightOf(g.message)
		seen.At, seen.Sum = g.at.UnixMilli(), storedSum(g.message)
		if sender := g.message.Sender; sender != 0 {
			node := c.node()
			seen.Node = &node
			seen.From = l.names.find(ctx, c, l.topic, sender)
		}
		if isDiff(g.message) {
			if err := s.send("presence", diffOf(g.message.Payload)); err != nil {
				return err
			}
		}
	}
	if seen.Sum != 0 && l.seen.had(seen.Sum) {
		return nil
	}
	seen.Sum, seen.Lost = 0, 0
	if err := s.send("message", seen); err != nil {
		return fmt.Errorf("show a message: %w", err)
	}
	return nil
}
