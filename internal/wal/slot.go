package wal

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// plugin is what decodes the log in the server.
const plugin = "pgoutput"

// A Slot is where a server keeps how far a reader of its log has come. Its name
// is one for all databases of the server.
type Slot struct {
	Name      string
	Plugin    string // such as pgoutput; "" for a physical slot
	Database  string
	Temporary bool
	ActivePID uint32 // of the server's process that sends from it; 0: nobody reads
	Confirmed uint64 // what is before it is not sent again
	Retained  int64  // bytes of log that the server keeps for it
	Status    string // reserved, extended, unreserved or lost
}

// Lost reports whether the server has deleted log that the slot needed.
func (s Slot) Lost() bool { return s.Status == "lost" }

const findSlot = `SELECT plugin, database, temporary, active_pid, confirmed_flush_lsn, wal_status,
	pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)
	FROM pg_replication_slots WHERE slot_name = `

// Inspect returns a slot, found false when there is none. Errors are *Failure.
func Inspect(ctx context.Context, config *pgconn.Config, name string) (slot Slot, found bool, err error) {
	p := place{config, name}
	err = p.with(ctx, func(conn *pgconn.PgConn) error {
		slot, found, err = p.inspect(ctx, conn)
		return err
	})
	return slot, found, err
}

// Drop deletes a slot, so that the server need not keep its log any more. One
// that is not there is no error; one that is read is a Failure. Errors are *Failure.
func Drop(ctx context.Context, config *pgconn.Config, name string) error {
	p := place{config, name}
	return p.with(ctx, func(conn *pgconn.PgConn) error {
		slot, found, err := p.inspect(ctx, conn)
		switch {
		case err != nil || !found:
			return err
		case slot.ActivePID != 0:
			return p.inUse(slot)
		case slot.Database != config.Database:
			return p.nameTaken(slot)
		}
		return p.drop(ctx, conn)
	})
}

// with runs fn with a connection of its own.
func (p place) with(ctx context.Context, fn func(*pgconn.PgConn) error) error {
	conn, err := connect(ctx, p.config, appName)
	if err != nil {
		return p.failure(err)
	}
	defer hangUp(ctx, conn)
	if err := fn(conn); err != nil {
		return p.failure(err)
	}
	return nil
}

func (p place) inspect(ctx context.Context, conn *pgconn.PgConn) (slot Slot, found bool, err error) {
	row, err := queryRow(ctx, conn, findSlot+literal(p.slot))
	if err != nil || row == nil {
		return Slot{}, false, err
	}
	slot = Slot{Name: p.slot, Plugin: row[0], Database: row[1], Temporary: row[2] == "t", Status: row[5]}
	pid, _ := strconv.ParseUint(row[3], 10, 32) // null: nobody
	slot.ActivePID = uint32(pid)
	slot.Retained, _ = strconv.ParseInt(row[6], 10, 64) // null: lost
	slot.Confirmed, err = parseLSN(row[4])
	return slot, true, err
}

// create makes the slot, and returns the position behind which every commit is
// sent.
func (p place) create(ctx context.Context, conn *pgconn.PgConn, temporary bool) (uint64, error) {
	made, err := pglogrepl.CreateReplicationSlot(ctx, conn, quote(p.slot), plugin, pglogrepl.CreateReplicationSlotOptions{
		Temporary: temporary, Mode: pglogrepl.LogicalReplication, SnapshotAction: "NOEXPORT_SNAPSHOT",
	})
	if err != nil {
		return 0, fmt.Errorf("create slot %s: %w", p.slot, err)
	}
	return parseLSN(made.ConsistentPoint)
}

func (p place) drop(ctx context.Context, conn *pgconn.PgConn) error {
	if err := pglogrepl.DropReplicationSlot(ctx, conn, quote(p.slot), pglogrepl.DropReplicationSlotOptions{}); err != nil {
		return fmt.Errorf("drop slot %s: %w", p.slot, err)
	}
	return nil
}

func (p place) inUse(s Slot) *Failure {
	return &Failure{
		Code:  ReplicationSlotBeingUsed,
		Cause: fmt.Sprintf("slot %s is read by another connection, the server's process %d", s.Name, s.ActivePID),
		Cure:  inUseCure,
	}
}

func (p place) nameTaken(s Slot) *Failure {
	return &Failure{
		Code:  ReplicationSlotNameTaken,
		Cause: fmt.Sprintf("slot %s is one of database %q with plugin %q", s.Name, s.Database, s.Plugin),
		Cure:  "choose another SLOT_NAME_SUFFIX, or drop that slot: SELECT pg_drop_replication_slot(" + literal(s.Name) + ");",
	}
}
