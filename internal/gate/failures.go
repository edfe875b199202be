package gate

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// mostKeepers is how many addresses are remembered in each of two spans: 4 MB. Who
// comes from more than that is stopped by the other limits, not by this one.
const mostKeepers = 1 << 15

// Failures counts what each address did wrong lately: this span and the one
// before, which fades away.
type Failures struct {
	Most int           // in a span; 0 is no limit
	Per  time.Duration // length of a span

	mu          sync.Mutex // guards what follows
	began       time.Time  // of this span
	this, other map[netip.Addr]int
}

// Wait returns how long somebody at an address has to wait before another try, 0
// for not at all.
func (f *Failures) Wait(a netip.Addr, now time.Time) time.Duration {
	if f.Most <= 0 || !a.IsValid() {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn(now)
	a = keeper(a)
	left := f.Per - now.Sub(f.began)
	recent, before := f.this[a], f.other[a]
	if faded := float64(before) * float64(left) / float64(f.Per); float64(recent)+faded < float64(f.Most) {
		return 0
	}
	return max(time.Second, left/4)
}

// Note counts a failure.
func (f *Failures) Note(a netip.Addr, now time.Time) {
	if f.Most <= 0 || !a.IsValid() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn(now)
	a = keeper(a)
	if _, known := f.this[a]; known || len(f.this) < mostKeepers {
		f.this[a]++
	}
}

// turn begins a new span when the old one is over. It holds mu.
func (f *Failures) turn(now time.Time) {
	past := now.Sub(f.began)
	if past < f.Per && f.this != nil {
		return
	}
	f.other = f.this
	if past >= 2*f.Per {
		f.other = nil
	}
	f.this, f.began = make(map[netip.Addr]int), now
}

// Patience returns a *Refusal when the address of a request has shown too many
// bad tokens lately. Its next one is not even looked at.
func (g *Gate) Patience(r *http.Request) error {
	if g == nil {
		return nil
	}
	a := g.Address(r)
	if !g.counted(a) {
		return nil
	}
	wait := g.failures.Wait(a, time.Now())
	if wait == 0 {
		return nil
	}
	g.Metrics.refused(TooManyBadTokens)
	return &Refusal{
		Status: http.StatusTooManyRequests, Code: TooManyBadTokens,
		Cause: "Too many bad tokens from this address", Cure: "wait, and show a token that is good", After: wait,
	}
}

// Bad notes that a request had no good token, or named no tenant.
func (g *Gate) Bad(r *http.Request) {
	if g == nil {
		return
	}
	if a := g.Address(r); g.counted(a) {
		g.failures.Note(a, time.Now())
	}
}
