package cluster

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tutti-realtime/tutti"
)

// deliver sends what is in the outbox. It owns the numbers of what was sent.
func (b *Bus) deliver(ctx context.Context) {
	toTopics := make([]uint64, b.settings.Buckets)
	subjects := map[string]string{}
	toNodes := map[string]uint64{}
	var buffer []byte
	var waiting []parcel
	for {
		var skipped map[uint32]uint64
		if waiting, skipped = b.out.take(ctx, waiting); len(waiting) == 0 {
			return
		}
		for n, count := range skipped {
			toTopics[n] += count
		}
		b.subscribe() // Want promises that what is told later is heard later
		for i := range waiting {
			p := &waiting[i]
			var subject string
			var seq uint64
			if p.kind == kindMessage || p.kind == kindNote {
				n := b.interest.of(p.message.Topic)
				toTopics[n]++
				subject, seq = b.toBucket(n), toTopics[n]
			} else {
				toNodes[p.to]++
				subject, seq = b.address(subjects, p.to), toNodes[p.to]
			}
			buffer = appendParcel(buffer[:0], b.settings.Node, b.epoch, seq, p)
			if len(buffer) > b.settings.MaxMessage {
				b.stats.unsent.Add(1)
				b.log.Warn("a message is too large for the other nodes", "bytes", len(buffer), "topic", p.message.Topic)
				buffer = nil
				continue
			}
			if err := b.conn.Publish(subject, buffer); err != nil {
				b.stats.unsent.Add(1)
				continue
			}
			b.stats.sent.Add(1)
		}
	}
}

// address returns the subject of a node, or of all.
func (b *Bus) address(known map[string]string, to string) string {
	subject, ok := known[to]
	if !ok {
		if subject = b.toNode(to); to == "" {
			subject = b.toAll()
		}
		known[to] = subject
	}
	return subject
}

// tend keeps the subscriptions in step with the interest.
func (b *Bus) tend(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		b.subscribe()
		ended, next := b.interest.takeIdle(time.Now())
		for _, sub := range ended {
			_ = sub.Unsubscribe() // the connection is closed, and so is it
		}
		if next == 0 {
			next = time.Hour
		}
		timer.Reset(next)
		select {
		case <-b.interest.bell:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// subscribe subscribes to what is wanted since the last time.
func (b *Bus) subscribe() {
	b.subscribing.Lock()
	defer b.subscribing.Unlock()
	for _, n := range b.interest.takeFresh() {
		sub, err := b.conn.ChanSubscribe(b.toBucket(n), b.topical)
		if err != nil { // the connection has been closed for good
			b.log.Error("topics could not be subscribed to", "err", err)
		}
		b.interest.subscribed(n, sub)
	}
}

// receive sorts what comes for topics into lanes.
func (b *Bus) receive(ctx context.Context) {
	senders := map[string]uint32{}
	for {
		select {
		case m := <-b.topical:
			b.sort(senders, m.Data)
		case <-ctx.Done():
			return
		}
	}
}

func (b *Bus) sort(senders map[string]uint32, data []byte) {
	e, ok := b.open(data)
	if !ok {
		return
	}
	sender, known := senders[string(e.node)]
	if !known {
		sender = uint32(len(senders))
		senders[string(e.node)] = sender
	}
	topic, verdict, missing, all := b.interest.judge(&e, sender)
	if missing > 0 {
		b.stats.missed.Add(missing)
		b.news.missed(all)
	}
	switch {
	case verdict == unwanted:
		b.stats.unwanted.Add(1)
		return
	case verdict == late:
		b.stats.late.Add(1)
		return
	case e.kind != kindMessage && e.kind != kindNote || e.form > tutti.Binary:
		b.stats.unknown.Add(1) // of a newer release
		return
	}
	n := bucketOf(e.tenant, e.topic, e.private, e.bare, laneCount)
	if !b.lanes[n].put(arrival{e, topic}) {
		b.stats.missed.Add(1)
		b.news.missed([]tutti.Topic{topic})
	}
}

// open reads an envelope. What this node sent itself is not for it.
func (b *Bus) open(data []byte) (e envelope, ok bool) {
	e, err := decodeEnvelope(data)
	switch {
	case errors.Is(err, errVersion):
		b.stats.unknown.Add(1)
		return e, false
	case err != nil:
		b.stats.malformed.Add(1)
		return e, false
	case string(e.node) == b.settings.Node:
		if e.epoch != b.epoch {
			if b.stats.twins.Add(1) == 1 {
				b.log.Error("another node has the name of this one: give each its own", "node", b.settings.Node)
			}
		}
		return e, false
	}
	b.stats.received.Add(1)
	return e, true
}

// hand gives a message to its listeners.
func (b *Bus) hand(a *arrival) {
	if a.kind == kindNote {
		if b.Hear != nil {
			b.Hear(Note{Node: string(a.node), Room: string(a.event), Topic: a.topic, Payload: a.payload})
		}
		return
	}
	b.Arrive(tutti.Message{Topic: a.topic, Form: a.form, Event: string(a.event), Payload: a.payload, Meta: a.meta})
}

// An arrival is a message that somebody here wants.
type arrival struct {
	envelope
	topic tutti.Topic
}

// A lane hands on the messages of some topics, one after another.
type lane struct {
	bell chan struct{}

	mu      sync.Mutex // guards all below
	waiting []arrival
	bytes   int
	limit   int
}

func newLane(limit int) *lane { return &lane{bell: make(chan struct{}, 1), limit: limit} }

func (l *lane) put(a arrival) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := len(a.payload) + parcelWords
	if l.bytes+size > l.limit {
		return false
	}
	l.waiting = append(l.waiting, a)
	l.bytes += size
	select {
	case l.bell <- struct{}{}:
	default:
	}
	return true
}

func (l *lane) run(ctx context.Context, hand func(*arrival)) {
	var done []arrival
	for {
		l.mu.Lock()
		taken := l.waiting
		l.waiting = done[:0]
		l.mu.Unlock()
		for i := range taken {
			hand(&taken[i])
			l.mu.Lock()
			l.bytes -= len(taken[i].payload) + parcelWords
			l.mu.Unlock()
			taken[i] = arrival{}
			if ctx.Err() != nil {
				return
			}
		}
		done = taken
		if len(taken) > 0 {
			continue
		}
		select {
		case <-l.bell:
		case <-ctx.Done():
			return
		}
	}
}

// trouble takes what the connection has to complain about.
func (b *Bus) trouble(_ *nats.Conn, sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) && sub != nil {
		b.stats.slow.Add(1)
		b.lostAny("too slow for the bus at " + strconv.Quote(sub.Subject))
		return
	}
	b.log.Warn("trouble with NATS", "err", err)
}

func (b *Bus) disconnected(_ *nats.Conn, err error) {
	select {
	case <-b.stopped:
		return // by ourselves
	default:
	}
	b.stats.disconnects.Add(1)
	b.log.Warn("disconnected from NATS", "err", err)
}

// lostAny notes that nobody knows what was lost.
func (b *Bus) lostAny(why string) {
	b.log.Warn("messages between nodes may have been lost", "err", why)
	b.news.missed(nil)
}
