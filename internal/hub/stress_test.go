package hub

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/tutti-realtime/tutti"
)

// A mailbox is a loop whose queue another goroutine empties.
type mailbox struct {
	mu       sync.Mutex // guards what follows
	messages []*Message
}

func (b *mailbox) Post(int, int, func()) bool { return false }

func (b *mailbox) Enqueue(m *Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, m)
}

func (b *mailbox) take() []*Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.messages
	b.messages = nil
	return got
}

// An order checks that the messages of each sender come in the order in which
// they were sent, and, to one who listens all the time, without a gap.
type order struct {
	t      *testing.T
	always bool
	last   map[uint64]uint64 // by sender
}

func (o *order) Deliver(m *Message) {
	n, last := binary.BigEndian.Uint64(m.Payload), o.last[m.Sender]
	if n <= last || o.always && n != last+1 {
		o.t.Errorf("sender %d: message %d after %d", m.Sender, n, last)
	}
	o.last[m.Sender] = n
	if m.Frame(1) == nil || m.Frame(2) == nil {
		o.t.Error("no frame")
	}
}

// TestDeliverWhileLoopsJoinAndLeave runs senders against loops of which each
// uses its own shard, as event loops do.
func TestDeliverWhileLoopsJoinAndLeave(t *testing.T) {
	t.Parallel()
	const loops, senders, messages = 4, 4, 2000
	topics := []tutti.Topic{topic("one"), topic("two"), topic("three")}
	boxes := make([]*mailbox, loops)
	given := make([]Loop, loops)
	for i := range boxes {
		boxes[i] = &mailbox{}
		given[i] = boxes[i]
	}
	h := New(given)

	var faithful sync.WaitGroup // until those who listen all the time have joined
	var running, sending sync.WaitGroup
	faithful.Add(loops)
	over := make(chan struct{})
	for i := range loops {
		running.Go(func() {
			s := h.Shard(i)
			heard := make([]*order, len(topics))
			for k, topic := range topics {
				heard[k] = &order{t: t, always: true, last: map[uint64]uint64{}}
				s.Join(topic, new(Seat), heard[k])
			}
			faithful.Done()
			churn(t, s, topics, boxes[i], over)
			for _, o := range heard {
				for sender := range uint64(senders) {
					if o.last[sender+1] != messages {
						t.Errorf("loop %d heard sender %d up to %d of %d", i, sender+1, o.last[sender+1], messages)
					}
				}
			}
		})
	}
	faithful.Wait()
	for i := range uint64(senders) {
		sending.Go(func() {
			for n := range uint64(messages) {
				for _, topic := range topics {
					h.Deliver(tutti.Message{
						Topic: topic, Form: tutti.Object, Event: "broadcast", Sender: i + 1,
						Payload: binary.BigEndian.AppendUint64(nil, n+1),
					})
				}
				_ = h.Topics()
			}
		})
	}
	sending.Wait()
	close(over)
	running.Wait()
}

// churn hands out messages while listeners come and go, in topics that live and
// in one that comes and goes with them, until over is closed and all is heard.
func churn(t *testing.T, s *Shard, topics []tutti.Topic, box *mailbox, over <-chan struct{}) {
	topics = append([]tutti.Topic{topic("fleeting")}, topics...)
	seats := make([]Seat, 50)
	for ended := false; ; {
		select {
		case <-over:
			ended = true
		default:
		}
		got := box.take()
		for _, m := range got {
			s.Deliver(m)
			seat := &seats[rand.IntN(len(seats))]
			s.Leave(seat)
			if rand.IntN(2) == 0 {
				s.Join(topics[rand.IntN(len(topics))], seat, &order{t: t, last: map[uint64]uint64{}})
			}
		}
		if ended && len(got) == 0 {
			return
		}
	}
}
