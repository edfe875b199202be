package limit

import (
	"math"
	"sync/atomic"
)

// kinds is how many things are counted of a tenant.
const kinds = 5

// A lane holds what one event loop has counted of one tenant. The loop's five
// counts share cache lines with each other and with no other loop's: 128 bytes
// and not 64, because processors fetch lines in pairs.
type lane struct {
	counts [kinds]atomic.Int64
	_      [128 - kinds*8]byte
}

// Counter counts one kind of event of one tenant on this node, and knows how
// many there were per second over its window, on this node and on all.
//
// Every tick takes one sample; the average is the sum of the last samples, by
// their number, by the seconds of a tick. One empty sample stands there from the
// beginning, so the first average is half of what came. Between ticks nothing
// moves: a burst inside one tick is not stopped (protocol.md §7.1).
//
// All methods may be called from anywhere at any time.
type Counter struct {
	lanes   []lane // a power of two of them, shared by the counters of a tenant
	kind    int
	average atomic.Uint64 // of this node; bits of a float64
	others  *atomic.Int64 // sum of other nodes' averages, by rateUnit; nil on a single node

	// What follows is only for the goroutine that ticks.
	samples []int64 // a ring
	filled  int     // samples taken, at most len(samples)
	next    int     // where the next sample goes
	sum     int64   // of all samples
	latest  int64   // sample
	seen    int64   // total at the last tick
	seconds int     // in a tick
}

// begin prepares a counter and takes the one empty sample.
func (c *Counter) begin(lanes []lane, kind, samples, seconds int) {
	c.lanes, c.kind, c.seconds = lanes, kind, seconds
	c.samples = make([]int64, samples)
	c.tick()
}

// Add counts n events. The shard is the index of the caller's event loop; any
// number is right, but only callers with different ones do not wait for each
// other's cache line.
func (c *Counter) Add(shard int, n int64) {
	c.lanes[uint(shard)&uint(len(c.lanes)-1)].counts[c.kind].Add(n)
}

// Average returns the events per second of all nodes, each as of its last tick.
func (c *Counter) Average() float64 {
	if c.others == nil {
		return c.Local()
	}
	return c.Local() + float64(c.others.Load())*(1.0/rateUnit)
}

// Local returns the events per second of this node as of the last tick.
func (c *Counter) Local() float64 {
	return math.Float64frombits(c.average.Load())
}

// Over reports whether the average of all nodes has reached max, events per
// second. A new max is in force at once. Nothing is over before the first tick, except a max of
// zero, which always is.
func (c *Counter) Over(max int) bool {
	return c.Average() >= float64(max)
}

// Total returns the events since the counter was made.
func (c *Counter) Total() int64 {
	var n int64
	for i := range c.lanes {
		n += c.lanes[i].counts[c.kind].Load()
	}
	return n
}

// tick takes a sample and renews the average.
func (c *Counter) tick() {
	total := c.Total()
	c.latest, c.seen = total-c.seen, total
	c.sum += c.latest - c.samples[c.next]
	c.samples[c.next] = c.latest
	c.next = (c.next + 1) % len(c.samples)
	c.filled = min(c.filled+1, len(c.samples))
	average := float64(c.sum) / float64(c.filled) / float64(c.seconds)
	c.average.Store(math.Float64bits(average))
}
