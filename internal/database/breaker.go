package database

import (
	"errors"
	"time"

	"github.com/tutti-realtime/tutti"
)

const (
	breakerWindow = 30 * time.Second // in which failures are counted
	breakerRest   = 5 * time.Second  // before an open breaker lets a question through
)

// A breaker keeps questions from a database that has no connection for them
// (database.md §4.4), so that they are refused at once, and the database is left
// in peace. It opens when as many questions as the pool has connections have got
// none within 30 s. Then, every few seconds, it lets one question through, and
// closes when that is answered.
type breaker struct {
	size     int         // of the pool
	failures []time.Time // of the last 30 s, oldest first; at most size
	cause    error       // of the last
	openTill time.Time   // zero when closed
}

// open reports whether questions are to be refused, while some are under way.
func (b *breaker) open(now time.Time, running int) bool {
	return !b.openTill.IsZero() && (now.Before(b.openTill) || running > 0)
}

// note takes note of how a question ended.
func (b *breaker) note(now time.Time, err error) {
	if !errors.Is(err, tutti.ErrUnavailable) {
		if !b.openTill.IsZero() {
			b.failures, b.openTill, b.cause = nil, time.Time{}, nil
		}
		return
	}
	b.cause = err
	b.failures = append(b.failures, now)
	for len(b.failures) > b.size || now.Sub(b.failures[0]) >= breakerWindow {
		b.failures = b.failures[1:]
	}
	if !b.openTill.IsZero() || len(b.failures) == b.size {
		b.openTill = now.Add(breakerRest)
	}
}

// refusal returns what is told to those who are refused: that there are too few
// connections, or, where the database could not even be reached, that.
func (b *breaker) refusal() error {
	told, ok := errors.AsType[*tutti.Error](b.cause)
	if ok && told.Code != tutti.UnableToConnectToProject {
		return crowded(b.cause)
	}
	return unreachable(b.cause)
}
