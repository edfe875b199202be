package extend

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A life is one actor of a room, from Open to Close or until it fails. It belongs to
// the goroutine of the room; when that is abandoned it is dead, and whatever it
// still does has no effect.
type life struct {
	tenure  *tenure
	ctx     context.Context // its own
	holding context.Context // of the tenure
	stop    context.CancelFunc
	actor   tutti.Actor
	members map[*member]*tutti.Member
	order   []*tutti.Member
	began   time.Time

	restored []byte
	keeper   string // whose clock it was kept by
	lost     bool
	settings any // the last that were right
	work     works

	// busy is when the call began that the actor is in, in the host's time; 0 for
	// none, and left for a goroutine that was abandoned in it.
	busy atomic.Int64
}

const left = -1

// An outcome is how a life ended.
type outcome uint8

const (
	endedLife     outcome = iota // the room is to be given away
	failedLife                   // the actor panicked
	refusedLife                  // all members were refused
	abandonedLife                // it was in a call for too long: the goroutine must do nothing more
)

// live opens an actor and tells it all until it ends.
func (t *tenure) live(ctx context.Context) outcome {
	if err := t.ready(ctx); err != nil {
		t.refuseAll(err)
		return refusedLife
	}
	l := t.begin(ctx)
	defer l.stop()
	var err error
	if !l.call(func() { l.actor, err = t.room.extension.Open(l) }) {
		return l.outcome()
	}
	if err != nil || l.actor == nil {
		if err == nil {
			err = errNoActor
		}
		t.log().Warn("a room could not be opened", "code", tutti.ExtensionUnavailable, "err", err)
		t.refuseAll(err)
		return refusedLife
	}
	for _, m := range l.present() {
		if !l.join(m) {
			return l.outcome()
		}
	}
	for !t.over(ctx) {
		more, ok := l.step()
		if !ok {
			return l.outcome()
		}
		if !more {
			t.await(ctx, l.rest())
		}
	}
	if !l.call(l.actor.Close) && l.busy.Load() == left {
		return abandonedLife
	}
	return endedLife
}

var errNoActor = errors.New("the extension opened no actor")

// ready sees to it that there is what the extension needs. The error is for members.
func (t *tenure) ready(ctx context.Context) error {
	r := t.room
	now := r.currentTenant()
	if now == nil || r.host.Databases == nil || r.extension.Migrations == nil {
		return nil
	}
	err := r.host.Databases.Prepare(ctx, now, r.extension)
	if err == nil || t.over(ctx) {
		return nil
	}
	if reason, ok := errors.AsType[*tutti.Error](err); ok {
		return reason
	}
	return &tutti.Error{Code: tutti.ExtensionNotPrepared, Reason: "the room cannot be opened; the log of the server says why"}
}

// begin makes a life the current one.
func (t *tenure) begin(ctx context.Context) *life {
	l := &life{tenure: t, holding: ctx, members: map[*member]*tutti.Member{}, began: time.Now(), work: works{free: workers}}
	l.ctx, l.stop = context.WithCancel(ctx)
	r := t.room
	r.mu.Lock()
	defer r.mu.Unlock()
	t.current, t.wake = l, false
	l.restored, l.keeper, l.lost = t.restore.state, t.restore.keeper, t.lost
	r.host.alarms.set(&t.alarm, time.Time{})
	return l
}

// present returns the members whose join was heard before.
func (l *life) present() []*member {
	r := l.tenure.room
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*member(nil), l.tenure.known...)
}

// outcome tells how a life ended whose call did not return as it should.
func (l *life) outcome() outcome {
	if l.busy.Load() == left {
		return abandonedLife
	}
	return failedLife
}

