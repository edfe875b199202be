package socket

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoopsThatTurnAreAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := gather(t, 3, 3)
		if err := c.server.Alive(t.Context()); err != nil {
			t.Errorf("a server that runs: %v", err)
		}
		c.stop()
		if err := c.server.Alive(t.Context()); err == nil || !strings.Contains(err.Error(), "event loop 0 has ended") {
			t.Errorf("a server that ended: %v", err)
		}
	})
}

func TestALoopThatStandsStillIsMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := gather(t, 3, 0)
		defer c.stop()
		free := make(chan struct{})
		c.server.loops[1].post(func() { <-free })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := c.server.Alive(ctx)
		if err == nil || !strings.Contains(err.Error(), "1 of 3 event loops stand still") {
			t.Errorf("while a loop stands still: %v", err)
		}
		close(free)
		if err := c.server.Alive(t.Context()); err != nil {
			t.Errorf("when it goes on: %v", err)
		}
	})
}
