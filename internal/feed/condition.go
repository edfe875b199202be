package feed

import "github.com/tutti-realtime/tutti/internal/wal"

// The states of a feed.
const (
	StateLive       = "live"
	StateDown       = "down"
	StateConnecting = "connecting"
)

// A Condition is how a tenant's feed is on this node.
type Condition struct {
	State string
	Code  string // of what is wrong; "" while nothing is
	Cause string // in words that whoever manages the server may read
}

// Condition returns how the feed of a tenant is, false where this node has none.
func (f *Feeds) Condition(tenantID string) (Condition, bool) {
	f.mu.Lock()
	r := f.readers[tenantID]
	f.mu.Unlock()
	if r == nil {
		return Condition{}, false
	}
	c := Condition{State: StateConnecting}
	if r.live.Load() {
		return Condition{State: StateLive}, true
	}
	if failure := r.trouble.Load(); failure != nil {
		c = Condition{State: StateDown, Code: failure.Code, Cause: failure.Cause + "; " + failure.Cure}
	}
	return c, true
}

// remember keeps a state of the stream where Condition finds it.
func (r *reader) remember(s wal.State) {
	switch s := s.(type) {
	case wal.Live:
		r.trouble.Store(nil)
	case wal.Down:
		r.trouble.Store(s.Failure)
	}
}
