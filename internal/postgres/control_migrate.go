package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed control_migrations/*.sql
var controlMigrations embed.FS

const (
	// migrationsTable is where we note what was run. The reference's own notes,
	// schema_migrations, are neither read nor written.
	migrationsTable = "tutti_migrations"

	// migrationLock makes the processes that migrate wait for each other. The
	// number means nothing.
	migrationLock = 5871209934601273

	// A change of a table waits for those who use it, and all who come after
	// wait for the change. Rather than that it fails, and is tried again later.
	migrationSettings = "; SET lock_timeout TO '10s'"
)

// Migrate makes the schema if it is missing, and gives it the tables that we
// need, whether there are none or those of the reference in some version. Then
// it looks whether they are right: the error names each column that is not.
// Several processes may do it at once.
func (c *Control) Migrate(ctx context.Context) error {
	config, err := c.config.connConfig()
	if err != nil {
		return err
	}
	ready := afterConnect(c.config.AfterConnect + migrationSettings)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("migrate the control database: %w", failed(err))
	}
	defer hangUp(ctx, conn)
	if err := ready(ctx, conn); err != nil {
		return fmt.Errorf("migrate the control database: %w", failed(err))
	}
	if err := makeSchema(ctx, conn); err != nil {
		return fmt.Errorf("migrate the control database: %w", failed(err))
	}
	if err := c.runMigrations(ctx, config, ready); err != nil {
		return fmt.Errorf("migrate the control database: %w", failed(err))
	}
	return checkShape(ctx, conn)
}

// makeSchema makes the first schema of the search path, unless it is there. A
// schema that is missing would be passed over, and the tables end up in the next.
func makeSchema(ctx context.Context, conn *pgx.Conn) error {
	var path string
	if err := conn.QueryRow(ctx, "SHOW search_path").Scan(&path); err != nil {
		return fmt.Errorf("look up the search path: %w", err)
	}
	first, _, _ := strings.Cut(path, ",")
	switch first = strings.TrimSpace(first); first {
	case "", `""`:
		return errors.New("the search path is empty: let DB_AFTER_CONNECT_QUERY name a schema, such as " + DefaultAfterConnect)
	case `"$user"`:
		return nil // of the user, or else what follows it
	}
	var schema string
	var there bool
	const look = `SELECT name, to_regnamespace(quote_ident(name)) IS NOT NULL FROM (SELECT (parse_ident($1))[1]) AS first (name)`
	if err := conn.QueryRow(ctx, look, first).Scan(&schema, &there); err != nil {
		return fmt.Errorf("look for schema %s: %w", first, err)
	}
	if there {
		return nil // and we may lack the right to make one
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// IF NOT EXISTS does not keep two that make it at once apart.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{schema}.Sanitize())
		return err
	})
	if err != nil {
		return fmt.Errorf("make schema %s: %w", schema, err)
	}
	return nil
}

func (c *Control) runMigrations(ctx context.Context, config *pgx.ConnConfig, ready func(context.Context, *pgx.Conn) error) error {
	files, err := fs.Sub(controlMigrations, "control_migrations")
	if err != nil {
		return err
	}
	// One process in a hundred seconds is none that we should wait for.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, 100))
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(ready))
	defer db.Close()
	migrations, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(migrationsTable),
		goose.WithSessionLocker(locker),
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	done, err := migrations.Up(ctx)
	for _, m := range done {
		c.log().InfoContext(ctx, "control database migrated", "migration", m.Source.Path, "took", m.Duration)
	}
	return err
}
