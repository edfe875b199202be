package extend

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A life is the tutti.Room of its actor.
var _ tutti.Room = (*life)(nil)

// Context implements tutti.Room.
func (l *life) Context() context.Context { return l.ctx }

// Topic implements tutti.Room.
func (l *life) Topic() tutti.Topic { return l.tenure.room.topic }

// Settings implements tutti.Room.
func (l *life) Settings() any {
	r := l.tenure.room
	if now := r.currentTenant(); now != nil {
		if s, on := r.host.Settings(now, r.extension); on {
			l.settings = s
		}
	}
	return l.settings // while the room of one that was deleted is closed
}

// Log implements tutti.Room.
func (l *life) Log() *slog.Logger { return l.tenure.room.log }

// Now implements tutti.Room.
func (l *life) Now() time.Time { return l.tenure.room.host.now() }

// Skew implements tutti.Room.
func (l *life) Skew() (tutti.Skew, bool) {
	h := l.tenure.room.host
	if l.keeper == h.clock() {
		return tutti.Skew{}, true
	}
	return h.clocks.skew(l.keeper, time.Now())
}

// Members implements tutti.Room. What was returned before is not changed.
func (l *life) Members() []*tutti.Member { return slices.Clip(l.order) }

// mine locks the room, and reports whether this life may act for it: not when it was
// left behind, nor when another node may have the room. It is to be unlocked then.
func (l *life) mine() bool {
	t := l.tenure
	t.room.mu.Lock()
	if t.current == l && t.lease.Valid() {
		return true
	}
	t.room.mu.Unlock()
	return false
}

// Broadcast implements tutti.Room.
func (l *life) Broadcast(event string, payload []byte) {
	r := l.tenure.room
	if !l.object(event, payload) || !l.mine() {
		return
	}
	r.mu.Unlock()
	t := r.currentTenant()
	if t == nil {
		return
	}
	m := tutti.Message{Topic: r.topic, Form: tutti.JSON, Event: event, Payload: payload}
	if err := r.host.Publish(t, m); err != nil {
		r.log.Warn("a broadcast of an extension was not sent", "err", err)
	}
}

// object reports whether a payload is one that clients can read.
func (l *life) object(event string, payload []byte) bool {
	if len(payload) > 0 && payload[0] == '{' && json.Valid(payload) {
		return true
	}
	l.tenure.log().Error("an extension sends what is no JSON object", "event", event)
	return false
}

// Tell implements tutti.Room.
func (l *life) Tell(m *tutti.Member, event string, payload []byte) {
	if m == nil || !l.object(event, payload) || !l.mine() {
		return
	}
	t := l.tenure
	defer t.room.mu.Unlock()
	if to := t.members[m.ID]; to != nil {
		t.sendTo(to, event, payload)
	}
}

// Presence implements tutti.Room.
func (l *life) Presence() json.RawMessage {
	r := l.tenure.room
	if r.host.Presence == nil {
		return json.RawMessage("{}")
	}
	return r.host.Presence(r.topic)
}

// Wake implements tutti.Room.
func (l *life) Wake(at time.Time) {
	if !l.mine() {
		return
	}
	t := l.tenure
	defer t.room.mu.Unlock()
	t.wake, t.due = false, at
	t.room.host.alarms.set(&t.alarm, at)
}

// maxKept is the most that a room may keep, in bytes.
const maxKept = 1 << 20

// Keep implements tutti.Room.
func (l *life) Keep(state []byte) {
	t := l.tenure
	if len(state) > maxKept {
		t.log().Error("a room wants to keep more than a megabyte", "code", tutti.ExtensionStateTooLarge, "bytes", len(state))
		return
	}
	if !l.mine() {
		return
	}
	defer t.room.mu.Unlock()
	t.version++
	t.restore = kept{state: state, term: t.term, version: t.version, keeper: t.room.host.clock()}
	t.room.kept = t.restore
	t.stale = true
	t.lost = false
}

// Restored implements tutti.Room.
func (l *life) Restored() (state []byte, lost bool) { return l.restored, l.lost }

// Database implements tutti.Room.
func (l *life) Database() tutti.ExtensionDatabase {
	r := l.tenure.room
	if r.host.Databases == nil {
		return nil
	}
	return r.host.Databases.Of(r.currentTenant)
}

// copyEvery is how often followers are given what was kept, at the most.
const copyEvery = 50 * time.Millisecond

// copySoon gives followers what was kept, if it is time, and returns how long the
// room may wait for something to do. The lock is held.
func (t *tenure) copySoon() time.Duration {
	if !t.stale {
		return long
	}
	if wait := copyEvery - time.Since(t.copied); wait > 0 {
		return wait
	}
	t.copyKept(t.memory())
	return long
}

// rest returns how long there is nothing to do unless something comes.
func (l *life) rest() time.Duration {
	t := l.tenure
	t.room.mu.Lock()
	defer t.room.mu.Unlock()
	return t.copySoon()
}
