package postmaster

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jackc/pgx/v5"
)

//go:embed prepare.sql
var prepareSQL string

// Prepare makes the database at dsn look like one of Supabase's to the SQL of
// its users: the roles, the schemas auth and extensions, the publication
// supabase_realtime, and an example table public.todos with policies. The roles
// authenticator and postgres, who may log in, get the password of dsn. It needs
// a superuser. What is there already stays; all of it happens, or nothing.
func Prepare(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("prepare the database: %w", err)
	}
	defer conn.Close(ctx)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// The script itself can take no parameter.
		if _, err := tx.Exec(ctx, "SELECT set_config('tutti.password', $1, true)", conn.Config().Password); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, prepareSQL)
		return err
	})
	if err != nil {
		return fmt.Errorf("prepare the database: %w", err)
	}
	return nil
}
