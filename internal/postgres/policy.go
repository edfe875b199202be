package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// probeTimeout bounds each statement of a probe, in the database. A policy
	// that takes longer refuses.
	probeTimeout = 5 * time.Second

	// poolWait bounds how long a probe waits for a connection that is free.
	poolWait = 5 * time.Second
)

// An Asker is somebody who wants to use a private topic.
type Asker struct {
	Topic   string // without "realtime:"
	Role    string // of the database, from the token
	Subject string // claim "sub"; "" when absent
	Claims  []byte // JSON of all claims
	Headers []byte // JSON object of HTTP headers; empty means none
}

// A Permission says what of a topic an Asker may read, or write.
type Permission struct{ Broadcast, Presence bool }

// MayRead returns what of a topic the asker may read by the policies on
// realtime.messages (database.md §4.2): broadcasts, and presence if it is asked
// for. It takes one round trip, and one more where a partition has to be made.
//
// Who may read nothing is no error. An error is a *Refusal, and a
// *tutti.Error inside, unless ctx ended first.
func (d *Database) MayRead(ctx context.Context, a Asker, presence bool) (Permission, error) {
	read, _, err := d.prober().ask(ctx, &wish{Asker: a, presence: presence, read: true})
	return read, err
}

// MayWrite returns what the asker may write to a topic. Otherwise it is like
// MayRead.
func (d *Database) MayWrite(ctx context.Context, a Asker, presence bool) (Permission, error) {
	_, write, err := d.prober().ask(ctx, &wish{Asker: a, presence: presence, write: true})
	return write, err
}

// MayUse answers MayRead and MayWrite in one round trip. If either is an error
// both are.
func (d *Database) MayUse(ctx context.Context, a Asker, presence bool) (read, write Permission, err error) {
	return d.prober().ask(ctx, &wish{Asker: a, presence: presence, read: true, write: true})
}

func (d *Database) prober() *prober {
	return &prober{pool: d.policies, wait: poolWait, statement: probeTimeout}
}

// A prober asks PostgreSQL what its policies allow: it writes rows and looks
// whether that succeeds, or whether they can be seen, and takes all back.
//
// Policies may look at the row, so there must be one. It costs dead tuples and
// WAL; only where it were proven that no policy looks at the row could a probe
// do without.
type prober struct {
	pool      *pgxpool.Pool
	wait      time.Duration // for a connection
	statement time.Duration // for each statement
}

// A wish is what one probe answers.
type wish struct {
	Asker
	presence, read, write bool
}

// ask answers a wish. A probe leaves nothing behind, so what a lost
// connection cut short is asked once more on another.
func (p *prober) ask(ctx context.Context, q *wish) (read, write Permission, err error) {
	if q.Role == "" || q.Role == "none" {
		// PostgreSQL would take these for our own role.
		return read, write, q.refused(fmt.Errorf("role %q does not exist", q.Role))
	}
	partitions := false
	for attempt := 1; ; attempt++ {
		read, write, err = p.try(ctx, q, partitions)
		var none *pgconn.PgError
		switch {
		case err == nil:
			return read, write, nil
		case ctx.Err() != nil:
			return Permission{}, Permission{}, fmt.Errorf("ask policies: %w", context.Cause(ctx))
		case attempt == 1 && errors.As(err, &none) && noPartition(none):
			partitions = true
		case attempt == 1 && errors.Is(err, errLost):
		default:
			return Permission{}, Permission{}, q.refused(err)
		}
	}
}

// errLost says that a connection ended while it was in use.
var errLost = errors.New("connection lost")

func (p *prober) try(ctx context.Context, q *wish, partitions bool) (read, write Permission, err error) {
	conn, err := p.acquire(ctx)
	if err != nil {
		return read, write, err
	}
	defer conn.Release()
	// What the database does not bound itself, such as its own silence.
	ctx, cancel := within(ctx, 4*p.statement+time.Second)
	defer cancel()
	timeout := milliseconds(p.statement)
	if err := prepareProbes(ctx, conn.Conn().PgConn(), timeout); err != nil {
		return read, write, lost(ctx, conn, fmt.Errorf("prepare probes: %w", err))
	}
	probe := newProbe(q, timeout)
	if partitions {
		if err := probe.partitionsFirst(); err != nil {
			return read, write, err
		}
	}
	answers, err := send(ctx, conn.Conn().PgConn(), probe.parts)
	if err != nil {
		return read, write, lost(ctx, conn, err)
	}
	return probe.judge(answers)
}

// errPoolEmpty says that all connections were in use for too long.
var errPoolEmpty = errors.New("no connection of the pool was free")

// errConnect says that there is no new connection.
var errConnect = errors.New("connect to the database")

func (p *prober) acquire(ctx context.Context) (connection, error) {
	waiting, cancel := within(ctx, p.wait)
	defer cancel()
	conn, err := p.pool.Acquire(waiting)
	if err == nil {
		return conn, nil
	}
	if stat := p.pool.Stat(); waiting.Err() != nil && stat.AcquiredConns() == stat.MaxConns() {
		return nil, fmt.Errorf("%w within %v: %w", errPoolEmpty, p.wait, err)
	}
	return nil, fmt.Errorf("%w: %w", errConnect, err)
}

// lost marks an error that came with the end of the connection.
func lost(ctx context.Context, conn connection, err error) error {
	switch {
	case !conn.Conn().IsClosed():
		return err
	case ctx.Err() != nil: // we ended it: another would not be better
		return fmt.Errorf("%w: no answer: %w", errConnect, err)
	}
	return fmt.Errorf("%w: %w", errLost, err)
}

// probesPrepared is what a connection is marked with.
const probesPrepared = "tutti probes"

// prepareProbes takes a round trip on a connection's first probe only. The
// timeout bounds that too: it may have to wait for a lock of the table.
func prepareProbes(ctx context.Context, conn *pgconn.PgConn, timeout string) error {
	if conn.CustomData()[probesPrepared] != nil {
		return nil
	}
	pipeline := conn.StartPipeline(ctx)
	pipeline.SendQueryParams(setStatementTimeout, [][]byte{[]byte(timeout)}, nil, nil, nil)
	for _, s := range probeStatements {
		pipeline.SendDeallocate(s.name) // left by an attempt that failed
		pipeline.SendPrepare(s.name, s.sql, nil)
	}
	pipeline.SendPipelineSync()
	answers, err := receive(pipeline, 1)
	if err != nil {
		return err
	}
	if answers[0].err != nil {
		return answers[0].err
	}
	conn.CustomData()[probesPrepared] = true
	return nil
}
