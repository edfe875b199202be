package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	partitionTimeout = 30 * time.Second // Partition, and Expire

	// dropLockTimeout is short: a table is dropped under a lock of messages that
	// keeps everybody out, also while it waits for those who are in.
	dropLockTimeout = "500ms"
)

// Partition makes the partitions of messages for the UTC days from yesterday to
// three days on, as far as they are missing, in one round trip. Neither readers
// nor writers wait for it. Any number of nodes may do it at once.
func (d *Database) Partition(ctx context.Context, now time.Time) (created int, err error) {
	ctx, cancel := within(ctx, partitionTimeout)
	defer cancel()
	err = d.policies.AcquireFunc(ctx, func(conn connection) error {
		created, err = partition(ctx, conn.Conn().PgConn(), now.UTC().Format(time.DateOnly))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("make partitions of messages: %w", failed(err))
	}
	return created, nil
}

// partitionsSettings are what partitions.sql takes. The statements of one
// message are one transaction, so the settings are gone after it.
const partitionsSettings = "SELECT set_config('lock_timeout', '" + ddlLockTimeout + "', true), set_config('tutti.today', '%s', true);\n"

const selectCreated = ";\nSELECT current_setting('tutti.created')"

// partition makes partitions around a day, or the server's if there is none.
func partition(ctx context.Context, conn *pgconn.PgConn, today string) (int, error) {
	text, err := partitionsSQL()
	if err != nil {
		return 0, err
	}
	results, err := conn.Exec(ctx, fmt.Sprintf(partitionsSettings, today)+text+selectCreated).ReadAll()
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(results[len(results)-1].Rows[0][0]))
}

func partitionsSQL() (string, error) {
	text, err := tenantMigrations.ReadFile("tenant_migrations/partitions.sql")
	return string(text), err
}

// selectPartitions ends with what PostgreSQL shows as the bounds.
const selectPartitions = `
SELECT c.relname::text, coalesce(pg_get_expr(c.relpartbound, c.oid), '') -- gone, for who is just being dropped
FROM pg_inherits
JOIN pg_class c ON c.oid = inhrelid
JOIN pg_namespace cn ON cn.oid = c.relnamespace AND cn.nspname = 'realtime'
JOIN pg_class m ON m.oid = inhparent AND m.relname = 'messages'
JOIN pg_namespace mn ON mn.oid = m.relnamespace AND mn.nspname = 'realtime'
ORDER BY c.relname`

// A day partition that is there.
type dayPartition struct{ Name, Bounds string }

// day returns the day of a partition that is as we make them.
func (p *dayPartition) day() (time.Time, bool) {
	day, err := time.Parse("messages_2006_01_02", p.Name)
	if err != nil {
		return time.Time{}, false
	}
	return day, p.Bounds == fmt.Sprintf("FOR VALUES FROM ('%s') TO ('%s')", midnight(day), midnight(day.AddDate(0, 0, 1)))
}

func midnight(day time.Time) string { return day.Format(time.DateTime) }

// Expire drops the partitions of days that ended retention or longer before now.
// Tables of other names or bounds are left alone. Where somebody uses messages
// for longer than we wait, what is left is dropped another time, and the error
// says so. Any number of nodes may do it at once.
func (d *Database) Expire(ctx context.Context, now time.Time, retention time.Duration) (dropped []string, err error) {
	ctx, cancel := within(ctx, partitionTimeout)
	defer cancel()
	err = d.policies.AcquireFunc(ctx, func(conn connection) error {
		dropped, err = expire(ctx, conn.Conn(), now.Add(-retention).UTC())
		return err
	})
	if err != nil {
		return dropped, fmt.Errorf("drop partitions of messages: %w", failed(err))
	}
	return dropped, nil
}

// dropPartition keeps nodes apart by a lock. One message is one transaction.
const dropPartition = "SELECT set_config('lock_timeout', '" + dropLockTimeout + "', true); " +
	"SELECT pg_advisory_xact_lock(" + prepareLock + "); DROP TABLE realtime.%s"

func expire(ctx context.Context, conn *pgx.Conn, before time.Time) (dropped []string, err error) {
	rows, _ := conn.Query(ctx, selectPartitions, pgx.QueryExecModeExec)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[dayPartition])
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if day, ok := p.day(); !ok || day.AddDate(0, 0, 1).After(before) {
			continue
		}
		err := run(ctx, conn.PgConn(), fmt.Sprintf(dropPartition, quote(p.Name)))
		if answer, ok := errors.AsType[*pgconn.PgError](err); ok && answer.Code == "42P01" {
			continue // another node was faster
		}
		if err != nil {
			return dropped, err
		}
		dropped = append(dropped, p.Name)
	}
	return dropped, nil
}
