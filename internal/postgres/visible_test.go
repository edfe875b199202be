package postgres

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// rowsSettings returns where a fresh database with the roles of Supabase is.
func rowsSettings(t testing.TB) tutti.Database {
	t.Helper()
	c, err := pgx.ParseConfig(postmastertest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	return tutti.Database{Host: c.Host, Port: c.Port, Name: c.Database, User: c.User, Password: c.Password, Pool: 1}
}

func rowsOpen(t testing.TB, settings tutti.Database) *Database {
	t.Helper()
	d, err := OpenDatabase(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// rowsDatabase returns a fresh database in which statements have been run.
func rowsDatabase(t testing.TB, statements ...string) *Database {
	t.Helper()
	d := rowsOpen(t, rowsSettings(t))
	rowsExec(t, d, statements...)
	return d
}

func rowsExec(t testing.TB, d *Database, statements ...string) {
	t.Helper()
	conn := rowsStranger(t, d)
	defer conn.Close(t.Context())
	for _, s := range statements {
		if _, err := conn.PgConn().Exec(t.Context(), s).ReadAll(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func rowsStranger(t testing.TB, d *Database) *pgx.Conn {
	t.Helper()
	config := d.config.Copy()
	config.RuntimeParams["application_name"] = "psql"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// rowsCatalog returns the catalog of the publication p for the roles of Supabase.
func rowsCatalog(t testing.TB, d *Database) *Catalog {
	t.Helper()
	c, err := d.Catalog(t.Context(), "p", []string{"anon", "authenticated", "service_role"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rowsTable returns a published table of the schema public.
func rowsTable(t testing.TB, d *Database, name string) *Relation {
	t.Helper()
	for _, r := range rowsCatalog(t, d).Relations {
		if r.Schema == "public" && r.Name == name {
			return r
		}
	}
	t.Fatalf("table %s is not published", name)
	return nil
}

// rowsUser returns a viewer whose auth.uid() ends with n.
func rowsUser(n int) *Viewer {
	return &Viewer{Role: "authenticated", Claims: fmt.Appendf(nil, `{"role": "authenticated", "sub": "%s"}`, rowsUID(n))}
}

func rowsUID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// rowsExecLater is rowsExec for cleanups, in which the test's context has ended.
func rowsExecLater(t testing.TB, d *Database, statements ...string) {
	t.Helper()
	conn, err := pgx.ConnectConfig(context.Background(), d.config.Copy())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, s := range statements {
		if _, err := conn.Exec(context.Background(), s); err != nil {
			t.Error(err)
		}
	}
}
