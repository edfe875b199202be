package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
)

const (
	// extensionTimeout bounds one statement of an extension, in the database.
	extensionTimeout = 10 * time.Second
	// extensionWait bounds how long an extension waits for a connection.
	extensionWait = 5 * time.Second
)

// extensionAsker makes the rest of a transaction one of a member: what policies see
// of him, and his role (database.md §2.7).
const extensionAsker = `
SELECT set_config('request.jwt.claims', $1::text, true),
  set_config('request.jwt.claim.sub', $2::text, true),
  set_config('request.jwt.claim.role', $3::text, true),
  set_config('role', $3::text, true)`

// As runs f in a transaction with the role and the claims of a member. It is
// committed when f returns nil, else rolled back, and f's error is returned.
func (d *Database) As(ctx context.Context, c *tutti.Claims, f func(tutti.Tx) error) error {
	if c.Role == "" || c.Role == "none" {
		// PostgreSQL would take these for our own role.
		return fmt.Errorf("act as a member: role %q does not exist", c.Role)
	}
	return d.transact(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, extensionAsker, string(c.Raw), c.Subject, c.Role); err != nil {
			return fmt.Errorf("act as a member: %w", err)
		}
		return f(extensionTx{tx})
	})
}

// Owner runs f in a transaction with the role that we log in with.
func (d *Database) Owner(ctx context.Context, f func(tutti.Tx) error) error {
	return d.transact(ctx, func(tx pgx.Tx) error { return f(extensionTx{tx}) })
}

func (d *Database) transact(ctx context.Context, f func(pgx.Tx) error) error {
	waiting, cancel := within(ctx, extensionWait)
	conn, err := d.policies.Acquire(waiting)
	cancel()
	if err != nil {
		return fmt.Errorf("get a connection: %w", failed(err))
	}
	defer conn.Release()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", failed(err))
	}
	defer func() {
		// After a commit it does nothing; a connection that it fails on is closed.
		ending, cancel := within(context.WithoutCancel(ctx), extensionWait)
		defer cancel()
		_ = tx.Rollback(ending)
	}()
	if _, err := tx.Exec(ctx, setStatementTimeout, milliseconds(extensionTimeout)); err != nil {
		return failed(err)
	}
	if err := f(tx); err != nil {
		return failed(err)
	}
	return failed(tx.Commit(ctx))
}

// An extensionTx is a transaction as extensions know it.
type extensionTx struct{ tx pgx.Tx }

// Exec implements tutti.Tx.
func (t extensionTx) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

// Query implements tutti.Tx.
func (t extensionTx) Query(ctx context.Context, sql string, row func(scan func(dest ...any) error) error, args ...any) error {
	rows, err := t.tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// A Migration is one file of an extension.
type Migration struct{ Name, SQL string }

// A MigrationError says which file failed.
type MigrationError struct {
	Name string
	Err  error
}

// Error names the file.
func (e *MigrationError) Error() string { return "migration " + e.Name + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *MigrationError) Unwrap() error { return e.Err }

const (
	// createMigrations has no grants: it is ours alone.
	createMigrations = `
CREATE TABLE IF NOT EXISTS realtime.extension_migrations (
  extension text NOT NULL,
  name text NOT NULL,
  inserted_at timestamp NOT NULL DEFAULT timezone('utc', now()),
  PRIMARY KEY (extension, name)
)`
	hasMigrations = `SELECT to_regclass('realtime.extension_migrations') IS NOT NULL`
	hasMigration  = `SELECT EXISTS (SELECT FROM realtime.extension_migrations WHERE extension = $1 AND name = $2)`
	noteMigration = `INSERT INTO realtime.extension_migrations (extension, name) VALUES ($1, $2)`
	// lockMigrations makes nodes wait for each other. The number means nothing.
	lockMigrations = `SELECT pg_advisory_xact_lock(5871209934601275)`

	migrateTimeout = 2 * time.Minute
)

// MigrateExtension runs those of an extension's migrations that have not run, in
// their order, each in a transaction, and returns their names. Any number of nodes
// may do it at once. It prepares the database first. The error is a *Defect, or
// a *MigrationError after those before it ran.
func (d *Database) MigrateExtension(ctx context.Context, key string, migrations []Migration) (ran []string, err error) {
	ctx, cancel := within(ctx, migrateTimeout)
	defer cancel()
	if _, err := d.Prepare(ctx); err != nil {
		return nil, err
	}
	err = d.policies.AcquireFunc(ctx, func(conn connection) error {
		if err := haveMigrations(ctx, conn.Conn()); err != nil {
			return err
		}
		for _, m := range migrations {
			did, err := migrateExtension(ctx, conn.Conn(), key, m)
			if err != nil {
				return &MigrationError{m.Name, err}
			}
			if did {
				ran = append(ran, m.Name)
			}
		}
		return nil
	})
	if failure, ok := errors.AsType[*MigrationError](err); ok {
		return ran, failure
	}
	if err != nil {
		return ran, fmt.Errorf("run the migrations of an extension: %w", failed(err))
	}
	return ran, nil
}

// haveMigrations makes the table that says which have run.
func haveMigrations(ctx context.Context, conn *pgx.Conn) error {
	var there bool
	if err := conn.QueryRow(ctx, hasMigrations).Scan(&there); err != nil || there {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := run(ctx, conn.PgConn(), lockMigrations); err != nil {
			return err
		}
		return run(ctx, conn.PgConn(), createMigrations)
	})
}

func migrateExtension(ctx context.Context, conn *pgx.Conn, key string, m Migration) (did bool, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := run(ctx, conn.PgConn(), lockMigrations); err != nil {
			return err
		}
		var done bool
		if err := tx.QueryRow(ctx, hasMigration, key, m.Name).Scan(&done); err != nil || done {
			return err
		}
		if err := run(ctx, conn.PgConn(), m.SQL); err != nil {
			return err
		}
		did = true
		_, err := tx.Exec(ctx, noteMigration, key, m.Name)
		return err
	})
	return did && err == nil, err
}
