package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A Call is what one node tells or asks another.
type Call struct {
	Node    string // the sender
	Epoch   uint64 // the sender's, as Member has it
	Name    string // what it is about, such as "tenant changed"
	Payload []byte
}

// A Reply is a node's answer.
type Reply struct {
	Node    string
	Payload []byte
	Err     error // what Asked returned there, as text
}

var (
	errBusy   = errors.New("the node has too many calls to answer")
	errSilent = errors.New("the node answers no calls")
)

// Status of an answer.
const (
	answerDone  = 0
	answerError = 1
)

// Tell sends a call to a node, or with "" to all others. Calls of one node keep
// their order. It never blocks; a node that is not there does not hear it.
func (b *Bus) Tell(to, name string, payload []byte) error {
	if name == "" || len(name) > maxName {
		return errName
	}
	return b.out.put(parcel{kind: kindTell, to: to, message: tutti.Message{Event: name, Payload: payload}}, 0)
}

// asks are the questions that wait for answers.
type asks struct {
	mu   sync.Mutex // guards all below
	last uint64
	open map[uint64]*question
}

type question struct {
	awaited []string
	replies []Reply
	silent  []string
	done    chan struct{}
}

// Ask sends a call to a node, or with "" to all other members, and gathers the
// answers, in no order. It returns when all have answered or are gone, or ctx
// ends; silent are those that did not answer.
func (b *Bus) Ask(ctx context.Context, to, name string, payload []byte) (replies []Reply, silent []string, err error) {
	if name == "" || len(name) > maxName {
		return nil, nil, errName
	}
	q := &question{done: make(chan struct{})}
	if err := b.withDesk(func(_ time.Duration) { b.audience(q, to) }); err != nil {
		return nil, nil, err
	}
	if len(q.awaited) == 0 {
		return nil, q.silent, nil
	}
	id := b.asks.add(q)
	defer b.asks.remove(id)
	ask := tutti.Message{Event: name, Meta: appendNumbers(nil, id), Payload: payload}
	if err := b.out.put(parcel{kind: kindAsk, to: to, message: ask}, 0); err != nil {
		return nil, nil, err
	}
	began := time.Now()
	select {
	case <-q.done:
	case <-b.stopped:
	case <-ctx.Done():
	}
	b.asks.mu.Lock()
	defer b.asks.mu.Unlock()
	silent = slices.Concat(q.silent, q.awaited)
	b.times.note(began, len(silent))
	return q.replies, silent, nil
}

// audience notes who is asked. Those that have been silent for long are not
// waited for.
func (b *Bus) audience(q *question, to string) {
	for id, p := range b.desk.peers {
		switch {
		case p.info == nil || to != "" && to != id:
		case p.deaf:
			q.silent = append(q.silent, id)
		default:
			q.awaited = append(q.awaited, id)
		}
	}
	if to != "" && len(q.awaited) == 0 {
		q.silent = []string{to}
	}
}

func (a *asks) add(q *question) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	if a.open == nil {
		a.open = map[uint64]*question{}
	}
	a.open[a.last] = q
	return a.last
}

func (a *asks) remove(id uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, id)
}

// answered notes an answer.
func (a *asks) answered(id uint64, r Reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.open[id]; q != nil && q.drop(r.Node) {
		q.replies = append(q.replies, r)
		q.finish()
	}
}

// gone notes that a node will not answer.
func (a *asks) gone(node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.open {
		if q.drop(node) {
			q.silent = append(q.silent, node)
			q.finish()
		}
	}
}

func (q *question) drop(node string) bool {
	at := slices.Index(q.awaited, node)
	if at < 0 {
		return false
	}
	q.awaited = slices.Delete(q.awaited, at, at+1)
	return true
}

func (q *question) finish() {
	if len(q.awaited) == 0 {
		close(q.done)
	}
}

// attend takes what is said to this node, or to all.
func (b *Bus) attend(ctx context.Context) {
	heard := map[string]*heardNode{}
	for {
		select {
		case m := <-b.direct:
			if e, ok := b.open(m.Data); ok {
				b.follow(heard, &e, m.Subject == b.toAll())
				b.attendTo(ctx, &e)
			}
		case <-ctx.Done():
			return
		}
	}
}

// A heardNode is how far calls of a node were heard.
type heardNode struct{ epoch, all, own uint64 }

// follow counts what is missing.
func (b *Bus) follow(heard map[string]*heardNode, e *envelope, toAll bool) {
	h := heard[string(e.node)]
	if h == nil || h.epoch != e.epoch {
		h = &heardNode{epoch: e.epoch}
		heard[string(e.node)] = h
	}
	last := &h.own
	if toAll {
		last = &h.all
	}
	if *last != 0 && e.seq > *last+1 {
		b.stats.missed.Add(e.seq - *last - 1)
		b.news.missed(nil)
	}
	*last = max(*last, e.seq)
}

func (b *Bus) attendTo(ctx context.Context, e *envelope) {
	node := string(e.node)
	switch e.kind {
	case kindBeat, kindAck, kindLeave, kindLease:
		_ = b.withDesk(func(now time.Duration) { b.desk.handle(now, node, e.epoch, e.kind, e.payload) })
	case kindTell:
		select {
		case b.tells <- Call{node, e.epoch, string(e.event), e.payload}:
		default:
			b.stats.missed.Add(1)
			b.news.missed(nil)
		}
	case kindAsk:
		b.answer(ctx, Call{node, e.epoch, string(e.event), e.payload}, e.meta)
	case kindAnswer:
		r := reader{rest: e.meta}
		id, status := r.number(), r.number()
		if r.err != nil {
			b.stats.malformed.Add(1)
			return
		}
		reply := Reply{Node: node, Payload: e.payload}
		if status != answerDone {
			reply = Reply{Node: node, Err: errors.New(string(e.payload))}
		}
		b.asks.answered(id, reply)
	default:
		b.stats.unknown.Add(1) // of a newer release
	}
}

// answer answers a call beside everything else, when there is a place.
func (b *Bus) answer(ctx context.Context, c Call, id []byte) {
	select {
	case b.places <- struct{}{}:
	default:
		b.reply(c.Node, id, nil, errBusy)
		return
	}
	b.working.Go(func() {
		defer func() { <-b.places }()
		if b.Asked == nil {
			b.reply(c.Node, id, nil, errSilent)
			return
		}
		payload, err := b.Asked(ctx, c)
		b.reply(c.Node, id, payload, err)
	})
}

func (b *Bus) reply(to string, id, payload []byte, err error) {
	status := uint64(answerDone)
	if err != nil {
		status, payload = answerError, []byte(err.Error())
	}
	meta := appendNumbers(append([]byte(nil), id...), status)
	if b.out.put(parcel{kind: kindAnswer, to: to, message: tutti.Message{Meta: meta, Payload: payload}}, 0) != nil {
		b.stats.unsent.Add(1)
	}
}

// hearTells hands calls on, one after another.
func (b *Bus) hearTells(ctx context.Context) {
	for {
		select {
		case c := <-b.tells:
			if b.Told != nil {
				b.Told(c)
			}
		case <-ctx.Done():
			return
		}
	}
}
