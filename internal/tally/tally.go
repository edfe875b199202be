// Package tally counts and measures what happens to a tenant on this node, at a
// price that hot paths can pay: each event loop writes to memory of its own, and
// nothing is looked up by name. internal/limit keeps one Tenant for each tenant
// that does something and shows them as metrics; the rooms that know what happens
// write to it. It owns no goroutine, and nothing here blocks.
package tally

import (
	"sync"
	"sync/atomic"
)

// A Count is something that is counted.
type Count uint8

// What is counted.
const (
	InputBytes      Count = iota // bytes received from clients
	OutputBytes                  // bytes sent to clients
	SlowClients                  // clients hung up on because they did not take what they were sent
	RowsHandedOut                // changes of rows that somebody got
	RowsSkipped                  // deliveries of changes that the limit took away
	MessagesDropped              // messages of the database that could not be sent on
	FeedStops                    // times that a feed ended because nobody wanted it
	FeedFailures                 // times that a feed went down
	FeedLosses                   // times that changes were lost because the slot was gone
	QueryFailures                // questions of a feed that the database did not answer
	PrepareFailures              // times that a database could not be prepared
	Counts                       // how many there are
)

// A Measure is something of which the sizes matter.
type Measure uint8

// What is measured.
const (
	BroadcastBytes  Measure = iota // payload of a broadcast that is sent
	PresenceBytes                  // payload of a track
	RowBytes                       // a change of a row as it is written for clients
	ReadCheck                      // nanoseconds: policies, who may read a topic
	WriteCheck                     // nanoseconds: policies, who may write to it
	Replay                         // nanoseconds: messages fetched to be replayed
	FromCommit                     // nanoseconds from a commit until its message is sent on
	FromInsert                     // nanoseconds from a message's row until it is sent on
	VisibleCheck                   // nanoseconds: who may see rows that changed
	CommitToHandOut                // nanoseconds from a commit until its changes are given to the loops
	Identities                     // distinct identities that were asked about at once
	Measures                       // how many there are
)

// scales are the buckets of the measures.
var scales = [Measures]*Scale{
	BroadcastBytes: Bytes, PresenceBytes: Bytes, RowBytes: Bytes,
	ReadCheck: Times, WriteCheck: Times, Replay: Times, FromCommit: Times, FromInsert: Times,
	VisibleCheck: Times, CommitToHandOut: Times,
	Identities: Sizes,
}

// Scale returns the buckets of a measure.
func (m Measure) Scale() *Scale { return scales[m] }

// A lane is what one event loop has counted. Loops share no cache line, and
// processors fetch lines in pairs.
type lane struct {
	counts   [Counts]atomic.Int64
	measures [Measures]atomic.Pointer[Histogram] // nil while nothing was measured
	_        [256 - 8*(int(Counts)+int(Measures))]byte
}

// A Tenant is what is counted of a tenant. A nil one counts nothing. All methods
// may be called from anywhere at any time.
type Tenant struct {
	Feed Feed

	lanes []lane // a power of two of them

	mu     sync.Mutex       // guards errors
	errors map[string]int64 // by code; nil while there were none
}

// A Feed is how the feed of a tenant stands right now.
type Feed struct {
	Open          atomic.Bool  // there is one
	Live          atomic.Bool  // every change that commits is read
	Subscriptions atomic.Int64 // to changes of rows
	Identities    atomic.Int64 // that those have between them
	LagBytes      atomic.Int64 // of the database's log that it still keeps for us
	Oldest        atomic.Int64 // commit that is not handed out yet, in Unix nanoseconds; 0 for none
}

// New returns a Tenant for so many event loops, a power of two.
func New(loops int) *Tenant { return &Tenant{lanes: make([]lane, loops)} }

// Add counts n more. The shard is the index of the caller's event loop; any
// number is right, but only callers with different ones do not wait for each
// other's cache line.
func (t *Tenant) Add(shard int, c Count, n int64) {
	if t != nil {
		t.lane(shard).counts[c].Add(n)
	}
}

// Observe measures one more, in the measure's unit. The shard is as in Add.
func (t *Tenant) Observe(shard int, m Measure, v int64) {
	if t == nil {
		return
	}
	p := &t.lane(shard).measures[m]
	h := p.Load()
	if h == nil {
		p.CompareAndSwap(nil, &Histogram{})
		h = p.Load()
	}
	h.Observe(scales[m], v)
}

func (t *Tenant) lane(shard int) *lane { return &t.lanes[uint(shard)&uint(len(t.lanes)-1)] }

// maxCodes is how many codes of errors are told apart. The code has fewer; it
// bounds what a mistake could do.
const maxCodes = 64

// OtherCode stands for all codes beyond those that are told apart.
const OtherCode = "other"

// Fail counts an error by its code, which must come from a fixed set and never
// from a client.
func (t *Tenant) Fail(code string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.errors == nil {
		t.errors = map[string]int64{}
	}
	if _, known := t.errors[code]; !known && len(t.errors) >= maxCodes {
		code = OtherCode
	}
	t.errors[code]++
}
