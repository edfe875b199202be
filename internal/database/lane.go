package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/limit"
)

const (
	maxQuestions = 10_000           // of a tenant that are under way
	maxWait      = 15 * time.Second // of a question that has not begun
	maxIdle      = 5 * time.Minute  // of a database that stays open
)

// A lane is the database of one tenant with the questions that are asked of it.
// All but its inbox, the count of questions and what the lock of Databases
// guards belongs to the goroutine of run. A tenant whose database becomes another
// gets another lane.
type lane struct {
	databases *Databases
	id        string // of the tenant
	settings  tutti.Database
	log       *slog.Logger
	meters    *limit.Tenant // nil where nobody counts

	tenant  *tutti.Tenant  // as it was last seen; guarded by Databases.mu
	current tutti.Database // its settings; guarded by Databases.mu

	inbox     inbox
	questions atomic.Int64 // that were asked and not answered

	queue   []*task       // not begun
	tasks   map[key]*task // of each key the one that began, or else the one in the queue
	clock   []*waiter     // all that may still wait, in the order in which they came
	running int           // goroutines that use the database
	ready   readiness
	breaker breaker
	journal journal

	farewell error     // why nobody gets an answer any more; nil while there are answers
	draining bool      // nobody will ask anything more
	resting  time.Time // since when there has been nothing to do; zero when there is
}

func newLane(d *Databases, id string, settings tutti.Database) *lane {
	return &lane{
		databases: d, id: id, settings: settings, log: d.Log.With("tenant", id),
		inbox: inbox{bell: make(chan struct{}, 1)},
		tasks: map[key]*task{}, breaker: breaker{size: settings.Pool},
	}
}

// errFull says that a tenant asks more than its database answers.
var errFull = errors.New("too many questions are waiting for the database")

// ask gives the lane a question. It may be called while the lane is one of
// Databases.lanes.
func (l *lane) ask(w *waiter) error {
	if l.questions.Add(1) > maxQuestions {
		l.questions.Add(-1)
		return crowded(errFull)
	}
	l.inbox.put(order{kind: question, waiter: w})
	return nil
}

// settle answers a waiter.
func (l *lane) settle(w *waiter, r result) {
	if w.settle(r) {
		l.questions.Add(-1)
	}
}

func (l *lane) settleAll(t *task, r result) {
	for _, w := range t.waiters {
		l.settle(w, r)
	}
}

// run answers questions until the context ends, the tenant is gone, another lane
// took over and nothing is left, or nobody has asked for a while.
func (l *lane) run(ctx context.Context) {
	if m := l.databases.Meters; m != nil {
		l.meters = m.Of(l.id)
	}
	db, err := l.databases.open(l.settings)
	if err != nil {
		l.log.Error("database cannot be opened", "code", tutti.DatabaseSettingsInvalid, "err", err)
		l.ready.impossible = wrongSettings(err)
		db = nothing{}
	}
	defer db.Close()
	l.serve(ctx, db)
}

func (l *lane) serve(ctx context.Context, db database) {
	ctx, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer l.finish(ctx)
	defer working.Wait()
	defer stop()
	alarm := time.NewTimer(maxIdle)
	defer alarm.Stop()
	for {
		l.obey(ctx)
		if l.farewell != nil || l.over() {
			return
		}
		now := time.Now()
		l.expire(now)
		l.begin(ctx, now, db, &working)
		alarm.Reset(l.rest(now))
		select {
		case <-ctx.Done():
		case <-l.inbox.bell:
		case <-alarm.C:
		}
	}
}

// obey does what was ordered.
func (l *lane) obey(ctx context.Context) {
	orders := l.inbox.take()
	if ctx.Err() != nil && l.farewell == nil {
		l.farewell = errNotRunning // whatever became of what the context ended
	}
	for _, o := range orders {
		switch o.kind {
		case question:
			l.join(o.waiter)
		case answered:
			l.end(o.task, o.result)
		case prepared:
			l.prepared(o.outcome)
		case drain:
			l.draining = true
		case leave:
			l.farewell = o.farewell
		}
	}
}

// join lets a question take part in an equal one that has not begun, or puts it
// into the queue.
func (l *lane) join(w *waiter) {
	l.clock = append(l.clock, w)
	t := l.tasks[w.key]
	if t != nil && t.begun {
		if t.next == nil {
			t.next = &task{key: w.key}
		}
		t = t.next
	}
	if t == nil {
		t = &task{key: w.key}
		l.tasks[w.key] = t
		l.queue = append(l.queue, t)
	}
	w.task = t
	t.waiters = append(t.waiters, w)
}

