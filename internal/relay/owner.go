package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
	"github.com/tutti-realtime/tutti/internal/wal"
)

var (
	errLapsed = errors.New("this node has lost its right to read the stream")
	errRewind = errors.New("a follower lacks what was read before")
)

// An owner is a stream of which this node has the lease. All but what says
// otherwise is guarded by the stream's lock.
type owner struct {
	s     *Stream
	lease cluster.Right
	term  uint64
	yield func()        // gives the lease up
	bell  chan struct{} // rings when there is something to send
	room  chan struct{} // rings when something was sent
	level chan struct{} // rings when a follower has taken something, or is none any more

	source Source             // that reads; nil between two
	again  context.CancelFunc // has the source begin anew; nil when it cannot
	since  uint64             // where the slot stood when it was opened
	opened bool               // the source has been live: read counts
	state  []byte             // Live or Down, as a record
	live   wal.Live           // the last
	read   position           // how far the source has come
	passed uint64             // that the followers were told of
	when   time.Time          // they were
	sure   uint64             // what the source was told to confirm

	seq       uint64 // of the last frame
	writer    writer
	frames    []*outgoing // to be sent
	open      bool        // the last of them is not full
	bytes     int         // of them
	followers map[string]*follower
	unknown   map[string]doubt // nodes of which it is not known where they are
	rewound   time.Time
	outranked time.Time // since when a later term has the slot; zero: it has not
}

// A doubt is how long a life of a node counts of which it is not known where it
// is.
type doubt struct {
	until time.Time
	epoch uint64
}

// nobody stands among the unknown for nodes that have no name here.
const nobody = ""

// claimWithin bounds how long a new owner waits for the answers of other nodes.
const claimWithin = 1500 * time.Millisecond

// rewindEvery is how often a stream is read again, at the most.
const rewindEvery = time.Second

// own reads the slot as long as the lease is good.
func (s *Stream) own(ctx context.Context, lease cluster.Right, term uint64) error {
	parent := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(lease.Context(), func() { stop(errLapsed) })()
	o := &owner{
		s: s, lease: lease, term: term, yield: func() { stop(errLapsed) },
		bell: make(chan struct{}, 1), room: make(chan struct{}, 1), level: make(chan struct{}, 1),
		followers: map[string]*follower{}, unknown: map[string]doubt{},
	}
	s.mu.Lock()
	s.owner, s.from, s.behind, s.nonce = o, "", true, 0
	s.inbox, s.waiting = nil, 0
	s.mu.Unlock()
	var sending sync.WaitGroup
	sending.Go(func() { o.send(ctx) })
	err := o.work(ctx)
	stop(err)
	sending.Wait()
	o.end()
	lease.Release()
	if parent.Err() != nil {
		return context.Cause(parent)
	}
	return err
}

// work reads the slot, again and again when followers lack something.
func (o *owner) work(ctx context.Context) error {
	if err := o.claim(ctx); err != nil {
		return err
	}
	for {
		if !o.lease.Valid() {
			return errLapsed
		}
		err := o.run(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !errors.Is(err, errRewind) {
			return err
		}
		o.s.relay.counts.rewinds.Add(1)
	}
}

// end gives the stream up.
func (o *owner) end() {
	s := o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owner, s.wait, s.asked = nil, askSpace, time.Time{}
	for _, f := range o.followers {
		if f.active {
			_ = s.relay.Bus.Tell(f.node, notesOf(kindEnd, note{line: s.line, term: o.term})) // or they notice
		}
	}
}

// claim asks all nodes where they are.
func (o *owner) claim(ctx context.Context) error {
	s := o.s
	quick, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	replies, silent, err := s.relay.Bus.Ask(quick, notesOf(kindOwn, note{line: s.line, term: o.term}))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		s.log.Warn("other nodes could not be asked where they are in the stream", "err", err)
	}
	now := time.Now()
	var missing []gap
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, reply := range replies {
		epoch, all, gaps, err := decodeAnswers(reply.Payload)
		if reply.Err != nil || err != nil || len(all) != 1 {
			silent = append(silent, reply.Node)
			continue
		}
		missing = append(missing, gaps...)
		o.answered(reply.Node, epoch, &all[0], now)
	}
	for _, node := range silent {
		o.unknown[node] = doubt{now.Add(s.relay.keep()), 0}
	}
	o.miss(s.relay.lacking(now, missing))
	return nil
}

// miss takes note of nodes that are not here, and may follow. The lock is held.
func (o *owner) miss(lacking map[string]doubt) {
	for node, d := range lacking {
		if _, known := o.unknown[node]; !known && o.followers[node] == nil {
			o.unknown[node] = d
		}
	}
}

// answered takes a node's answer to the question where it is. The lock is held.
func (o *owner) answered(node string, epoch uint64, a *answer, now time.Time) {
	f := o.followers[node]
	switch a.status {
	case answerNone, answerFollowing:
		delete(o.unknown, node)
	case answerHere:
		delete(o.unknown, node)
		if f == nil || !f.active {
			o.follow(node, &follow{o.s.line, epoch, a.nonce, a.at})
		}
	default:
		if _, known := o.unknown[node]; !known && f == nil {
			o.unknown[node] = doubt{now.Add(o.s.relay.keep()), epoch}
		}
	}
}

