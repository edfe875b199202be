package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// tellTenant says that a tenant changed to all who listen. An id that has no
// room in a notification becomes none, which means all tenants. The triggers
// say the same, and PostgreSQL delivers what is said twice in a transaction
// once; but a trigger can be switched off.
const tellTenant = `SELECT pg_notify('tutti_tenants', CASE WHEN octet_length($1::text) < 8000 THEN $1::text ELSE '' END)`

func tell(ctx context.Context, tx pgx.Tx, externalID string) error {
	if _, err := tx.Exec(ctx, tellTenant, externalID); err != nil {
		return fmt.Errorf("tell of the change: %w", err)
	}
	return nil
}

const (
	// Between attempts to listen. The last is less than a tenant is remembered
	// for, so that a short outage of the database costs little.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second

	// silence is how long nothing is heard before the connection is tried: a
	// firewall or a failed host ends one without a word.
	silence = 10 * time.Second

	// Changes that come close together are told together: a batch ends when
	// nothing came for a moment, or with so many.
	moment    = 5 * time.Millisecond
	batchSize = 500
)

// Listen calls changed with the sorted external ids of tenants that were
// created, changed or deleted, by whomever, until ctx ends, and returns why it
// did. Nil ids mean that any tenant may have changed: this is so whenever it has
// begun to listen, since nobody knows what happened before. It has a connection
// of its own, and connects again when that is lost. Changes wait while changed
// runs.
func (c *Control) Listen(ctx context.Context, changed func(ids []string)) error {
	retry := firstRetry
	for {
		began := false
		err := c.listen(ctx, func(ids []string) {
			began = true
			changed(ids)
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if began {
			retry = firstRetry
		}
		if retry == firstRetry { // the first of a row
			c.log().WarnContext(ctx, "changes of tenants are not heard, trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(retry):
		}
		retry = min(2*retry, lastRetry)
	}
}

// listen listens until the connection or ctx ends.
func (c *Control) listen(ctx context.Context, changed func(ids []string)) error {
	config, err := c.config.connConfig()
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return failed(err)
	}
	defer hangUp(ctx, conn)
	if err := c.beginListening(ctx, conn); err != nil {
		return err
	}
	changed(nil)
	for {
		ids, err := c.hear(ctx, conn)
		if err != nil {
			return err
		}
		switch {
		case len(ids) == 0:
		case ids[0] == "": // any tenant, and so the others too
			changed(nil)
		default:
			changed(ids)
		}
	}
}

// hangUp says goodbye, for a moment even when ctx has ended.
func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := within(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	conn.Close(ctx)
}

func (c *Control) beginListening(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := within(ctx, c.config.Timeout)
	defer cancel()
	if _, err := conn.Exec(ctx, "LISTEN tutti_tenants"); err != nil {
		return fmt.Errorf("listen: %w", failed(err))
	}
	return nil
}

// hear waits for changes and returns those that came together, sorted. It
// returns none when nothing came for long and the connection is well.
func (c *Control) hear(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	first, err := await(ctx, conn, c.silence)
	if err != nil {
		return nil, err
	}
	if first == nil {
		ctx, cancel := within(ctx, c.config.Timeout)
		defer cancel()
		return nil, failed(conn.Ping(ctx))
	}
	ids := []string{first.Payload}
	for len(ids) < batchSize {
		next, err := await(ctx, conn, moment)
		if err != nil || next == nil {
			break // the error will be there again, once these are told
		}
		ids = append(ids, next.Payload)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// await returns the next notification, or nil when none comes in time.
func await(ctx context.Context, conn *pgx.Conn, limit time.Duration) (*pgconn.Notification, error) {
	waiting, cancel := within(ctx, limit)
	defer cancel()
	n, err := conn.WaitForNotification(waiting)
	if err != nil && ctx.Err() == nil && pgconn.Timeout(err) {
		return nil, nil
	}
	return n, err
}