// expire answers those who have waited for too long. For whom a question has
// begun, the database bounds the time.
func (l *lane) expire(now time.Time) {
	for len(l.clock) > 0 {
		w := l.clock[0]
		if w.answer != nil && !w.task.begun {
			if now.Sub(w.asked) < maxWait {
				return
			}
			l.refuse(w, now)
		}
		l.clock[0] = nil
		l.clock = l.clock[1:]
	}
}

func (l *lane) refuse(w *waiter, now time.Time) {
	err := fmt.Errorf("no connection was free within %v", maxWait)
	refusal := crowded(err)
	if !l.ready.yes {
		refusal = refuse(tutti.InitializingProjectConnection, "Connecting to the project database", err)
	}
	l.report(now, refusal)
	l.settle(w, result{err: refusal})
}

// begin begins as many questions as there are connections for.
func (l *lane) begin(ctx context.Context, now time.Time, db database, working *sync.WaitGroup) {
	for len(l.queue) > 0 {
		if err := l.obstacle(now); err != nil {
			l.refuseAll(err)
			return
		}
		if l.running >= l.settings.Pool {
			return
		}
		if !l.ready.yes {
			l.prepare(ctx, db, working)
			return
		}
		t := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		if !l.wanted(t) {
			delete(l.tasks, t.key)
			continue
		}
		t.begun = true
		l.running++
		l.waited(now, t)
		span := t.span("query tenant database", l.id)
		working.Go(func() {
			answer := l.do(ctx, t, db)
			span.Finish(answer.err)
			l.inbox.put(order{kind: answered, task: t, result: answer})
		})
	}
}

// wanted reports whether somebody still waits for a task.
func (l *lane) wanted(t *task) bool {
	for _, w := range t.waiters {
		if w.answer != nil {
			return true
		}
	}
	return false
}

// obstacle returns why nothing is to be asked of the database for now, nil when
// it may be.
func (l *lane) obstacle(now time.Time) error {
	if err := l.ready.obstacle(now); err != nil {
		return err
	}
	if l.breaker.open(now, l.running) {
		return l.breaker.refusal()
	}
	return nil
}

// refuseAll answers all that have not begun.
func (l *lane) refuseAll(err error) {
	for _, t := range l.queue {
		delete(l.tasks, t.key)
		l.settleAll(t, result{err: err})
	}
	l.queue = nil
	for _, t := range l.tasks {
		if t.next != nil {
			l.settleAll(t.next, result{err: err})
			t.next = nil
		}
	}
}

// end answers those who asked what a task asked.
func (l *lane) end(t *task, r result) {
	l.running--
	now := time.Now()
	l.breaker.note(now, r.err)
	delete(l.tasks, t.key)
	next := t.next
	if !t.again && lostObjects(r.err) && l.ready.doubt(now) {
		next = l.renew(t)
	} else {
		if l.farewell != nil && r.err != nil {
			r.err = l.farewell
		}
		l.report(now, r.err)
		l.settleAll(t, r)
	}
	if next != nil {
		l.tasks[next.key] = next
		l.queue = append(l.queue, next)
	}
}

// renew makes of a task one that has not begun, together with the one that was
// to come next.
func (l *lane) renew(t *task) *task {
	waiters := t.waiters
	if t.next != nil {
		waiters = append(waiters, t.next.waiters...)
	}
	again := &task{key: t.key, waiters: waiters, again: true}
	for _, w := range waiters {
		w.task = again
	}
	// Their time was no longer looked at.
	l.clock = slices.Concat(waiters, l.clock)
	return again
}

// over reports whether the lane has to end.
func (l *lane) over() bool {
	busy := l.running > 0 || l.questions.Load() > 0
	switch {
	case busy:
		l.resting = time.Time{}
		return false
	case l.draining:
		return true
	case l.resting.IsZero():
		l.resting = time.Now()
	}
	return time.Since(l.resting) >= maxIdle && l.databases.retire(l)
}

// rest returns how long there is nothing to do unless something comes.
func (l *lane) rest(now time.Time) time.Duration {
	for _, w := range l.clock {
		if w.answer != nil && !w.task.begun {
			return w.asked.Add(maxWait).Sub(now)
		}
	}
	if !l.resting.IsZero() {
		return l.resting.Add(maxIdle).Sub(now)
	}
	return maxIdle
}

// finish answers those who are left. Nothing runs any more.
func (l *lane) finish(ctx context.Context) {
	l.databases.forget(l)
	l.obey(ctx)
	l.refuseAll(l.farewell)
}
