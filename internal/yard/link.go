//go:build linux

package yard

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// A link is one direction between two places, as proxies make it.
type link struct {
	mu      sync.Mutex // guards all below
	cut     bool
	changed chan struct{} // closed when it changes
	delay   time.Duration
	jitter  time.Duration // more or less than the delay
	rate    int           // bytes per second; 0 for no limit
	busy    time.Time     // until when what was sent so far takes
}

func newLink() *link { return &link{changed: make(chan struct{})} }

func (l *link) set(change func(*link)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
	close(l.changed)
	l.changed = make(chan struct{})
}

// due returns when so many bytes that are sent now arrive.
func (l *link) due(now time.Time, bytes int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy.Before(now) {
		l.busy = now
	}
	if l.rate > 0 {
		l.busy = l.busy.Add(time.Duration(bytes) * time.Second / time.Duration(l.rate))
	}
	at := l.busy.Add(l.delay)
	if l.jitter > 0 {
		at = at.Add(rand.N(2*l.jitter) - l.jitter)
	}
	return at
}

// pass waits until bytes may arrive.
func (l *link) pass(ctx context.Context, due time.Time) error {
	for {
		l.mu.Lock()
		cut, changed := l.cut, l.changed
		l.mu.Unlock()
		var timer <-chan time.Time
		if !cut {
			wait := time.Until(due)
			if wait <= 0 {
				return nil
			}
			timer = time.After(wait)
		}
		select {
		case <-timer:
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A piece is bytes on their way.
type piece struct {
	data []byte
	due  time.Time
}

// pieces is how much may be on its way: what TCP would hold in its buffers.
const pieces = 64

// carry takes bytes from one connection to another over a link, and closes the
// other when there are no more.
func carry(ctx context.Context, l *link, from, to net.Conn) {
	way := make(chan piece, pieces)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(way)
		for {
			data := make([]byte, 16<<10)
			n, err := from.Read(data)
			if n > 0 {
				select {
				case way <- piece{data[:n], l.due(time.Now(), n)}:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	for p := range way {
		if l.pass(ctx, p.due) != nil {
			break
		}
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	cancel()
	// Both: a connection that was closed on one side is over on the other.
	_ = to.Close()
	_ = from.Close()
	for range way {
	}
	reading.Wait()
}
