package cluster

import (
	"sync"
	"time"
)

// suspended is how far the calendar must run ahead of the clock between two
// looks for the machine to have been suspended: then the clock of the process
// stood still, and other nodes' did not.
const suspended = 500 * time.Millisecond

// A clock counts time since it was started, suspension of the machine included.
// A calendar that is set forward looks the same, and makes leases lapse once.
type clock struct {
	mu    sync.Mutex // guards all below
	start time.Time
	ahead time.Duration // of the calendar, at the last look
	skip  time.Duration
}

func newClock() *clock { return &clock{start: time.Now()} }

func (c *clock) now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	passed := now.Sub(c.start)
	ahead := now.Round(0).Sub(c.start.Round(0)) - passed
	if ahead-c.ahead > suspended {
		c.skip += ahead - c.ahead
	}
	c.ahead = ahead
	return passed + c.skip
}
