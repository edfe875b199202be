package socket

import (
	"container/heap"
	"time"
)

// A timer calls f on its loop at a time.
type timer struct {
	at     time.Time
	number uint64 // of those of one time, the first goes first
	f      func()
	index  int // in the queue; -1 when it is not there
}

// timers is what a loop will do later.
type timers struct {
	queue queue
	last  uint64 // the number of the timer added last
}

func (t *timers) add(at time.Time, f func()) *timer {
	t.last++
	x := &timer{at: at, number: t.last, f: f}
	heap.Push(&t.queue, x)
	return x
}

func (t *timers) remove(x *timer) {
	if x.index >= 0 {
		heap.Remove(&t.queue, x.index)
	}
}

// due takes the next timer whose time has come, or returns nil.
func (t *timers) due(now time.Time) *timer {
	if len(t.queue) == 0 || t.queue[0].at.After(now) {
		return nil
	}
	return heap.Pop(&t.queue).(*timer)
}

// next returns how long it is until the next timer, and whether there is one.
func (t *timers) next(now time.Time) (time.Duration, bool) {
	if len(t.queue) == 0 {
		return 0, false
	}
	return max(0, t.queue[0].at.Sub(now)), true
}

// A queue is a heap of timers, the next first. Its methods are heap.Interface.
type queue []*timer

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].number < q[j].number
	}
	return q[i].at.Before(q[j].at)
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	x.(*timer).index = len(*q)
	*q = append(*q, x.(*timer))
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	x.index = -1
	return x
}
