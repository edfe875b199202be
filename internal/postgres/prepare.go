package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// MessagesPublication is what the feed of messages reads. The publication does
// not publish via the root, so its rows come from the partitions, under the
// names of these: realtime.messages_2026_11_25.
const MessagesPublication = "supabase_realtime_messages_publication"

//go:embed tenant_migrations/*.sql
var tenantMigrations embed.FS

// prepareLock makes the nodes that change a tenant's database wait for each
// other. The number means nothing; partitions.sql has it too.
const prepareLock = "5871209934601274"

const (
	prepareTimeout = 30 * time.Second // all of Prepare

	// ddlLockTimeout bounds how long a statement that changes the shape of
	// something waits for a lock, in PostgreSQL's notation: whoever comes after it
	// waits as long. It fails then, and is tried again later.
	ddlLockTimeout = "2s"
)

// A Report is what Prepare did and what it left.
type Report struct {
	Made    []string  // what was missing and is there now, such as "table messages"
	Defects []*Defect // what keeps some from working; the rest does
}

// Prepare sees to it that the tenant's database has what private channels,
// messages of the database and replay need, and that we may use it
// (database.md §2). What is there is never dropped or replaced, whoever made it,
// and it does not count which migrations the reference noted: each object is
// looked for. When nothing is missing that costs one round trip. Any number of
// nodes may do it at once. The error is a *Defect where somebody can do
// something about it, and then nothing was changed.
//
// realtime.schema_migrations is not made. A database that the reference prepared
// stays one to which it can return at any time. One that was empty before us is
// not: all ways in which the reference starts from nothing create messages and
// its functions without asking whether they exist, and to claim its migrations
// would leave it without the objects that it alone uses. It starts once the
// schema realtime is dropped, which also drops the policies on messages.
func (d *Database) Prepare(ctx context.Context) (Report, error) {
	ctx, cancel := within(ctx, prepareTimeout)
	defer cancel()
	var report Report
	err := d.policies.AcquireFunc(ctx, func(conn connection) error {
		s, err := look(ctx, conn)
		if err != nil {
			return err
		}
		if s.complete() {
			report.Defects = s.defects()
			return orNil(s.obstacle())
		}
		report, err = prepare(ctx, conn.Conn())
		return err
	})
	if defect, ok := errors.AsType[*Defect](err); ok {
		return Report{}, defect
	}
	if err != nil {
		return Report{}, fmt.Errorf("prepare the database: %w", failed(err))
	}
	return report, nil
}

// prepare makes what is missing, all or nothing.
func prepare(ctx context.Context, conn *pgx.Conn) (report Report, err error) {
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if err := run(ctx, conn.PgConn(), startDDL); err != nil {
			return err
		}
		s, err := look(ctx, tx)
		if err != nil {
			return err
		}
		if d := s.obstacle(); d != nil {
			return d
		}
		for _, step := range s.missing() {
			if err := runFile(ctx, conn.PgConn(), step.file); err != nil {
				return s.refused(step, err)
			}
			report.Made = append(report.Made, step.makes)
		}
		n, err := partition(ctx, conn.PgConn(), "")
		if err != nil {
			return s.refused(step{makes: "partitions of messages"}, err)
		}
		if n > 0 {
			report.Made = append(report.Made, strconv.Itoa(n)+" partitions of messages")
		}
		// Rights may be other than before: those of what we made are ours.
		if s, err = look(ctx, tx); err != nil {
			return err
		}
		report.Defects = s.defects()
		return orNil(s.obstacle())
	})
	if err != nil {
		return Report{}, err
	}
	return report, nil
}

// orNil returns a nil error for no defect.
func orNil(d *Defect) error {
	if d == nil {
		return nil
	}
	return d
}

const startDDL = "SELECT set_config('lock_timeout', '" + ddlLockTimeout + "', true); " +
	"SELECT pg_advisory_xact_lock(" + prepareLock + ")"

// run runs statements with semicolons between them.
func run(ctx context.Context, conn *pgconn.PgConn, statements string) error {
	_, err := conn.Exec(ctx, statements).ReadAll()
	return err
}

func runFile(ctx context.Context, conn *pgconn.PgConn, name string) error {
	text, err := tenantMigrations.ReadFile("tenant_migrations/" + name + ".sql")
	if err != nil {
		return err
	}
	return run(ctx, conn, string(text))
}
