package wal

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// until a failure of a code, of which others may come before.
func (r *runner) fails(t *testing.T, code string) *Failure {
	t.Helper()
	for range 100 {
		if f := await[Down](t, r).Failure; f.Code == code {
			return f
		}
	}
	t.Fatalf("it does not fail with %s", code)
	return nil
}

// says reports what a failure must say.
func says(t *testing.T, f *Failure, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(f.Cause+"; "+f.Cure, word) {
			t.Errorf("%v, which does not say %q", f, word)
		}
	}
}

// A feed's connection counts neither for max_connections nor for a role's limit,
// but a server takes no more than twice all that it may have, whoever they are.
func TestNoConnectionIsFree(t *testing.T) {
	t.Parallel()
	dsn := serverWith(t, map[string]string{
		"max_connections": "6", "superuser_reserved_connections": "0", "max_wal_senders": "1", "max_worker_processes": "1",
		"autovacuum": "off", "autovacuum_max_workers": "1", "authentication_timeout": "600",
	})
	conn := open(t, dsn)
	psql(t, conn, numbers)
	r := feed(t, dsn)
	at := net.JoinHostPort(r.Config.Host, fmt.Sprint(r.Config.Port))
	var dialed []net.Conn
	hangUpAll := func() {
		for _, c := range dialed {
			c.Close()
		}
	}
	defer hangUpAll()
	for range 40 { // who never say who they are
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		dialed = append(dialed, c)
	}
	r.run(t)
	says(t, r.fails(t, ConnectionsExhausted), "max_connections")
	hangUpAll()
	await[Live](t, r)
}

func TestADatabaseThatComesAndGoes(t *testing.T) {
	t.Parallel()
	_, dsn := postmastertest.Server(t)
	admin := open(t, dsn)
	dsn = strings.Replace(dsn, "/postgres?", "/later?", 1)
	r := feed(t, dsn)
	r.run(t)
	says(t, r.fails(t, DatabaseNotFound), "later", "db_name")
	write := func(id int) {
		conn := open(t, dsn)
		if id == 1 || id == 3 {
			psql(t, conn, numbers)
		}
		psql(t, conn, fmt.Sprintf("INSERT INTO n VALUES (%d)", id))
		conn.Close(t.Context())
	}
	psql(t, admin, "CREATE DATABASE later")
	await[Live](t, r)
	write(1)
	r.expect(t, 1)

	psql(t, admin, "ALTER DATABASE later ALLOW_CONNECTIONS false")
	cut(t, admin, r.Slot)
	until(t, "it says that it may not connect", func() bool {
		return strings.Contains(await[Down](t, r).Failure.Cure, "ALLOW_CONNECTIONS")
	})
	psql(t, admin, "ALTER DATABASE later ALLOW_CONNECTIONS true")
	await[Live](t, r)
	write(2)
	r.expect(t, 2)

	// With its slot in use a database cannot be dropped; so its door is closed, its
	// readers are thrown out, and then it goes, with its slots.
	psql(t, admin, "ALTER DATABASE later ALLOW_CONNECTIONS false")
	cut(t, admin, r.Slot)
	until(t, "the slot is free", func() bool {
		return value[int](t, admin, "SELECT count(active_pid)::int FROM pg_replication_slots") == 0
	})
	psql(t, admin, "DROP DATABASE later")
	r.fails(t, DatabaseNotFound)
	psql(t, admin, "CREATE DATABASE later")
	if lost := await[Lost](t, r); lost.From == 0 || lost.To <= lost.From {
		t.Errorf("what is lost with the database is %+v", lost)
	}
	await[Live](t, r)
	write(3)
	r.expect(t, 3)
}

func TestTheServerDoesNotAdmitUs(t *testing.T) {
	t.Parallel()
	_, dsn := postmastertest.Server(t)
	conn := open(t, dsn)
	psql(t, conn, numbers)
	file := value[string](t, conn, "SHOW hba_file")
	admit := func(line string) {
		psql(t, conn, fmt.Sprintf("COPY (SELECT %s) TO %s", literal(line), literal(file)), "SELECT pg_reload_conf()")
	}
	admit("host postgres nobody 127.0.0.1/32 trust")
	r := feed(t, dsn)
	until(t, "the server has read the file", func() bool {
		c, err := pgx.Connect(t.Context(), dsn)
		if err == nil {
			c.Close(t.Context())
		}
		return err != nil
	})
	r.run(t)
	says(t, r.fails(t, DatabaseAuthFailed), "pg_hba.conf", "supabase_admin", "pg_reload_conf")
	admit("host all all 127.0.0.1/32 scram-sha-256")
	await[Live](t, r)
}
