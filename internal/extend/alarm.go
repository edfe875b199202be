package extend

import (
	"container/heap"
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// alarms wake rooms: one clock for all of a node, and no timer for each.
type alarms struct {
	coarse bool             // timers of Go are enough; set before anything else
	now    func() time.Time // the clock by which alarms are set, time.Now when nil; set before anything else

	next atomic.Int64 // when the first is due, in Unix nanoseconds; 0 when there is none

	mu    sync.Mutex // guards all below
	queue alarmQueue
	bell  chan struct{}
}

// An alarm calls ring when its time has come. It can be set again then. Its other
// fields belong to alarms.
type alarm struct {
	ring func()

	at    time.Time
	index int // in the queue, from 1; 0 when it is not there
}

// prime makes the bell. The lock is held.
func (a *alarms) prime() chan struct{} {
	if a.bell == nil {
		a.bell = make(chan struct{}, 1)
	}
	return a.bell
}

// set puts an alarm to a time, whatever it was before; the zero time is never.
func (a *alarms) set(x *alarm, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.note()
	bell := a.prime()
	switch {
	case at.IsZero():
		if x.index > 0 {
			heap.Remove(&a.queue, x.index-1)
		}
		return
	case x.index > 0:
		x.at = at
		heap.Fix(&a.queue, x.index-1)
	default:
		x.at = at
		heap.Push(&a.queue, x)
	}
	if a.queue[0] == x {
		ring(bell)
	}
}

// note keeps when the first is due. The lock is held.
func (a *alarms) note() {
	var next int64
	if len(a.queue) > 0 {
		next = max(1, a.queue[0].at.UnixNano())
	}
	a.next.Store(next)
}

// overdue reports whether an alarm is to ring. It costs next to nothing.
func (a *alarms) overdue() bool {
	next := a.next.Load()
	return next != 0 && a.time().UnixNano() >= next
}

func (a *alarms) time() time.Time {
	if a.now == nil {
		return time.Now()
	}
	return a.now()
}

// due takes the alarms whose time has come, and returns how long it is to the next.
func (a *alarms) due(now time.Time, into []*alarm) ([]*alarm, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.note()
	for len(a.queue) > 0 && !a.queue[0].at.After(now) {
		into = append(into, heap.Pop(&a.queue).(*alarm))
	}
	if len(a.queue) == 0 {
		return into, time.Hour
	}
	return into, a.queue[0].at.Sub(now)
}

// Attend wakes rooms whose time has come, and lets them run before it returns. Event
// loops that are busy call it every few dozen connections: the clock of rooms is
// a goroutine like others, and waits for up to 10 ms, a slice of Go's scheduler, where
// the loops have all processors. Mostly nothing is due, and it costs one look at the clock.
func (h *Host) Attend() {
	if !h.alarms.overdue() {
		return
	}
	rung, _ := h.alarms.due(h.alarms.time(), nil)
	for _, x := range rung {
		x.ring()
	}
	if len(rung) > 0 {
		runtime.Gosched() // the goroutines of these rooms are next on this processor
	}
}

func (a *alarms) run(ctx context.Context) {
	a.mu.Lock()
	bell := a.prime()
	a.mu.Unlock()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var fine *fineClock
	defer func() { fine.close() }()
	var rung []*alarm
	for {
		var rest time.Duration
		rung, rest = a.due(a.time(), rung[:0])
		for _, x := range rung {
			x.ring()
		}
		if len(rung) > 0 {
			clear(rung)
			continue
		}
		if rest < time.Hour && fine == nil && !a.coarse {
			fine = newFineClock(bell)
			a.coarse = fine == nil
		}
		fine.set(rest)
		timer.Reset(rest)
		select {
		case <-timer.C:
		case <-bell:
		case <-ctx.Done():
			return
		}
	}
}

// ring fills a bell that holds one.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// An alarmQueue is a heap of alarms, the next first.
type alarmQueue []*alarm

func (q alarmQueue) Len() int           { return len(q) }
func (q alarmQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q alarmQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i+1, j+1
}

// Push is of heap.Interface.
func (q *alarmQueue) Push(x any) {
	x.(*alarm).index = len(*q) + 1
	*q = append(*q, x.(*alarm))
}

// Pop is of heap.Interface.
func (q *alarmQueue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	x.index = 0
	return x
}
