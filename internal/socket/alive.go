package socket

import (
	"context"
	"fmt"
)

// Alive returns when each event loop has taken a turn. A loop that stands still
// is a fault of the program's that only a new start cures; when ctx ends first
// the error says how many there are.
func (s *Server) Alive(ctx context.Context) error {
	turned := make(chan struct{}, len(s.loops)) // has room for all, so no loop waits for us
	for i, l := range s.loops {
		if !l.post(func() { turned <- struct{}{} }) {
			return fmt.Errorf("event loop %d has ended", i)
		}
	}
	for done := range s.loops {
		select {
		case <-turned:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d event loops stand still: %w", len(s.loops)-done, len(s.loops), context.Cause(ctx))
		}
	}
	return nil
}
