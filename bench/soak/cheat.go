//go:build linux

package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti/internal/account"
)

// lie has the books say something that has not happened, when a run is to show
// that it notices.
func (s *stage) lie(all []*guest) {
	for _, one := range all[0].all() {
		one.mu.Lock()
		if len(one.rows) > 2 && len(one.said) > 2 {
			s.forge(one)
		}
		one.mu.Unlock()
	}
}

// forge changes what a stay has heard; its lock is held.
func (s *stage) forge(one *stay) {
	half := len(one.rows) / 2
	switch s.cheat {
	case "drop":
		one.rows = slices.Delete(slices.Clone(one.rows), half, half+1)
		// Every third, as trouble may excuse some.
		n := 0
		one.said = slices.DeleteFunc(slices.Clone(one.said), func(account.Arrival) bool { n++; return n%3 == 0 })
	case "double":
		one.rows = append(slices.Clone(one.rows), one.rows[half])
		one.said = append(slices.Clone(one.said), one.said[0])
	case "overhear":
		hidden := s.rows.Find(func(r account.Row) bool { return r.Owner == stranger })
		one.rows = append(slices.Clone(one.rows), account.Arrival{ID: hidden, At: time.Now()})
		w, _ := s.words.Get(one.said[0].ID)
		w.Room = theirs + "/" + room
		one.said = append(slices.Clone(one.said), account.Arrival{ID: s.words.Say(w), At: time.Now()})
	}
}

// linger has somebody stay who should have gone, until the function returned is
// called, when a run is to show that it notices.
func (s *stage) linger(ctx context.Context) (leave func()) {
	if s.cheat != "stay" {
		return func() {}
	}
	token, err := mint("anon", "", time.Hour)
	if err != nil {
		return func() {}
	}
	c, err := s.connect(ctx, ticket{tenant: ours, at: s.nodes[0].at, topic: room, token: token, config: map[string]any{"presence": map[string]any{"enabled": true}}})
	if err != nil {
		return func() {}
	}
	var run sync.WaitGroup
	run.Go(func() { c.run(ctx) })
	_, _ = c.push("presence", map[string]any{"event": "track", "payload": map[string]any{"here": true}})
	return func() { c.end(); run.Wait() }
}
