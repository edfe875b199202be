package admin

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/tutti-realtime/tutti"
)

// TestAConsoleStopsWhateverGoesOn runs and stops while other nodes look and talk, and
// operators come and go.
func TestAConsoleStopsWhateverGoesOn(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := newStage(t, nil)
		ctx, stop := context.WithCancelCause(t.Context())
		defer stop(nil)
		over := errors.New("over")
		var wg sync.WaitGroup
		ended := make(chan error, 1)
		wg.Go(func() { ended <- s.Run(ctx) })
		for i := range 4 {
			wg.Go(func() {
				for n := range uint64(50) {
					_ = s.Receive("n2", tellLookOf(room, n))
					s.Topics.Deliver(tutti.Message{Topic: room, Form: tutti.JSON, Event: "e", Payload: []byte("1")})
					if i == 0 && n == 25 {
						stop(over)
					}
				}
			})
		}
		wg.Go(func() {
			answer := s.ask("GET", "/tenants/acme/topics/room%2F1/live", "", nil)
			if answer.StatusCode != 200 && answer.StatusCode != 503 {
				t.Errorf("looking in answers %d", answer.StatusCode)
			}
			e := newEvents(t, answer.Body)
			for name := "?"; name != ""; {
				name, _ = e.next()
			}
		})
		wg.Wait()
		if err := <-ended; !errors.Is(err, over) {
			t.Errorf("it ended with %v", err)
		}
		s.settle()
		watched, err := onLoops(t.Context(), s.Console, func(loop int) bool { return s.Topics.Shard(loop).Watched(room) })
		if err != nil || slices.Contains(watched, true) {
			t.Fatalf("somebody is watching still: %v %v", watched, err)
		}
	}
}
