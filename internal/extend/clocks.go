package extend

import (
	"encoding/binary"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
)

// clocks are how this node's clock compares to those of other nodes. Each beat all are
// asked what time it is: theirs was read somewhere between the question and the answer,
// so that half of the time in between is how far the middle may be off.
type clocks struct {
	mu    sync.Mutex // guards all below
	start time.Time  // from which questions are timed
	known map[string]comparison
}

// A comparison is one answer.
type comparison struct {
	ahead    time.Duration // our clock showed so much more
	bound    time.Duration // ahead was wrong by so much at most
	measured time.Time
}

const (
	// maxDrift is by how many parts of a million two clocks may part after they were
	// compared: what is left of a quartz without a time server.
	maxDrift = 100
	// maxAge is when a comparison says nothing any more: its error is 60 ms by then.
	maxAge = 10 * time.Minute
	// maxTrip is the longest time between question and answer.
	maxTrip = 10 * time.Second
)

// error returns by how much ahead may be wrong by now.
func (c *comparison) error(now time.Time) time.Duration {
	return c.bound + now.Sub(c.measured)*maxDrift/1_000_000
}

// agrees reports whether both can be true.
func (c *comparison) agrees(with *comparison, now time.Time) bool {
	return max(c.ahead-with.ahead, with.ahead-c.ahead) <= c.error(now)+with.error(now)
}

// note takes an answer of a clock. The best is kept, until it is so old that a worse one
// says more, or one that it contradicts says that a clock was set.
func (c *clocks) note(clock string, fresh comparison) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[string]comparison{}
	}
	now := fresh.measured
	best, found := c.known[clock]
	if !found || fresh.bound <= best.error(now) || !best.agrees(&fresh, now) {
		c.known[clock] = fresh
	}
}

// skew returns how our clock compares to another.
func (c *clocks) skew(clock string, now time.Time) (tutti.Skew, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	best, found := c.known[clock]
	if !found {
		return tutti.Skew{}, false
	}
	return tutti.Skew{Ahead: best.ahead, Bound: best.error(now)}, true
}

// ask returns the time of a question, and forgets clocks that have not answered for long.
func (c *clocks) ask(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.start.IsZero() {
		c.start = now
	}
	maps.DeleteFunc(c.known, func(_ string, c comparison) bool { return now.Sub(c.measured) > maxAge })
	return now.Sub(c.start)
}

// answered returns how long ago a question was asked, false when it was not.
func (c *clocks) answered(asked time.Duration, now time.Time) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	trip := now.Sub(c.start) - asked
	return trip, !c.start.IsZero() && asked >= 0 && trip >= 0 && trip <= maxTrip
}

// clock returns the name of this node's clock: that of another start may be another
// machine's.
func (h *Host) clock() string { return h.Node + "@" + strconv.FormatUint(h.Epoch, 36) }

// noPlace is the place of messages that are about no room. It is never changed.
var noPlace place

// compare asks all other nodes what time it is, if there are rooms for which that
// matters.
func (h *Host) compare(now time.Time) {
	if len(h.all()) == 0 {
		return
	}
	ping := binary.AppendUvarint(appendPlace([]byte{msgPing}, &noPlace), 0)
	_ = h.Bus.Tell("", binary.AppendVarint(ping, int64(h.clocks.ask(now)))) // the next is as good
}

// pinged answers the question of another node.
func (h *Host) pinged(node string, p *parser) {
	asked := p.signed()
	if p.failed {
		return
	}
	pong := binary.AppendUvarint(appendPlace([]byte{msgPong}, &noPlace), 0)
	_ = h.Bus.Tell(node, appendPong(pong, asked, h.now().UnixNano(), h.clock())) // it asks again
}

func appendPong(dst []byte, asked, now int64, clock string) []byte {
	return appendText(binary.AppendVarint(binary.AppendVarint(dst, asked), now), clock)
}

// ponged takes an answer.
func (h *Host) ponged(p *parser) {
	asked, theirs, clock := time.Duration(p.signed()), p.signed(), p.text()
	now := time.Now()
	trip, sound := h.clocks.answered(asked, now)
	if p.failed || !sound || clock == h.clock() {
		return
	}
	middle := h.now().UnixNano() - int64(trip/2)
	h.clocks.note(clock, comparison{ahead: time.Duration(middle - theirs), bound: (trip + 1) / 2, measured: now})
}
