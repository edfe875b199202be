package extend

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A crew is the goroutines of a host.
type crew struct {
	mu   sync.Mutex // guards all below
	size int        // that run and are waited for
	left int        // that were left behind, and run
	idle chan struct{}
}

// start runs f in a goroutine.
func (c *crew) start(f func()) {
	c.mu.Lock()
	c.size++
	c.mu.Unlock()
	go func() {
		defer c.done()
		f()
	}()
}

func (c *crew) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shrink()
}

func (c *crew) shrink() {
	c.size--
	if c.size == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// abandon ceases to wait for a goroutine, which is not known to end. It must call
// returned when it does.
func (c *crew) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left++
	c.shrink()
}

// returned is for an abandoned goroutine that ends after all: done takes back what
// it puts right.
func (c *crew) returned() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left--
	c.size++
}

func (c *crew) abandoned() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// wait returns when no goroutine runs that is waited for.
func (c *crew) wait() {
	c.mu.Lock()
	if c.size == 0 {
		c.mu.Unlock()
		return
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	<-idle
}

// watch abandons the goroutine that it is called in when that runs on for so long
// after ctx has ended. What it returns is called when the goroutine ends.
func (c *crew) watch(ctx context.Context, patience time.Duration) (ended func()) {
	const (
		runs int32 = iota
		over
		forsaken
	)
	var state atomic.Int32
	unwatch := context.AfterFunc(ctx, func() {
		time.AfterFunc(patience, func() {
			if state.CompareAndSwap(runs, forsaken) {
				c.abandon()
			}
		})
	})
	return func() {
		unwatch()
		if !state.CompareAndSwap(runs, over) {
			c.returned()
		}
	}
}