// call calls something of the extension. It reports false when it panicked, or when
// it took so long that this goroutine was left behind.
func (l *life) call(f func()) (fine bool) {
	h := l.tenure.room.host
	start := max(1, int64(time.Since(h.start)))
	l.busy.Store(start)
	defer func() {
		fault := recover()
		if !l.busy.CompareAndSwap(start, 0) {
			fine = false // it was left behind
			h.crew.returned()
			return
		}
		if fault != nil {
			fine = false
			l.fail(fault)
		}
	}()
	f()
	return true
}

// fail notes that the actor panicked.
func (l *life) fail(fault any) {
	t := l.tenure
	t.room.host.panicked(t.log(), fault)
	t.failed(l)
}

// failed counts a life that ended badly.
func (t *tenure) failed(l *life) {
	r := t.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(l.began) > peace {
		t.failures = 0
	}
	t.failures++
	t.current, t.lost = nil, false
}

// step tells the actor one thing. More says whether there was one; ok is false when
// the life has ended.
func (l *life) step() (more, ok bool) {
	t := l.tenure
	r := t.room
	r.mu.Lock()
	t.copySoon() // or a room that is never idle would never do it
	if t.wake {
		t.wake = false
		r.mu.Unlock()
		return true, l.call(func() { l.actor.Wake(r.host.now()) })
	}
	i, some := t.take()
	r.mu.Unlock()
	if !some {
		return false, true
	}
	switch i.kind {
	case itemJoin:
		return true, l.admit(i.member)
	case itemLeave:
		return true, l.leave(i.member)
	case itemRenew:
		l.renew(i.member, i.claims)
	case itemEvent:
		return true, l.hear(i.member, i.event)
	case itemThen:
		if i.life == l {
			return true, l.call(i.then)
		}
	case itemFault:
		if i.life == l {
			l.fail(i.fault)
			return true, false
		}
	}
	return true, true
}

// admit hears of a member for the first time.
func (l *life) admit(m *member) bool {
	t := l.tenure
	t.room.mu.Lock()
	refused := m.refused
	if !refused {
		m.known = true
		t.known = append(t.known, m)
	}
	t.room.mu.Unlock()
	return refused || l.join(m)
}

// join tells the actor of a member, which it may refuse.
func (l *life) join(m *member) bool {
	t := l.tenure
	t.room.mu.Lock()
	data := m.data
	known := m.known // it may have gone while another joined
	t.room.mu.Unlock()
	if !known {
		return true
	}
	l.members[m] = &data
	l.order = append(l.order, &data)
	var err error
	if !l.call(func() { err = l.actor.Join(&data) }) {
		return false
	}
	if err != nil {
		l.drop(m)
		t.room.mu.Lock()
		t.turnAway(m, reasonOf(err))
		t.room.mu.Unlock()
	}
	return true
}

// reasonOf returns what a member is told.
func reasonOf(err error) string {
	if reason, ok := errors.AsType[*tutti.Error](err); ok {
		return reason.Error()
	}
	return err.Error()
}

// drop forgets a member, and returns it as the actor knows it; nil if it does not.
func (l *life) drop(m *member) *tutti.Member {
	data := l.members[m]
	delete(l.members, m)
	for i, o := range l.order {
		if o == data {
			l.order = append(l.order[:i:i], l.order[i+1:]...)
			break
		}
	}
	return data
}

func (l *life) leave(m *member) bool {
	t := l.tenure
	t.room.mu.Lock()
	t.unknow(m)
	t.room.mu.Unlock()
	data := l.drop(m)
	return data == nil || l.call(func() { l.actor.Leave(data) })
}

func (l *life) renew(m *member, claims tutti.Claims) {
	t := l.tenure
	t.room.mu.Lock()
	m.data.Claims = claims
	t.room.mu.Unlock()
	if data := l.members[m]; data != nil {
		data.Claims = claims
	}
}

func (l *life) hear(m *member, o occurrence) bool {
	data := l.members[m]
	return data == nil || l.call(func() {
		l.actor.Hear(&tutti.Event{Member: data, Name: o.name, Payload: o.payload, At: o.at})
	})
}
