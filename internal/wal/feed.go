package wal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tutti-realtime/tutti"
)

// How long a feed waits before it tries again: at first, and at the most. The
// wait doubles as long as nothing is handed over between two failures.
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 10 * time.Second
)

// A Feed hands over what changes in a tenant's database, in the order of the
// commits. Its exported fields are set before Run and not changed. The zero
// values of those that say so are fine.
type Feed struct {
	// Config says how to connect: as a role with REPLICATION. RuntimeParams are
	// the feed's own.
	Config *pgconn.Config
	// Slot is the name of the replication slot, which is created when it is
	// missing. It stays when Run has ended: Drop deletes it.
	Slot string
	// Temporary makes the server drop the slot with every connection, so that it
	// never keeps log for us. Every break is then a Lost.
	Temporary bool
	// Term, when it is not 0, fences the slot among nodes that share it: who reads it
	// under a lower term is put out, and who reads it under a higher one is left.
	Term uint64
	// Shared makes Confirm the limit of what the server may forget, even of what
	// holds nothing for us: others have to know of that first. See Passed.
	Shared bool
	// Publications are those whose tables count. Publication is created when it is
	// missing; others must exist.
	Publications []string
	// Catalog knows the types that are not built in. Nil: they are strings.
	Catalog Catalog
	// Deliver takes a transaction, or a part of one. The feed reads no further
	// until it returns, and a connection that breaks meanwhile waits for it. What
	// it gets is its to keep. The context is Run's. An error ends Run; that part
	// comes again if Run is called again.
	Deliver func(context.Context, tutti.Transaction) error
	// State is told of every change of the feed's state, in the goroutine of Run.
	// Nil: nobody is.
	State func(State)

	position position
	system   string  // identity of the server; "" before the first connection
	known    bool    // the slot was ours before
	poisoned bool    // the slot can be read no further
	end      uint64  // of the server's log, when it was asked last
	putOut   bool    // another's connection was ended for this one
	last     backend // the last that had the slot for us
}

// Confirm says that everything up to a transaction's EndLSN is dealt with: it
// need not be sent again, even to another process. The server is told within a
// second or so. Any goroutine may call it, at any time; a lower position than
// before changes nothing.
func (f *Feed) Confirm(lsn uint64) { f.position.confirm(lsn) }

// Passed returns a position before which the log holds nothing that was not handed
// over. Where the feed is Shared it may be confirmed, too.
func (f *Feed) Passed() uint64 { return f.position.silent() }

// Lag returns how many bytes of its log the server has written and may not forget
// yet, as far as it has said. It says so with all that it sends, and every half
// minute or so when that is nothing.
func (f *Feed) Lag() uint64 { return f.position.lag() }

// Run feeds until the context ends, whose cause it returns, or until Deliver
// fails, whose error it wraps. Whatever else fails is told to State and tried
// again, without end. When it returns the server has let go of the slot, if it
// could be reached. It must not be called twice at the same time.
func (f *Feed) Run(ctx context.Context) error {
	f.position.share(f.Shared)
	all := &tables{catalog: f.Catalog, byOID: map[uint32]*tutti.Table{}, names: map[uint32]string{}}
	wait := firstWait
	for {
		f.tell(Connecting{})
		before := f.position.progress()
		err := f.attempt(ctx, all)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, ok := errors.AsType[*deliveryError](err); ok {
			return err
		}
		f.tell(Down{f.place().failure(err)})
		if f.position.progress() != before {
			wait = firstWait
		}
		if err := sleep(ctx, wait/2+rand.N(wait/2)); err != nil {
			return err
		}
		wait = min(2*wait, longestWait)
	}
}

func (f *Feed) place() place { return place{f.Config, f.Slot} }

func (f *Feed) tell(s State) {
	if f.State != nil {
		f.State(s)
	}
}

// attempt goes live once. It always returns an error.
func (f *Feed) attempt(ctx context.Context, all *tables) error {
	conn, err := connect(ctx, f.Config, appNameOf(f.Term))
	if err != nil {
		return err
	}
	s, since, err := f.prepare(ctx, conn)
	if err != nil {
		hangUp(ctx, conn)
		return err
	}
	s.position = &f.position
	s.assembler = &assembler{deliver: f.Deliver, tables: all, position: &f.position}
	f.known = true
	f.tell(Live{Since: since, System: f.system, End: f.end, PutOut: f.putOut})
	f.putOut = false
	err = s.run(ctx)
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		// The publication was missing when what is decoded now happened. It may
		// exist by now, but the server looks into the past: only a new slot helps.
		code, _, _ := f.place().answer(answer)
		f.poisoned = code == PublicationMissing
	}
	return err
}

