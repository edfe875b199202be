package tenant

import (
	"context"
	"sync"
	"time"
)

// mostStrangers is how many names are remembered that are no tenants: a megabyte
// or two. Who asks for more starts the list anew.
const mostStrangers = 10_000

// strangers are names that turned out to be no tenants a moment ago. Anybody can
// ask for any name, and each question is a trip to the store.
type strangers struct {
	mu    sync.Mutex // guards until
	until map[string]time.Time
}

func (s *strangers) knows(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.until[id])
}

func (s *strangers) note(id string, keep time.Duration) {
	if keep <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil || len(s.until) >= mostStrangers {
		s.until = make(map[string]time.Time)
	}
	s.until[id] = time.Now().Add(keep)
}

func (s *strangers) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.until, id)
}

// enter waits for a place among the questions about names that are not known,
// and returns what gives it back. Known tenants are asked about beside them.
func (d *Directory) enter(ctx context.Context, known *Handle) (leave func(), err error) {
	if d.Strangers == nil || known != nil {
		return func() {}, nil
	}
	select {
	case d.Strangers <- struct{}{}:
		return func() { <-d.Strangers }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
