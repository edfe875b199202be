package postmastertest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(With(m, func(ctx context.Context, dsn string) error {
		return exec(ctx, dsn, "CREATE TABLE step (id int)")
	}))
}

func exec(ctx context.Context, dsn, sql string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"has what Prepare makes":               "SELECT id FROM public.todos",
		"has what a step made":                 "SELECT id FROM step",
		"is a fresh one":                       "CREATE TABLE mine (id int)",
		"is a fresh one, for another test too": "CREATE TABLE mine (id int)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := exec(t.Context(), Database(t), sql); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	server, dsn := Server(t)
	if err := server.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := exec(t.Context(), dsn, "SELECT id FROM public.todos"); err != nil {
		t.Error(err)
	}
}
