//go:build linux

package chaos

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/postmaster"
)

// tables are what clients subscribe to. Rows without an owner are for all. The
// policy of notes is one that a server can judge in memory; that of letters is
// not, as it asks another table.
const tables = `
CREATE TABLE notes (id bigint PRIMARY KEY, owner uuid, body text NOT NULL DEFAULT '');
CREATE TABLE letters (id bigint PRIMARY KEY, owner uuid, body text NOT NULL DEFAULT '');
CREATE TABLE readers (owner uuid PRIMARY KEY);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE letters ENABLE ROW LEVEL SECURITY;
CREATE POLICY "your own" ON notes FOR SELECT TO authenticated USING (owner IS NULL OR owner = auth.uid());
CREATE POLICY "of readers" ON letters FOR SELECT TO authenticated
  USING ((owner IS NULL OR owner = auth.uid()) AND EXISTS (SELECT FROM readers r WHERE r.owner = auth.uid()));
GRANT SELECT ON notes, letters, readers TO authenticated;
ALTER PUBLICATION supabase_realtime ADD TABLE notes, letters;
`

// prepare makes the database that those of the tests are copies of.
func prepare(ctx context.Context, server *postmaster.Server) (dsn string, err error) {
	dsn, _, err = postmaster.Clone(ctx, server.DSN("postgres"), "template0")
	if err != nil {
		return "", err
	}
	if err := postmaster.Prepare(ctx, dsn); err != nil {
		return "", err
	}
	return dsn, execute(ctx, dsn, tables)
}

func execute(ctx context.Context, dsn, sql string, args ...any) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("run SQL: %w", err)
	}
	return nil
}

// needPostgreSQL skips a test that is about rows where there is no PostgreSQL.
func needPostgreSQL(t *testing.T) {
	t.Helper()
	if os.Getenv(templateVariable) == "" {
		t.Skip("no PostgreSQL")
	}
}

// newDatabase returns the address of a database for a test, "" when there is no
// PostgreSQL.
func newDatabase(t *testing.T) string {
	t.Helper()
	template, err := url.Parse(os.Getenv(templateVariable))
	if err != nil || template.Path == "" {
		return ""
	}
	server := *template
	server.Path = "/postgres"
	dsn, drop, err := postmaster.Clone(t.Context(), server.String(), template.Path[1:])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return dsn
}
