package database

import (
	"context"
	"errors"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/trace"
)

// A Question is what is asked about a private topic of a tenant. What it holds
// is copied, and may be used again once the method has returned.
type Question struct {
	Tenant   *tutti.Tenant
	Topic    string // without "realtime:"
	Claims   tutti.Claims
	Headers  []byte // JSON object of HTTP headers; empty means none
	Presence bool   // presence is asked about as well

	Span *trace.Span // that the asker waits in; nil when it is not traced
}

// MayRead asks what of the topic the asker may read. The answer comes on an
// event loop, never before MayRead has returned, and not at all once that loop
// has stopped.
//
// Nothing is allowed where the tenant has no database. An error is a
// *postgres.Refusal, whose Client is for the client and whose Code says more. It
// was logged.
func (d *Databases) MayRead(q Question, loop int, answer func(postgres.Permission, error)) {
	d.ask(&q, key{kind: read}, func(r result) {
		d.post(loop, 0, func() { answer(r.permission, r.err) })
	})
}

// MayWrite asks what the asker may write to the topic. Otherwise it is like
// MayRead.
func (d *Databases) MayWrite(q Question, loop int, answer func(postgres.Permission, error)) {
	d.ask(&q, key{kind: write}, func(r result) {
		d.post(loop, 0, func() { answer(r.permission, r.err) })
	})
}

// CheckWrite is MayWrite for those who can wait.
func (d *Databases) CheckWrite(ctx context.Context, q Question) (postgres.Permission, error) {
	answered := make(chan result, 1)
	d.ask(&q, key{kind: write}, func(r result) { answered <- r })
	select {
	case r := <-answered:
		return r.permission, r.err
	case <-ctx.Done():
		return postgres.Permission{}, context.Cause(ctx)
	}
}

// Replay returns the last messages of the topic that were stored at or after
// since, oldest first: limit of them at most, which is taken to be between 1 and
// what the tenant's settings allow. No policy is asked. The messages are shared
// with others and must not be changed. Otherwise it is like MayRead.
func (d *Databases) Replay(q Question, since time.Time, limit int, loop int, answer func([]postgres.Stored, error)) {
	// The same messages for everybody who may read them.
	q.Claims, q.Headers, q.Presence = tutti.Claims{}, nil, false
	d.ask(&q, key{kind: replay, since: since.UnixMilli(), limit: limit}, func(r result) {
		size := 0
		for i := range r.stored {
			size += len(r.stored[i].Payload)
		}
		d.post(loop, size, func() { answer(r.stored, r.err) })
	})
}

// ask has a question answered exactly once.
func (d *Databases) ask(q *Question, k key, answer func(result)) {
	k.topic, k.presence = q.Topic, q.Presence
	k.role, k.subject, k.claims, k.headers = q.Claims.Role, q.Claims.Subject, string(q.Claims.Raw), string(q.Headers)
	w := &waiter{key: k, asked: time.Now(), answer: answer, span: q.Span}
	err := d.admit(q.Tenant, w)
	if err == nil {
		return
	}
	if refusal, ok := errors.AsType[*postgres.Refusal](err); ok && d.news(q.Tenant.ExternalID, refusal) {
		d.Log.Warn("question to a database refused", "code", refusal.Code, "tenant", q.Tenant.ExternalID, "err", refusal.Err)
	}
	w.settle(result{err: err})
}

func (d *Databases) news(tenant string, refusal *postgres.Refusal) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.journal.news(time.Now(), tenant+" "+refusal.Error())
}

// post calls f on an event loop, once.
func (d *Databases) post(loop, bytes int, f func()) {
	done := false
	d.Loops[loop].Post(0, bytes, func() {
		if !done { // else it panicked, and is called again
			done = true
			f()
		}
	})
}

type kind uint8

const (
	read kind = iota
	write
	replay
)

// A key is all that an answer depends on. Equal questions have equal keys.
type key struct {
	kind     kind
	presence bool
	topic    string

	role, subject, claims, headers string // of read and write

	since int64 // of replay, Unix milliseconds
	limit int
}

// A result is the answer to a question.
type result struct {
	permission postgres.Permission
	stored     []postgres.Stored
	err        error
}

// A waiter is a question that somebody asked.
type waiter struct {
	key    key
	asked  time.Time
	answer func(result) // nil once it was called
	task   *task        // that will answer
	span   *trace.Span  // of the asker
}

// settle answers a waiter, unless that was done, and reports whether it did.
func (w *waiter) settle(r result) bool {
	if w.answer == nil {
		return false
	}
	r.err = w.key.told(r.err)
	if r.err != nil {
		r.permission, r.stored = postgres.Permission{}, nil
	}
	w.answer(r)
	w.answer = nil
	return true
}

// A task is a question to the database, and those who asked it.
type task struct {
	key     key
	waiters []*waiter
	begun   bool  // nobody may join any more
	again   bool  // it was begun before, and the database had lost its objects
	next    *task // an equal one, to begin when this one has ended
}

// do asks the database.
func (k *key) do(ctx context.Context, db policies) (r result) {
	asker := postgres.Asker{
		Topic: k.topic, Role: k.role, Subject: k.subject, Claims: []byte(k.claims), Headers: []byte(k.headers),
	}
	switch k.kind {
	case read:
		r.permission, r.err = db.MayRead(ctx, asker, k.presence)
	case write:
		r.permission, r.err = db.MayWrite(ctx, asker, k.presence)
	case replay:
		r.stored, r.err = db.Replay(ctx, k.topic, time.UnixMilli(k.since), k.limit)
	}
	return r
}
