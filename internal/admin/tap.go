package admin

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/channel"
)

const (
	// mostTaps is how many looks of other nodes are served at once.
	mostTaps = 256
	// tapLife is how long a look of another node lasts that it does not renew.
	tapLife = 3 * renewal
)

// A tap sees for a look of another node what that does not get itself.
type tap struct {
	node    string
	look    uint64
	topic   tutti.Topic
	eyes    []*eye
	expires time.Time // guarded by Console.mu
	budget  budget
	lost    atomic.Int64 // sights that were too many, and were not told of
}

type tapKey struct {
	node string
	look uint64
}

// Receive takes what another node tells. It does not block.
func (c *Console) Receive(node string, payload []byte) error {
	var q question
	if err := json.Unmarshal(payload, &q); err != nil {
		return fmt.Errorf("read what a console tells: %w", err)
	}
	switch q.Kind {
	case tellLook:
		c.tap(node, q.Look, q.topic())
	case tellUnlook:
		c.untap(tapKey{node, q.Look})
	case tellSeen:
		c.mu.Lock()
		l := c.looks[q.Look]
		c.mu.Unlock()
		if l != nil && q.Seen != nil {
			l.show(q.Seen)
		}
	default:
		return errUnknownQuestion
	}
	return nil
}

// tap begins, or goes on, to see for a look of another node.
func (c *Console) tap(node string, id uint64, topic tutti.Topic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := tapKey{node, id}
	if t := c.taps[key]; t != nil {
		t.expires = time.Now().Add(tapLife)
		return
	}
	if len(c.taps) >= mostTaps || c.shut {
		return
	}
	t := &tap{node: node, look: id, topic: topic, expires: time.Now().Add(tapLife)}
	c.taps[key] = t
	for i, loop := range c.Loops {
		e := &eye{
			stored: true,
			show:   func(s *sight) { c.report(t, s) },
			allows: func() bool { return t.budget.allows(time.Now()) },
		}
		t.eyes = append(t.eyes, e)
		loop.Post(0, 0, func() { c.Topics.Shard(i).Watch(topic, e, false) })
	}
}

// report tells the node that looks. It does not block.
func (c *Console) report(t *tap, s *sight) {
	if s.Kind == "" { // too many
		t.lost.Add(s.Lost)
		return
	}
	if s.Kind == channel.NoteSystem {
		node := c.node()
		s.Node = &node
	}
	s.Lost = t.lost.Swap(0)
	c.tellSeen(t, s)
}

func (c *Console) tellSeen(t *tap, s *sight) {
	payload, err := json.Marshal(question{Kind: tellSeen, Look: t.look, Seen: s})
	if err == nil {
		err = c.Bus.Tell(t.node, Call, payload)
	}
	if err == nil {
		return
	}
	t.lost.Add(s.Lost) // to be told of later
	if s.Kind != "" {
		t.lost.Add(1)
	}
}

func (c *Console) untap(key tapKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.taps[key]
	if t == nil {
		return
	}
	delete(c.taps, key)
	for i, loop := range c.Loops {
		loop.Post(0, 0, func() { c.Topics.Shard(i).Unwatch(t.topic, t.eyes[i], false) })
	}
}

// expire ends looks of nodes that do not renew them, and tells of what was lost.
func (c *Console) expire(now time.Time) {
	var late []tapKey
	var owing []*tap
	c.mu.Lock()
	for key, t := range c.taps {
		switch {
		case now.After(t.expires):
			late = append(late, key)
		case t.lost.Load() > 0:
			owing = append(owing, t)
		}
	}
	c.mu.Unlock()
	for _, key := range late {
		c.untap(key)
	}
	for _, t := range owing {
		c.tellSeen(t, &sight{Lost: t.lost.Swap(0)})
	}
}

// untapAll ends all looks of other nodes.
func (c *Console) untapAll() {
	c.mu.Lock()
	var all []tapKey
	for key := range c.taps {
		all = append(all, key)
	}
	c.mu.Unlock()
	for _, key := range all {
		c.untap(key)
	}
}
