package extend

import (
	"context"
	"time"

	"github.com/tutti-realtime/tutti"
)

// look leaves calls behind that take too long.
func (h *Host) look(ctx context.Context) {
	const part = 10 // of what a call may take, after which it is looked for such as take too long
	pulse := time.NewTicker(h.stall() / part)
	defer pulse.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pulse.C:
			for _, r := range h.all() {
				r.overlook()
			}
		}
	}
}

// overlook abandons the goroutine of the room when it is stuck in a call, and lets
// another go on.
func (r *room) overlook() {
	h := r.host
	r.mu.Lock()
	t := r.tenure
	if t == nil || t.current == nil {
		r.mu.Unlock()
		return
	}
	l := t.current
	since := l.busy.Load()
	stuck := since > 0 && time.Since(h.start)-time.Duration(since) >= h.stall()
	if !stuck || !l.busy.CompareAndSwap(since, left) {
		r.mu.Unlock()
		return
	}
	ctx := l.holding
	r.mu.Unlock()
	l.stop()
	t.failed(l)
	h.stalls.Add(1)
	t.log().Error("an extension does not return from a call: its room was left behind and is opened anew",
		"code", tutti.ExtensionStalled, "after", h.stall())
	h.crew.start(func() {
		t.recover(ctx)
		if !t.resume(ctx) {
			r.live(h.ctx)
		}
	})
	h.crew.abandon()
}

// tick looks after rooms: those that nobody remembers are forgotten, owners are told
// how far their followers are, and looked for where they are not known.
func (h *Host) tick(now time.Time) {
	beats := map[string][]byte{}
	for _, r := range h.all() {
		r.mu.Lock()
		r.strand("", now)
		switch {
		case !r.running && len(r.guests) == 0 && (r.parting <= 0 || r.owner == "") && now.After(r.expires):
			r.mu.Unlock()
			h.forget(r)
			continue
		case r.tenure != nil:
			r.tenure.confirmAll()
			r.tenure.remind(now)
		case r.owner != "" && (len(r.guests) > 0 || r.parting > 0):
			r.parting--
			beats[r.owner] = r.appendBeat(beats[r.owner])
			if len(beats[r.owner]) > maxChunk {
				_ = h.Bus.Tell(r.owner, beats[r.owner]) // the next says it again
				delete(beats, r.owner)
			}
		case r.owner == "" && len(r.guests) > 0:
			r.tell("", r.message(msgSeek, 0))
		}
		r.mu.Unlock()
	}
	h.compare(time.Now())
	for node, b := range beats {
		_ = h.Bus.Tell(node, b) // the next says it again
	}
}
