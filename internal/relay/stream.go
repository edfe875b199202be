package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// A Source reads a slot from where that stands. *wal.Feed is one.
type Source interface {
	Run(context.Context) error
	Confirm(lsn uint64)
	Passed() uint64
}

// A Reading is what a Source needs to know of its stream.
type Reading struct {
	Term    uint64 // of wal.Feed
	Deliver func(context.Context, tutti.Transaction) error
	State   func(wal.State)
}

// A Stream is what a tenant's reader sees of the stream that nodes share. It
// looks like a wal.Feed. Its exported fields are set before Run and not changed.
type Stream struct {
	// Make makes a Source, when this node is the owner: one that is new, and
	// Shared. It is called in the goroutine of Run.
	Make func(Reading) Source
	// Deliver and State are those of wal.Feed, and are called in the goroutine of
	// Run, too.
	Deliver func(context.Context, tutti.Transaction) error
	State   func(wal.State)
	// Temporary says that the slot goes with every connection, so that nothing can
	// be read again.
	Temporary bool

	relay *Relay
	line  line
	log   *slog.Logger
	bell  chan struct{} // rings when there is something for the goroutine of Run

	// Of the goroutine of Run.
	told   told
	shelf  shelf
	loose  []byte // of a record that is not complete
	system string // identity of the server
	alone  time.Time

	mu       sync.Mutex // guards all below
	running  bool
	pos      position
	owner    *owner // while this node is
	from     string // whose frames are taken; "" nobody's
	term     uint64
	next     uint64 // frame
	behind   bool   // frames are missing: none are taken before it has followed anew
	nonce    uint64 // of what it said last of where it is; 0 once that was accepted
	asked    time.Time
	wait     time.Duration // until it asks again
	inbox    []letter
	waiting  int // bytes in it
	taken    uint64
	untold   int // bytes taken since the last ack
	ackedAt  time.Time
	announce bool // there is something to acknowledge
}

// What the reader was told of the stream last.
type told uint8

const (
	toldLive told = iota + 1
	toldDown
)

// A letter is what has come from the owner: a frame, or that it has accepted.
type letter struct {
	accept *accept
	frame  frame
	node   string
	size   int
}

// Open makes a tenant's stream known to other nodes. From now on, until Close,
// the owner keeps for this node what it has not had, even while it does not run.
// key stands for the database and the slot: nodes with another have another
// stream. It is Key of settings.
func (r *Relay) Open(tenant string, key uint64) *Stream {
	s := &Stream{
		relay: r, line: line{tenant, key}, bell: make(chan struct{}, 1),
		log: r.Log.With("tenant", tenant),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
	r.streams[s.line] = s
	return s
}

// Close ends a stream that does not run any more. Nothing is kept for it.
func (s *Stream) Close() {
	r := s.relay
	r.mu.Lock()
	if r.streams[s.line] == s {
		delete(r.streams, s.line)
	}
	delete(r.dirty, s)
	r.mu.Unlock()
	s.mu.Lock()
	node := s.from
	s.from, s.inbox, s.waiting = "", nil, 0
	s.mu.Unlock()
	if node != "" {
		_ = r.Bus.Tell(node, notesOf(kindLeave, note{line: s.line, seq: r.Epoch})) // else its next frame is answered so
	}
}

// lease returns the name of the lease of a stream. While settings of a tenant
// change, nodes with the old ones and those with the new need not wait for each
// other.
func (l line) lease() string {
	return cluster.LeaseName("wal/" + strconv.FormatUint(l.key, 36) + "/" + l.tenant)
}

// Confirm is wal.Feed's.
func (s *Stream) Confirm(lsn uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pos.confirm(lsn)
	s.changed()
}

// changed passes on that the position is another. The lock is held.
func (s *Stream) changed() {
	if s.owner != nil {
		s.owner.settle()
		return
	}
	if s.from != "" && !s.behind {
		s.announce = true
		s.relay.mark(s)
	}
}

// errOwner says that this node owns the stream now.
var errOwner = errors.New("this node owns the stream now")

// Run takes the stream until the context ends, whose cause it returns, or until
// Deliver fails. While another node has the lease it follows that one. When it
// returns the slot is free, if this node read it, and then the lease is.
func (s *Stream) Run(ctx context.Context) error {
	s.start()
	defer s.stop()
	for {
		lease, term, err := s.follow(ctx)
		if err != nil {
			return err
		}
		s.log.Info("this node reads the stream for the others", "term", fmt.Sprintf("%x", term))
		if err := s.own(ctx, lease, term); !errors.Is(err, errLapsed) {
			return err
		}
		s.log.Info("this node has lost its right to read the stream")
	}
}

func (s *Stream) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.behind, s.wait, s.asked = true, true, 0, time.Time{}
	s.told, s.alone = 0, time.Now()
}

