package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// A Slot is a replication slot of ours, as its database has it.
type Slot struct {
	Name        string
	Active      bool
	WalStatus   string // "reserved", "extended", "unreserved" or "lost"
	Retained    int64  // bytes of WAL that are kept for it
	Unconfirmed int64  // bytes of WAL that its reader has not confirmed yet
}

const selectOurSlots = `
WITH log AS (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS "end")
SELECT slot_name::text, active, coalesce(wal_status, ''),
  coalesce(pg_wal_lsn_diff(log."end", restart_lsn), 0)::bigint,
  greatest(coalesce(pg_wal_lsn_diff(log."end", confirmed_flush_lsn), 0), 0)::bigint
FROM pg_replication_slots, log WHERE (strpos(slot_name::text, 'realtime') > 0 OR slot_name = $1) AND database = current_database()
ORDER BY slot_name`

// Slots returns the replication slots in the database with "realtime" in their
// names, and the one that is ours. The context bounds it.
func (d *Database) Slots(ctx context.Context, ours string) (all []Slot, err error) {
	err = d.policies.AcquireFunc(ctx, func(conn connection) error {
		rows, _ := conn.Conn().Query(ctx, selectOurSlots, pgx.QueryExecModeExec, ours)
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Slot])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the replication slots: %w", failed(err))
	}
	return all, nil
}
