package relay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/wal"
)

// A commit is a transaction in the log.
type commit struct {
	commit, end uint64
	changes     int
}

// A simSlot is a log, and the slot that all read. The world's lock guards it.
type simSlot struct {
	world     *world
	log       []commit
	next      uint64 // position
	made      bool
	confirmed uint64
	reader    *simFeed
}

// write commits a transaction. The lock is held.
func (s *simSlot) write(changes int) {
	at := s.next + 10 + uint64(s.world.rng.IntN(50))
	end := at + 8
	s.next = end + uint64(s.world.rng.IntN(2)*8)
	s.log = append(s.log, commit{at, end, changes})
}

// A simFeed reads the slot as a wal.Feed does.
type simFeed struct {
	Reading
	slot *simSlot
	node *node

	pos    position
	known  bool
	sent   int // of the log, to this connection
	begun  uint64
	told   uint64 // that may be forgotten
	passed uint64
	table  *tutti.Table
}

func (f *simFeed) Confirm(lsn uint64) {
	// It is reported later, or never.
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	f.told = max(f.told, lsn)
}

func (f *simFeed) Passed() uint64 {
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	return f.passed
}

// report tells the server what may be forgotten.
func (f *simFeed) report() {
	f.node.mu.Lock()
	told := min(f.told, max(f.pos.handed, f.passed))
	f.node.mu.Unlock()
	w := f.slot.world
	var all []*node
	w.locked(func() {
		if f.slot.reader == f && !f.node.dead && told > f.slot.confirmed {
			f.slot.confirmed = told
			all = slices.Clone(w.nodes)
		}
	})
	for _, n := range all {
		at := n.taken()
		w.locked(func() {
			if !w.losses && !n.dead && !n.left && at != 0 && at < told {
				w.note("%s under %d forgets up to %d, which %s at %d lacks", f.node.name, f.Term, told, n.name, at)
				w.t.Errorf("seed %d: the slot is ahead of a node", w.seed)
			}
		})
	}
}

// Run implements Source.
func (f *simFeed) Run(ctx context.Context) error {
	defer f.leave()
	for ctx.Err() == nil {
		f.State(wal.Connecting{})
		since, end, putOut, ok := f.connect()
		if !ok {
			f.State(wal.Down{Failure: &wal.Failure{Code: wal.ReplicationSlotBeingUsed, Err: wal.ErrOutranked}})
		} else {
			f.State(wal.Live{Since: since, System: "1", End: end, PutOut: putOut})
			if err := f.stream(ctx); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return context.Cause(ctx)
}

func (f *simFeed) connect() (since, end uint64, putOut, ok bool) {
	w := f.slot.world
	f.node.pause()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := f.slot
	if f.node.dead || s.reader != nil && s.reader != f && s.reader.Term > f.Term {
		return 0, 0, false, false
	}
	putOut = s.reader != nil && s.reader.Term < f.Term
	s.reader = f
	if !s.made {
		s.made, s.confirmed = true, s.next
		w.note("%s makes the slot at %d", f.node.name, s.next)
	}
	f.node.mu.Lock()
	if !f.known || s.confirmed > f.pos.reach() {
		f.known = true
		f.pos.begin(s.confirmed)
		f.passed = s.confirmed
	}
	f.node.mu.Unlock()
	f.begun, f.sent = s.confirmed, 0
	w.note("%s reads under %d from %d", f.node.name, f.Term, s.confirmed)
	return s.confirmed, s.next, putOut, true
}

func (f *simFeed) leave() {
	f.report()
	f.slot.world.locked(func() {
		if f.slot.reader == f && !f.node.dead { // of a crash the server does not know
			f.slot.reader = nil
		}
	})
}

// fetch returns what the server has sent: up to some transactions are in the
// socket, and come even when the connection has ended.
func (f *simFeed) fetch() (c commit, alive, found bool) {
	w := f.slot.world
	w.mu.Lock()
	defer w.mu.Unlock()
	alive = f.slot.reader == f && !f.node.dead
	at := 0
	if alive {
		f.sent = min(len(f.slot.log), f.sent+20)
	}
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	for ; at < f.sent; at++ {
		if c = f.slot.log[at]; c.commit >= f.begun && c.commit >= f.pos.handed {
			return c, alive, true
		}
	}
	if alive && f.sent == len(f.slot.log) {
		f.passed = max(f.passed, f.slot.next)
	}
	return c, alive, false
}

// stream hands over until the connection ends, or fails.
func (f *simFeed) stream(ctx context.Context) error {
	for ctx.Err() == nil {
		f.node.pause()
		f.report()
		c, alive, found := f.fetch()
		if !found {
			if !alive {
				return nil
			}
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
			continue
		}
		for at := 0; at < c.changes; {
			const part = 3
			n := min(part, c.changes-at)
			tx := tutti.Transaction{ID: uint32(c.commit), CommitLSN: c.commit, Committed: time.UnixMicro(1).UTC()}
			for i := range n {
				tx.Changes = append(tx.Changes, tutti.Change{Table: f.table, Kind: tutti.Insert, New: value(at + i)})
			}
			if at += n; at == c.changes {
				tx.EndLSN = c.end
			} else {
				tx.More = true
			}
			f.node.mu.Lock()
			wanted, err := f.pos.cut(&tx, at-n)
			f.node.mu.Unlock()
			if err != nil {
				panic(fmt.Sprintf("%v %+v %+v %d", err, f.pos, c, at-n))
			}
			if !wanted {
				continue
			}
			if err := f.Deliver(ctx, tx); err != nil {
				return err
			}
			f.node.mu.Lock()
			f.pos.hand(c.commit, tx.EndLSN, at)
			f.node.mu.Unlock()
		}
	}
	return context.Cause(ctx)
}