// run reads the slot once, from where it stands.
func (o *owner) run(ctx context.Context) error {
	s := o.s
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.mu.Lock()
	o.opened, o.state, o.passed = false, nil, 0
	o.again = func() { stop(errRewind) }
	for _, f := range o.followers {
		if f.lacks {
			o.accept(f, false)
		}
	}
	s.mu.Unlock()
	source := s.Make(Reading{Term: o.term, Deliver: o.deliver, State: o.hear})
	s.mu.Lock()
	o.source = source
	s.mu.Unlock()
	err := source.Run(reading)
	s.mu.Lock()
	o.source, o.again, o.opened, o.rewound = nil, nil, false, time.Now()
	s.mu.Unlock()
	if reading.Err() != nil {
		return context.Cause(reading)
	}
	return err
}

// deliver takes what the source has read: for the followers, and for the reader
// of this node.
func (o *owner) deliver(ctx context.Context, tx tutti.Transaction) error {
	if err := o.makeRoom(ctx); err != nil {
		return err
	}
	s := o.s
	s.mu.Lock()
	offset := 0
	if tx.CommitLSN == o.read.partly {
		offset = o.read.parts
	}
	if o.followed() {
		o.write(func(dst []byte) []byte { return o.writer.part(dst, &tx, offset) })
	}
	o.read.hand(tx.CommitLSN, tx.EndLSN, offset+len(tx.Changes))
	s.mu.Unlock()
	return s.deliver(ctx, tx, offset)
}

// hear takes a state of the source.
func (o *owner) hear(st wal.State) {
	s := o.s
	switch st := st.(type) {
	case wal.Live:
		o.goLive(st)
		s.live(st)
	case wal.Lost:
		s.mu.Lock()
		o.read.begin(st.To)
		o.write(func(dst []byte) []byte { return appendLost(dst, &st) })
		s.mu.Unlock()
		s.lose(st)
	case wal.Down:
		s.mu.Lock()
		o.rank(errors.Is(st.Failure, wal.ErrOutranked), time.Now())
		o.state = appendDown(nil, st.Failure)
		o.write(func(dst []byte) []byte { return append(dst, o.state...) })
		s.mu.Unlock()
		s.hear(st)
	default:
		if s.State != nil {
			s.State(st)
		}
	}
}

func (o *owner) goLive(l wal.Live) {
	s := o.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if !o.opened {
		o.opened = true
		o.read.begin(l.Since)
	}
	if l.PutOut {
		// Whoever read the slot may have followers of which this node never heard.
		o.unknown[nobody] = doubt{time.Now().Add(s.relay.keep()), 0}
	}
	o.since, o.live, o.outranked = l.Since, l, time.Time{}
	o.write(func(dst []byte) []byte { return appendLive(dst, &l) })
	l.End = 0 // by the time that it is said again it is of the past
	o.state = appendLive(nil, &l)
}

// outrankedFor is how long an owner waits for one of a later term that it does not
// hear of. That one's connection may be all that is left of it.
const outrankedFor = 10 * time.Second

// rank takes note that a later term has the slot, or not. When that stays so this
// node gives its lease up, and asks for one with a term that is later still. The
// lock is held.
func (o *owner) rank(outranked bool, now time.Time) {
	switch {
	case !outranked:
		o.outranked = time.Time{}
	case o.outranked.IsZero():
		o.outranked = now
	case now.Sub(o.outranked) > outrankedFor:
		o.yield()
	}
}

// settle has the database told what nobody needs any more. The lock is held.
func (o *owner) settle() {
	if o.source == nil || !o.opened || len(o.unknown) > 0 || !o.lease.Valid() {
		return
	}
	sure := o.s.pos.flushed()
	for _, f := range o.followers {
		sure = min(sure, f.confirmed)
	}
	if sure > o.sure {
		o.sure = sure
		o.source.Confirm(sure)
	}
}

// A position that holds nothing is passed on when it has moved so far, or was not
// for so long: it only matters to what the database keeps.
const (
	passBytes = 4 << 20
	passEvery = 15 * time.Second
)

// pass tells the followers of a position before which nothing is left. They must
// know before the database does: a slot ahead of them would look like a loss to
// the next owner. The lock is held.
func (o *owner) pass(now time.Time) {
	if o.source == nil || !o.opened || o.read.partly != 0 {
		return
	}
	lsn := o.source.Passed()
	if lsn <= o.passed || lsn <= o.read.handed || o.followed() && lsn-o.passed < passBytes && now.Sub(o.when) < passEvery {
		return
	}
	o.passed, o.when = lsn, now
	o.write(func(dst []byte) []byte { return appendPass(dst, lsn) })
	o.s.pos.pass(lsn)
	o.settle()
}

// tick looks after what is due. It reports whether nodes are to be asked again
// where they are.
func (o *owner) tick(now time.Time, beats map[string][]note) (unsure bool) {
	for node, d := range o.unknown {
		if now.After(d.until) {
			delete(o.unknown, node)
		}
	}
	for node, f := range o.followers {
		switch {
		case f.active:
			o.look(f, now, beats)
		case f.lacks:
			o.rewind(now)
		case now.After(f.until):
			o.s.log.Warn("a node was away for too long, changes may be lost for it", "node", node)
			delete(o.followers, node)
		}
	}
	o.pass(now)
	o.settle()
	return o.doubts()
}

// doubts reports whether a node is here of which it is not known where it is.
func (o *owner) doubts() bool {
	for node := range o.unknown {
		if o.s.relay.here(node) {
			return true
		}
	}
	return false
}

// rewind has the source read again, if it has not just done so. The lock is held.
func (o *owner) rewind(now time.Time) {
	if o.again != nil && now.Sub(o.rewound) >= rewindEvery {
		o.again()
	}
}
