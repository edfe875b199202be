package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti"
)

// everything asks for all there is.
func everything(role string) *wish {
	return &wish{Asker: Asker{Topic: "room", Role: role}, presence: true, read: true, write: true}
}

func TestASleepingPolicyIsCutShort(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, `CREATE FUNCTION slow() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN true; END $$;
		CREATE POLICY one ON realtime.messages USING (slow())`)
	quick := p.prober()
	quick.statement = 50 * time.Millisecond
	start := time.Now()
	if _, _, err := quick.ask(t.Context(), everything("anon")); !refusedWith(err, tutti.QueryCanceled) {
		t.Errorf("it says %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if timeout := messagesPooled[string](t, p, "SHOW statement_timeout"); timeout != "0" {
		t.Errorf("the connection is left with a timeout of %s", timeout)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.MayRead(ctx, Asker{Topic: "room", Role: "anon"}, true); !errors.Is(err, context.DeadlineExceeded) || refusedWith(err, tutti.RlsPolicyError) {
		t.Errorf("whoever gives up is told %v", err)
	}
}

// messagesPooled returns a value as a connection of the pool has it.
func messagesPooled[T any](t testing.TB, p *messagesPlace, query string) (v T) {
	t.Helper()
	if err := p.policies.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAMissingPartitionIsMade(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, "CREATE POLICY one ON realtime.messages USING (true)")
	asker := Asker{Topic: "room", Role: "authenticated"}
	for name, ask := range map[string]func() (Permission, error){
		"when reading": func() (Permission, error) { return p.MayRead(t.Context(), asker, true) },
		"when writing": func() (Permission, error) { return p.MayWrite(t.Context(), asker, true) },
	} {
		p.exec(t, dropPartitions)
		if got, err := ask(); got != (Permission{true, true}) || err != nil {
			t.Errorf("%s: %v %v", name, got, err)
		}
		if n := messagesValue[int](t, p, countPartitions); n != 5 {
			t.Errorf("%s: %d partitions", name, n)
		}
	}
	p.exec(t, dropPartitions)
	_, p.Database = p.as(t, "BYPASSRLS", "GRANT authenticated TO LOGIN; GRANT USAGE ON SCHEMA realtime TO LOGIN; GRANT SELECT, INSERT ON realtime.messages TO LOGIN")
	if _, err := p.MayRead(t.Context(), asker, true); !refusedWith(err, tutti.MissingPartition) {
		t.Errorf("where it cannot be made: %v", err)
	}
	if _, err := p.MayWrite(t.Context(), asker, true); !refusedWith(err, tutti.MissingPartition) {
		t.Errorf("where it cannot be made: %v", err)
	}
}

const (
	countPartitions = "SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'realtime.messages'::regclass"
	dropPartitions  = `DO $$ DECLARE child regclass; BEGIN
		FOR child IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'realtime.messages'::regclass LOOP
			EXECUTE format('DROP TABLE %s', child);
		END LOOP; END $$`
)

func TestAFailedCheckOfUsersIsNoMissingPartition(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, "ALTER TABLE realtime.messages ADD CONSTRAINT short CHECK (topic <> 'room')")
	if _, _, err := p.prober().ask(t.Context(), everything("service_role")); !refusedWith(err, tutti.RlsPolicyError) {
		t.Errorf("it says %v", err)
	}
}

func TestNoConnectionIsFree(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.Database = openMessages(t, p.super.Config(), "", 1)
	conn, err := p.policies.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hurried := p.prober()
	hurried.wait = 20 * time.Millisecond
	if _, _, err := hurried.ask(t.Context(), everything("anon")); !refusedWith(err, tutti.IncreaseConnectionPool) || !errors.Is(err, tutti.ErrUnavailable) {
		t.Errorf("it says %v", err)
	}
	conn.Release()
	if _, _, err := hurried.ask(t.Context(), everything("anon")); err != nil {
		t.Errorf("then it says %v", err)
	}
}

func TestNoNewConnection(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	login, d := p.as(t, "CONNECTION LIMIT 0", minimumRights)
	if _, err := d.MayRead(t.Context(), Asker{Topic: "room", Role: "anon"}, true); !refusedWith(err, tutti.DatabaseLackOfConnections) {
		t.Errorf("none left: %v", err)
	}
	p.exec(t, "ALTER ROLE "+login+" PASSWORD 'another'")
	if _, err := d.MayRead(t.Context(), Asker{Topic: "room", Role: "anon"}, true); !refusedWith(err, tutti.UnableToConnectToProject) {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestAConnectionThatEndedIsReplaced(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, "CREATE POLICY one ON realtime.messages USING (true)")
	p.ask(t, Asker{Topic: "room", Role: "anon"}, Permission{true, true}, Permission{true, true})
	p.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'realtime_connect' AND datname = current_database()")
	p.ask(t, Asker{Topic: "room", Role: "anon"}, Permission{true, true}, Permission{true, true})
}

// What would be worst: rows that a probe wrote outside its transaction.
func TestAProbeWhoseTransactionDoesNotBeginWritesNothing(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	conn, err := pgx.Connect(t.Context(), p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := prepareProbes(t.Context(), conn.PgConn(), "5000"); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*probe){
		"BEGIN":              func(b *probe) { b.parts[0].calls[0] = call{statement: statement{sql: "SELECT 1/0"}} },
		"the timeout":        func(b *probe) { b.parts[0].calls[1].args = []string{"no number"} },
		"the savepoint":      func(b *probe) { b.parts[0].calls[2] = call{statement: statement{sql: "SELECT 1/0"}} },
		"the asker's role":   func(b *probe) { b.q.Role, b.parts[0].calls[4].args[3] = "nobody_there", "nobody_there" },
		"the row":            func(b *probe) { b.parts[0].calls[3].args[2] = "no uuid" },
		"BEGIN, for writing": func(b *probe) { b.parts = b.parts[1:] },
	} {
		probe := newProbe(everything("service_role"), "1000")
		spoil(probe)
		answers, err := send(t.Context(), conn.PgConn(), probe.parts)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if read, write, err := probe.judge(answers); err == nil || read != (Permission{}) || write != (Permission{}) {
			t.Errorf("%s fails: %v %v %v", name, read, write, err)
		}
		if n := messagesValue[int](t, p, "SELECT count(*) FROM realtime.messages"); n != 0 || conn.PgConn().TxStatus() != 'I' {
			t.Fatalf("%s fails: %d rows are left, status %c", name, n, conn.PgConn().TxStatus())
		}
	}
}

func TestALargeTokenIsAsked(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, "CREATE POLICY one ON realtime.messages USING (length(current_setting('request.jwt.claims')) > 1000000)")
	claims := []byte(`{"x":"` + strings.Repeat("x", 1_000_000) + `"}`)
	p.ask(t, Asker{Topic: "room", Role: "anon", Claims: claims}, Permission{true, true}, Permission{true, true})
}
