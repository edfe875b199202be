package extend

import (
	"context"
	"fmt"
	"runtime/debug"
)

const (
	workers  = 4    // that run at once for one room
	maxWorks = 1000 // that wait
)

// works is what Room.Go was given in a life. It is guarded by the room's lock.
type works struct {
	free    int
	waiting []func(context.Context) func()
}

// Go implements tutti.Room.
func (l *life) Go(do func(context.Context) func()) bool {
	if !l.mine() {
		return false
	}
	defer l.tenure.room.mu.Unlock()
	if len(l.work.waiting) >= maxWorks {
		return false
	}
	l.work.waiting = append(l.work.waiting, do)
	l.employ()
	return true
}

// employ begins work, if there is a place. The lock is held.
func (l *life) employ() {
	w := &l.work
	for w.free > 0 && len(w.waiting) > 0 && l.tenure.current == l {
		next := w.waiting[0]
		w.waiting[0] = nil
		w.waiting = w.waiting[1:]
		w.free--
		l.tenure.room.host.crew.start(func() { l.labour(next) })
	}
}

// labour does one work. When it does not end with its context it is left behind.
func (l *life) labour(do func(context.Context) func()) {
	t := l.tenure
	h, r := t.room.host, t.room
	watched := h.crew.watch(l.ctx, h.stall())
	defer watched()
	then, fault := attempt(l.ctx, do)
	r.mu.Lock()
	defer r.mu.Unlock()
	l.work.free++
	if t.current != l {
		return
	}
	switch {
	case fault != nil:
		t.put(item{kind: itemFault, life: l, fault: fault})
	case then != nil:
		t.put(item{kind: itemThen, life: l, then: then})
	}
	l.employ()
}

func attempt(ctx context.Context, do func(context.Context) func()) (then func(), fault any) {
	defer func() {
		if r := recover(); r != nil {
			fault = fmt.Sprintf("%v\n%s", r, debug.Stack())
		}
	}()
	return do(ctx), nil
}
