package wal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// impatient makes the server of a database send, and time out, every so often.
func impatient(t *testing.T, conn *pgx.Conn, timeout string) {
	t.Helper()
	psql(t, conn, fmt.Sprintf("ALTER ROLE supabase_admin IN DATABASE %s SET wal_sender_timeout = '%s'", conn.Config().Database, timeout))
}

// A network that swallows everything, without a word.
func TestASilentServerIsGivenUp(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, numbers)
	impatient(t, conn, "3s")
	r := feed(t, dsn)
	p := behind(t, r.Config)
	r.run(t)
	await[Live](t, r)
	psql(t, conn, "INSERT INTO n VALUES (1)")
	r.expect(t, 1)
	<-time.After(4 * time.Second) // of quiet, in which it must not lose patience
	if n := len(r.states); n != 0 {
		t.Errorf("%d states of a feed that is only idle", n)
	}
	p.lose()
	lost := time.Now()
	psql(t, conn, "INSERT INTO n VALUES (2)")
	if f := await[Down](t, r).Failure; f.Code != DatabaseUnavailable || !errors.Is(f, errSilent) {
		t.Errorf("it is down by %v", f)
	}
	r.expect(t, 2)
	if took := time.Since(lost); took < 2*time.Second || took > 15*time.Second {
		t.Errorf("the row behind the outage has come after %v", took)
	}
}

// The server holds the slot for a connection that the network has lost.
func TestAGhostIsEnded(t *testing.T) {
	t.Parallel()
	for name, temporary := range map[string]bool{"of a slot that stays": false, "of a temporary slot": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := postmastertest.Database(t)
			conn := open(t, dsn)
			psql(t, conn, numbers)
			impatient(t, conn, "5min")
			r := feed(t, dsn)
			r.Temporary = temporary
			p := behind(t, r.Config)
			r.run(t)
			await[Live](t, r)
			ghost := active(t, conn, r.Slot)
			p.halve()
			if f := await[Down](t, r).Failure; f.Code != DatabaseUnavailable {
				t.Errorf("it is down by %v", f)
			}
			await[Live](t, r)
			if now := active(t, conn, r.Slot); now == ghost || now == 0 {
				t.Errorf("the slot is read by process %d, and was by %d", now, ghost)
			}
			psql(t, conn, "INSERT INTO n VALUES (1)")
			r.expect(t, 1)
		})
	}
}

// active returns the process that reads from a slot, 0 if none does.
func active(t *testing.T, conn *pgx.Conn, slot string) int {
	t.Helper()
	return value[int](t, conn, "SELECT coalesce(max(active_pid), 0) FROM pg_replication_slots WHERE slot_name = $1", slot)
}

// Who may not end it waits, and says for what.
func TestAGhostThatMayNotBeEnded(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	role := slotOf(t, dsn) // roles too are of the whole server
	psql(t, conn, numbers, "REVOKE EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint) FROM public",
		fmt.Sprintf("CREATE ROLE %s LOGIN REPLICATION PASSWORD 'plain'", role))
	r := feed(t, dsn)
	r.Config.User, r.Config.Password = role, "plain"
	p := behind(t, r.Config)
	r.run(t)
	await[Live](t, r)
	ghost := active(t, conn, r.Slot)
	p.halve()
	await[Down](t, r)
	f := await[Down](t, r).Failure
	for _, says := range []string{fmt.Sprint(ghost), "earlier connection", role, "permission denied", "wal_sender_timeout"} {
		if !strings.Contains(f.Error(), says) {
			t.Errorf("%v, which does not say %q", f, says)
		}
	}
	if f.Code != ReplicationSlotBeingUsed {
		t.Errorf("the code is %s", f.Code)
	}
	psql(t, conn, fmt.Sprintf("SELECT pg_terminate_backend(%d)", ghost)) // as its wal_sender_timeout would
	await[Live](t, r)
	r.finish()
}

func TestHowLongAServerMayBeSilent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ timeout, every, silence time.Duration }{
		"as PostgreSQL comes":  {time.Minute, time.Second, 45 * time.Second},
		"with a short timeout": {300 * time.Millisecond, 100 * time.Millisecond, 225 * time.Millisecond},
		"without one":          {0, time.Second, longestSilence},
		"with one of a day":    {24 * time.Hour, time.Second, longestSilence},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server{timeout: tt.timeout}
			if s.every() != tt.every || s.silence() != tt.silence {
				t.Errorf("it is every %v and %v, want %v and %v", s.every(), s.silence(), tt.every, tt.silence)
			}
		})
	}
}
