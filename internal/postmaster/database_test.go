//go:build unix

package postmaster

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

func TestClone(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	admin := s.DSN("postgres")
	template, _, err := Clone(t.Context(), admin, "template0")
	if err != nil {
		t.Fatal(err)
	}
	name := template[strings.LastIndex(template, "/")+1 : strings.Index(template, "?")]
	ask(t, template, "CREATE TABLE kept AS SELECT 'x' AS v; SELECT v FROM kept")

	for _, test := range []string{"one", "another"} {
		t.Run("each has "+test+" copy, and drop throws its users out", func(t *testing.T) {
			t.Parallel()
			dsn, drop, err := Clone(t.Context(), admin, name)
			if err != nil {
				t.Fatal(err)
			}
			if got := ask(t, dsn, "UPDATE kept SET v = v || 'y' RETURNING v"); got != "xy" {
				t.Errorf("the copy says %q, want xy", got)
			}
			slot := "slot_" + test
			stream(t, dsn, slot)
			for range 2 {
				if err := drop(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := ask(t, admin, "SELECT count(*)::text FROM pg_replication_slots WHERE slot_name = '"+slot+"'"); got != "0" {
				t.Error("its replication slot is still there")
			}
			if conn, err := pgx.Connect(t.Context(), dsn); err == nil {
				conn.Close(t.Context())
				t.Error("the database is still there")
			}
		})
	}
}

// stream makes a replication client of dsn that never reads what it is sent.
func stream(t *testing.T, dsn, slot string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn+"&replication=database")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	for _, sql := range []string{
		"CREATE_REPLICATION_SLOT " + slot + " LOGICAL pgoutput NOEXPORT_SNAPSHOT",
		"CREATE PUBLICATION p FOR ALL TABLES",
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	start := "START_REPLICATION SLOT " + slot + " LOGICAL 0/0 (proto_version '1', publication_names 'p')"
	conn.PgConn().Frontend().SendQuery(&pgproto3.Query{String: start})
	if err := conn.PgConn().Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().ReceiveMessage(t.Context()); err != nil { // it streams now
		t.Fatal(err)
	}
}

func TestCloneWithABadAddressShowsNoPassword(t *testing.T) {
	t.Parallel()
	_, _, err := Clone(t.Context(), "host=127.0.0.1 password=secret", "template0")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error is %v", err)
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	dsn := s.DSN("postgres")
	for range 2 { // a second time changes nothing
		if err := Prepare(t.Context(), dsn); err != nil {
			t.Fatal(err)
		}
	}
	const ann, bob = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
	const insert = "INSERT INTO todos (title) VALUES ('practise') RETURNING title"
	ask(t, dsn, "INSERT INTO todos (user_id, title) VALUES ('"+bob+"', 'tune') RETURNING title")

	for name, tt := range map[string]struct{ role, claims, sql, want string }{
		"a user adds a to-do":                 {"authenticated", `{"sub":"` + ann + `"}`, insert, "practise"},
		"a user sees their own":               {"authenticated", `{"sub":"` + bob + `"}`, "SELECT string_agg(title, ',') FROM todos", "tune"},
		"a user does not see another's":       {"authenticated", `{"sub":"` + ann + `"}`, "SELECT count(*)::text FROM todos", "0"},
		"a user adds none for another":        {"authenticated", `{"sub":"` + ann + `"}`, "INSERT INTO todos (user_id, title) VALUES ('" + bob + "', 'x') RETURNING title", "42501"},
		"nobody in particular sees none":      {"anon", `{"role":"anon"}`, "SELECT count(*)::text FROM todos", "0"},
		"nobody in particular adds none":      {"anon", `{"role":"anon"}`, insert, "42501"},
		"the service sees all":                {"service_role", `{}`, "SELECT count(*)::text FROM todos", "1"},
		"uid is the subject":                  {"anon", `{"sub":"` + ann + `"}`, "SELECT auth.uid()::text", ann},
		"uid is null without claims":          {"anon", ``, "SELECT auth.uid()::text", "NULL"},
		"role is the role of the token":       {"anon", `{"role":"r"}`, "SELECT auth.role()", "r"},
		"email is the address":                {"anon", `{"email":"a@b.c"}`, "SELECT auth.email()", "a@b.c"},
		"jwt is all claims":                   {"anon", `{"a":{"b":1}}`, "SELECT auth.jwt() #>> '{a,b}'", "1"},
		"jwt is null without claims":          {"anon", ``, "SELECT auth.jwt()::text", "NULL"},
		"postgres adds columns to the table":  {"postgres", ``, "ALTER TABLE todos ADD note text; SELECT 'done'", "done"},
		"postgres publishes further tables":   {"postgres", ``, "CREATE TABLE more (id int); ALTER PUBLICATION supabase_realtime ADD TABLE more; SELECT 'done'", "done"},
		"a user may use what postgres makes":  {"postgres", ``, "CREATE TABLE more (id int); SELECT has_table_privilege('authenticated', 'more', 'INSERT')::text", "true"},
		"the example is published":            {"anon", ``, "SELECT tablename::text FROM pg_publication_tables WHERE pubname = 'supabase_realtime'", "todos"},
		"only the service role bypasses rows": {"anon", ``, "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolbypassrls AND rolname IN ('anon', 'authenticated', 'authenticator', 'service_role')", "service_role"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := as(t, dsn, tt.role, tt.claims, tt.sql); !strings.HasPrefix(got, tt.want) && !strings.Contains(got, "SQLSTATE "+tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	for _, login := range []string{"postgres", "authenticator"} {
		t.Run(login+" logs in with our password", func(t *testing.T) {
			if got := ask(t, strings.Replace(dsn, Superuser, login, 1), "SELECT current_user::text"); got != login {
				t.Errorf("got %s", got)
			}
		})
	}
}

// as runs sql as the server does: in a transaction, with the role and the claims
// of a client. It returns the last value, or the error, and undoes all.
func as(t *testing.T, dsn, role, claims, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) // undoes the transaction
	_, err = conn.Exec(t.Context(), "BEGIN")
	if err == nil {
		_, err = conn.Exec(t.Context(), "SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true)", role, claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		return err.Error()
	}
	return lastValue(results)
}

func BenchmarkClone(b *testing.B) {
	s := start(b, Config{})
	admin := s.DSN("postgres")
	for b.Loop() {
		_, drop, err := Clone(b.Context(), admin, "template1")
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := drop(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