// prepare does everything up to the stream's first message, and returns the
// position behind which it brings every commit.
func (f *Feed) prepare(ctx context.Context, conn *pgconn.PgConn) (*stream, uint64, error) {
	quick, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	server, err := askServer(quick, conn)
	if err != nil {
		return nil, 0, err
	}
	if err := publish(quick, conn, f.Publications); err != nil {
		return nil, 0, err
	}
	slot, found, err := f.look(quick, conn)
	if err != nil {
		return nil, 0, err
	}
	f.last = server.self
	since, err := f.claim(ctx, conn, slot, found)
	if err != nil {
		return nil, 0, err
	}
	s, err := openStream(ctx, conn, f.Slot, f.Publications)
	if err != nil {
		return nil, 0, err
	}
	s.server = server
	return s, since, nil
}

// look returns the slot, and refuses one that is not ours to read.
func (f *Feed) look(ctx context.Context, conn *pgconn.PgConn) (slot Slot, found bool, err error) {
	p := f.place()
	slot, found, err = p.inspect(ctx, conn)
	if err == nil && slot.ActivePID != 0 && slot.ActivePID == f.last.pid {
		slot, found, err = p.takeBack(ctx, conn, f.last, appNameOf(f.Term))
	} else if err == nil && slot.ActivePID != 0 && f.Term != 0 {
		slot, found, err = p.putOut(ctx, conn, slot, f.Term)
		f.putOut = f.putOut || err == nil
	}
	switch {
	case err != nil:
		return slot, found, fmt.Errorf("inspect slot %s: %w", f.Slot, err)
	case found && slot.ActivePID != 0:
		return slot, found, p.inUse(slot)
	case found && (slot.Database != f.Config.Database || slot.Plugin != plugin):
		return slot, found, p.nameTaken(slot)
	}
	return slot, found, nil
}

// claim makes the slot ours: the one that is there if it can go on, else a new
// one, which waits for the transactions that run. It returns where it stands.
func (f *Feed) claim(ctx context.Context, conn *pgconn.PgConn, slot Slot, found bool) (since uint64, err error) {
	system, err := pglogrepl.IdentifySystem(ctx, conn)
	if err != nil {
		return 0, fmt.Errorf("identify the server: %w", err)
	}
	elsewhere := f.system != "" && (f.system != system.SystemID || uint64(system.XLogPos) < f.position.reached())
	f.system, f.end = system.SystemID, uint64(system.XLogPos)
	if found && !f.Temporary && !slot.Lost() && !f.poisoned {
		f.goOn(slot, elsewhere)
		return slot.Confirmed, nil
	}
	return f.renew(ctx, conn, slot, found)
}

// goOn takes up a slot that is there.
func (f *Feed) goOn(slot Slot, elsewhere bool) {
	switch from := f.position.reached(); {
	case !f.known:
		f.position.begin(slot.Confirmed)
	case elsewhere || !f.position.resume(slot.Confirmed): // or somebody else has read from it
		f.position.begin(slot.Confirmed)
		f.tell(Lost{From: from, To: slot.Confirmed})
	}
}

// renew makes a new slot, in place of the old one if there is one.
func (f *Feed) renew(ctx context.Context, conn *pgconn.PgConn, old Slot, found bool) (since uint64, err error) {
	p := f.place()
	if found {
		if !f.known && !f.Temporary { // another process has read from it
			f.position.begin(old.Confirmed)
			f.known = true
		}
		if err := p.drop(ctx, conn); err != nil {
			return 0, err
		}
	}
	if since, err = p.create(ctx, conn, f.Temporary); err != nil {
		return 0, err
	}
	from := f.position.reached()
	f.poisoned = false
	f.position.begin(since)
	if f.known {
		f.tell(Lost{From: from, To: since})
	}
	return since, nil
}

// sleep waits, or returns why the context has ended.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
