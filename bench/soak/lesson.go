//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/yard"
)

// A lesson is a music room with members on all nodes. All hear the same beats,
// with the same times.
type lesson struct {
	stage *stage

	mu     sync.Mutex         // guards all below
	times  map[beat]float64   // when each is due, as heard first
	spread float64            // the most by which others heard it differ, ms
	heard  int                // all that members heard
	anew   []string           // when the lesson was not where it had been
	gaps   []string           // beats that members did not hear, in calm
	last   map[string]arrived // of each session
	pause  time.Duration      // the longest that there was no beat for a member who stayed
}

// A beat is one of a revision of the room's timeline. The same beat of two
// revisions may be due at two times.
type beat struct {
	rev  int64
	beat int64
}

// An arrived is the last beat that a session heard.
type arrived struct {
	beat
	at time.Time
}

func newLesson(s *stage) *lesson {
	return &lesson{stage: s, times: map[beat]float64{}, last: map[string]arrived{}}
}

// attend keeps a member in the room until ctx ends.
func (l *lesson) attend(ctx context.Context, first yard.Place, name, role string) {
	for at, n := first, 0; ctx.Err() == nil; at, n = l.stage.next(at), n+1 {
		if err := l.sit(ctx, at, name, role, n); err != nil {
			_ = pause(ctx, 200*time.Millisecond)
		}
	}
}

func (l *lesson) sit(ctx context.Context, at yard.Place, name, role string, n int) error {
	token, err := mint("authenticated", name, time.Hour)
	if err != nil {
		return err
	}
	c, err := l.stage.connect(ctx, ticket{tenant: ours, at: at, topic: "realtime:music_room:soak", token: token, config: map[string]any{
		"presence": map[string]any{"key": name, "name": name, "role": role, "enabled": true},
	}})
	if err != nil {
		return err
	}
	who := fmt.Sprintf("%s-%d", name, n)
	c.hear = func(m *message, when time.Time) { l.take(who, int(at), m, when) }
	var run sync.WaitGroup
	run.Go(func() { c.run(ctx) })
	defer run.Wait()
	defer c.end()
	if err := c.enter(ctx); err != nil {
		return err
	}
	for c.live() {
		// A teacher sees to it that there is music. The key makes it harmless to ask again.
		if role == "teacher" {
			if _, err := c.push("broadcast", map[string]any{"type": "broadcast", "event": "start", "payload": map[string]any{"key": "start"}}); err != nil {
				return err
			}
		}
		select {
		case <-time.After(2 * time.Second):
		case <-c.gone:
		}
	}
	return nil
}

// take notes one message that a session heard.
func (l *lesson) take(who string, node int, m *message, when time.Time) {
	var p struct {
		Event   string
		Payload struct {
			Beat, Rev int64
			At        float64
			Off       bool
			CountIn   any `json:"count_in"`
		}
	}
	if m.event != "broadcast" || json.Unmarshal(m.payload, &p) != nil || p.Event != "beat" || p.Payload.Off {
		return
	}
	l.note(who, node, beat{rev: p.Payload.Rev, beat: p.Payload.Beat}, p.Payload.At, when)
}

// bar is how far the times of a beat are apart, in milliseconds, when it is not
// the same beat: the lesson has begun anew.
const bar = 2000

// note notes that a session heard a beat that is due at a time, in Unix
// milliseconds.
func (l *lesson) note(who string, node int, b beat, due float64, when time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard++
	first, known := l.times[b]
	switch {
	case known && max(due-first, first-due) > bar:
		l.anew = append(l.anew, fmt.Sprintf("%s on node %v heard beat %d of revision %d again, %.1f s later", who, yard.Place(node), b.beat, b.rev, (due-first)/1000))
		l.times = map[beat]float64{b: due}
	case known:
		l.spread = max(l.spread, due-first, first-due)
	default:
		l.times[b] = due
	}
	last, known := l.last[who]
	l.last[who] = arrived{b, when}
	if !known {
		return
	}
	l.pause = max(l.pause, when.Sub(last.at))
	gap := b.beat - last.beat.beat
	if b.rev == last.rev && gap > 1 && l.stage.troubles.Calm(last.at.Add(-margin), when) {
		l.gaps = append(l.gaps, fmt.Sprintf("%s on node %v missed %d beats before beat %d", who, yard.Place(node), gap-1, b.beat))
	}
}

// judge tells the book.
func (l *lesson) judge(b *book) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.seen(beats, l.heard)
	for _, gap := range l.gaps {
		b.fault(beats, "%s", gap)
	}
	// With one node there is no other that could know where it was.
	if len(l.stage.nodes) != 1 {
		b.seen(state, l.heard)
		for _, again := range l.anew {
			b.fault(state, "%s", again)
		}
	}
	b.seen(unison, l.heard)
	b.worst(unison, fmt.Sprintf("%.3f ms", l.spread))
	if l.spread > 1 {
		b.fault(unison, "two members heard different times for one beat, %.3f ms apart", l.spread)
	}
	b.worst(beats, "no beat for "+l.pause.Round(time.Millisecond).String())
}
