package socket

import (
	"container/heap"
	"time"
)

// A timer calls f on its loop at a time.
type timer struct {
	at    time.Time
	f     func()
	index int // in the heap; -1 when it is not there
}

// timers is what a loop will do later: a heap, the next first.
type timers []*timer

// Len, Less, Swap, Push and Pop are heap.Interface.
func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

func (t *timers) Push(x any) {
	x.(*timer).index = len(*t)
	*t = append(*t, x.(*timer))
}

func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	x.index = -1
	return x
}

func (t *timers) add(at time.Time, f func()) *timer {
	x := &timer{at: at, f: f}
	heap.Push(t, x)
	return x
}

func (t *timers) remove(x *timer) {
	if x.index >= 0 {
		heap.Remove(t, x.index)
	}
}

// due takes the next timer whose time has come, or returns nil.
func (t *timers) due(now time.Time) *timer {
	if len(*t) == 0 || (*t)[0].at.After(now) {
		return nil
	}
	return heap.Pop(t).(*timer)
}

// next returns how long it is until the next timer, and whether there is one.
func (t timers) next(now time.Time) (time.Duration, bool) {
	if len(t) == 0 {
		return 0, false
	}
	return max(0, t[0].at.Sub(now)), true
}
