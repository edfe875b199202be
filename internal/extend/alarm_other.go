//go:build !linux

package extend

import "time"

// A fineClock is one that there is not here: timers of Go have to do.
type fineClock struct{}

func newFineClock(chan struct{}) *fineClock { return nil }
func (*fineClock) set(time.Duration)        {}
func (*fineClock) close()                   {}
