package wal

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A server is what a feed must know of the one that it is connected to.
type server struct {
	self    backend
	timeout time.Duration // wal_sender_timeout; 0: never
}

// A backend is a process of a server's. The number alone is given to others when
// it has ended.
type backend struct {
	pid   uint32
	start string // when it started, as the server writes it; "" when that is not to be seen
}

const findServer = `SELECT current_setting('wal_level'),
	(SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'),
	pg_backend_pid(), (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())`

// askServer asks the server who it is, and checks that its log is of use. The
// process is asked for, as what a proxy says of itself at the start may be another.
func askServer(ctx context.Context, conn *pgconn.PgConn) (server, error) {
	row, err := queryRow(ctx, conn, findServer)
	if err != nil {
		return server{}, fmt.Errorf("read settings: %w", err)
	}
	if row[0] != "logical" {
		return server{}, &Failure{
			Code:  WalLevelNotLogical,
			Cause: "wal_level is " + row[0] + ", which leaves out what changes are made of",
			Cure:  "run ALTER SYSTEM SET wal_level = logical; and restart PostgreSQL",
		}
	}
	ms, err := strconv.Atoi(row[1])
	if err != nil {
		return server{}, fmt.Errorf("read wal_sender_timeout: %w", err)
	}
	pid, err := strconv.ParseUint(row[2], 10, 32)
	if err != nil {
		return server{}, fmt.Errorf("read the server's process: %w", err)
	}
	return server{self: backend{uint32(pid), row[3]}, timeout: time.Duration(ms) * time.Millisecond}, nil
}

const (
	// statusEvery is how often the server hears from us, if its timeout is not
	// shorter than three of it.
	statusEvery = time.Second
	// longestSilence is how long a server may say nothing, whatever its timeout.
	longestSilence = 5 * time.Minute
)

// every returns how often the server wants to hear from us.
func (s server) every() time.Duration {
	if s.timeout == 0 {
		return statusEvery
	}
	return min(statusEvery, s.timeout/3)
}

// silence returns how long the server may say nothing, though asked, before it
// is given up. While it decodes a transaction that holds nothing for us it
// listens, and answers, once in half its timeout only; without a timeout, when it
// has done.
func (s server) silence() time.Duration {
	if s.timeout == 0 {
		return longestSilence
	}
	return min(s.timeout/4*3, longestSilence)
}

// endWait is how long to wait for a process of the server's to end.
const endWait = goodbye

// takeBack ends a process of the server's that still holds the slot for an
// earlier connection of this feed: the network has lost it, and the server will
// not notice before its wal_sender_timeout. It returns the slot as it is then.
func (p place) takeBack(ctx context.Context, conn *pgconn.PgConn, b backend, name string) (Slot, bool, error) {
	end := fmt.Sprintf(`SELECT pg_terminate_backend(pid, %d) FROM pg_stat_activity
		WHERE pid = %d AND backend_start = %s AND application_name = %s`,
		endWait.Milliseconds(), b.pid, literal(b.start), literal(name))
	if b.start == "" {
		end = "SELECT false"
	}
	_, refusal := queryRow(ctx, conn, end)
	if refusal != nil && !isAnswer(refusal) {
		return Slot{}, false, refusal
	}
	slot, found, err := p.inspect(ctx, conn)
	if err == nil && found && slot.ActivePID == b.pid {
		return slot, found, p.ghost(b, refusal)
	}
	return slot, found, err
}

// ghost says that a backend keeps the slot that was ours.
func (p place) ghost(b backend, refusal error) *Failure {
	f := &Failure{
		Code: ReplicationSlotBeingUsed,
		Cause: fmt.Sprintf("slot %s is still held by the server's process %d for an earlier connection of this feed, and role %s could not end it",
			p.slot, b.pid, p.config.User),
		Cure: fmt.Sprintf("it ends after wal_sender_timeout; SELECT pg_terminate_backend(%d); ends it at once", b.pid),
		Err:  refusal,
	}
	if refusal != nil {
		f.Cause += " (" + refusal.Error() + ")"
	}
	return f
}

const findReader = "SELECT application_name, backend_start FROM pg_stat_activity WHERE pid = "

// putOut ends a process of the server's that holds the slot for a feed of a lower
// term: for a node that has lost its right to it and may not know. It returns the
// slot as it is then. Anybody else stays.
func (p place) putOut(ctx context.Context, conn *pgconn.PgConn, slot Slot, term uint64) (Slot, bool, error) {
	row, err := queryRow(ctx, conn, findReader+strconv.FormatUint(uint64(slot.ActivePID), 10))
	if err != nil {
		return slot, true, err
	}
	if row == nil { // it has just ended
		return p.inspect(ctx, conn)
	}
	other, ours := termOf(row[0])
	switch {
	case !ours:
		return slot, true, nil
	case other > term:
		return slot, true, p.outranked(slot, other, term)
	}
	return p.takeBack(ctx, conn, backend{slot.ActivePID, row[1]}, row[0])
}

func (p place) outranked(s Slot, other, term uint64) *Failure {
	return &Failure{
		Code: ReplicationSlotBeingUsed,
		Cause: fmt.Sprintf("slot %s is read by another node, the server's process %d, under the later term %x (this node's is %x)",
			s.Name, s.ActivePID, other, term),
		Cure: "nothing need be done when the nodes hear each other: this one follows that one then",
		Err:  ErrOutranked,
	}
}
