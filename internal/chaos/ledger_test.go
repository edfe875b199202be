//go:build linux

package chaos

import (
	"time"

	"github.com/tutti-realtime/tutti/internal/account"
)

// hearing returns what the session has heard so far.
func (s *session) hearing() account.Hearing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return account.Hearing{Subject: s.sub, Subscribed: s.subscribed, Ended: s.ended, Rows: s.rows}
}

// silence returns the longest time between two moments for which a session heard
// no row.
func (s *session) silence(from, to time.Time) (longest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := from
	for _, came := range s.rows {
		if came.At.After(from) && came.At.Before(to) {
			longest = max(longest, came.At.Sub(last))
			last = came.At
		}
	}
	return max(longest, to.Sub(last))
}