func (s *Stream) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.behind = false, true
	s.inbox, s.waiting = nil, 0
}

// follow takes what the owner sends until this node has the lease.
func (s *Stream) follow(ctx context.Context) (cluster.Right, uint64, error) {
	following, stop := context.WithCancelCause(ctx)
	var lease cluster.Right
	var term uint64
	var holding sync.WaitGroup
	holding.Go(func() {
		if lease, term = s.hold(following); lease != nil {
			stop(errOwner)
		}
	})
	err := s.listen(following)
	stop(err)
	holding.Wait()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, errOwner):
		return lease, term, nil
	}
	if lease != nil {
		lease.Release()
	}
	return nil, 0, err
}

// hold waits for the lease; it has none only when the context has ended.
func (s *Stream) hold(ctx context.Context) (cluster.Right, uint64) {
	for {
		lease, term, err := s.relay.Bus.Hold(ctx, s.line.lease())
		if err == nil {
			return lease, term
		}
		select { // the node leaves the cluster
		case <-ctx.Done():
			return nil, 0
		case <-time.After(beat):
		}
	}
}

// listen works on what comes until the context ends, or Deliver fails.
func (s *Stream) listen(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		l, wait, ok := s.take(time.Now())
		if ok {
			if err := s.open(ctx, &l); err != nil {
				return err
			}
			continue
		}
		s.lament(time.Now())
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.bell:
		case <-timer.C:
		}
	}
}

const (
	askSpace   = 200 * time.Millisecond // between questions, at least
	askFirst   = 500 * time.Millisecond // until the same is asked again
	askLongest = 8 * time.Second
	// ownerless is how long nobody may own the stream before the reader is told.
	ownerless = 10 * time.Second
	// deaf is how long an owner is believed in that is not heard.
	deaf = 3 * time.Second
)

// take returns the next letter. Without one it asks who owns the stream when
// that is due, and returns when it is due again.
func (s *Stream) take(now time.Time) (l letter, wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inbox) > 0 {
		l = s.inbox[0]
		s.inbox[0] = letter{}
		s.inbox = s.inbox[1:]
		s.waiting -= l.size
		return l, 0, true
	}
	if !s.behind {
		return l, ownerless, false
	}
	if due := s.asked.Add(s.wait); due.After(now) {
		return l, due.Sub(now), false
	}
	s.wait = min(max(2*s.wait, askFirst), askLongest)
	s.asked = now
	s.nonce = rand.Uint64() | 1
	f := follow{line: s.line, epoch: s.relay.Epoch, nonce: s.nonce, at: s.place()}
	_ = s.relay.Bus.Tell("", appendFollow(nil, &f)) // it is said again
	return l, s.wait, false
}

// place returns the position as others learn it.
func (s *Stream) place() position {
	p := s.pos
	p.confirmed = p.flushed()
	return p
}

// lament tells the reader that nobody owns the stream, once.
func (s *Stream) lament(now time.Time) {
	s.mu.Lock()
	orphan := s.behind
	s.mu.Unlock()
	if !orphan {
		s.alone = now
	}
	if now.Sub(s.alone) < ownerless || s.told == toldDown {
		return
	}
	s.hear(wal.Down{Failure: &wal.Failure{
		Code:  wal.DatabaseUnavailable,
		Cause: "no node of the cluster says that it reads the slot",
		Cure:  "it is tried again; check the network between the nodes, and between them and the database, if this stays",
	}})
}

// hear tells the reader of a state.
func (s *Stream) hear(st wal.State) {
	switch st.(type) {
	case wal.Live:
		if s.told == toldLive {
			return
		}
		s.told = toldLive
	case wal.Down:
		s.told = toldDown
	case wal.Lost:
		s.told = 0
	}
	if s.State != nil {
		s.State(st)
	}
}

// deliver gives the reader what it has not had of a part.
func (s *Stream) deliver(ctx context.Context, tx tutti.Transaction, offset int) error {
	s.mu.Lock()
	if !s.pos.known {
		s.pos.begin(tx.CommitLSN) // no owner sends before it has said where it begins
	}
	end := offset + len(tx.Changes)
	wanted, err := s.pos.cut(&tx, offset)
	s.mu.Unlock()
	if err != nil || !wanted {
		return err
	}
	if err := s.Deliver(ctx, tx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pos.hand(tx.CommitLSN, tx.EndLSN, end)
	return nil
}

func (s *Stream) owned() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != nil {
		return s.relay.Node
	}
	return s.from
}
