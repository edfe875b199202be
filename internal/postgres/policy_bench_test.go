package postgres

import (
	"context"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A writeCounter counts what is sent to a server, message by message.
type writeCounter struct {
	net.Conn
	writes *atomic.Int64
}

func (c writeCounter) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func TestAProbeIsSentInOneGo(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, "CREATE POLICY one ON realtime.messages FOR SELECT USING (true)")
	config, err := pgx.ParseConfig(p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	var writes atomic.Int64
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return writeCounter{conn, &writes}, err
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for i, want := range []int64{1, 0} {
		before := writes.Load()
		if err := prepareProbes(t.Context(), conn.PgConn(), "5000"); err != nil {
			t.Fatal(err)
		}
		if n := writes.Load() - before; n != want {
			t.Errorf("time %d: prepared with %d messages", i+1, n)
		}
	}
	for name, wanted := range map[string]*wish{
		"read":  {Asker: Asker{Topic: "room", Role: "anon"}, presence: true, read: true},
		"write": {Asker: Asker{Topic: "room", Role: "anon"}, presence: true, write: true},
		"both":  everything("anon"),
	} {
		for _, partitions := range []bool{false, true} {
			probe := newProbe(wanted, "5000")
			if partitions {
				if err := probe.partitionsFirst(); err != nil {
					t.Fatal(err)
				}
			}
			before := writes.Load()
			answers, err := send(t.Context(), conn.PgConn(), probe.parts)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := probe.judge(answers); err != nil {
				t.Error(err)
			}
			if n := writes.Load() - before; n != 1 {
				t.Errorf("%s was sent with %d messages", name, n)
			}
		}
	}
}

// benchmarkedMessages is a database with a policy such as users write.
func benchmarkedMessages(b *testing.B) (*messagesPlace, Asker) {
	p := preparedMessages(b)
	p.exec(b, `CREATE TABLE members (room text, id uuid, PRIMARY KEY (room, id)); INSERT INTO members VALUES ('room', '`+userA+`');
		GRANT SELECT ON members TO authenticated;
		CREATE POLICY one ON realtime.messages TO authenticated
		USING (EXISTS (SELECT FROM members m WHERE m.room = realtime.topic() AND m.id = auth.uid()))`)
	p.Database = openMessages(b, p.super.Config(), "", 4)
	return p, Asker{Topic: "room", Role: "authenticated", Subject: userA, Claims: claimsOf("authenticated", userA)}
}

func BenchmarkMayRead(b *testing.B) {
	p, asker := benchmarkedMessages(b)
	for b.Loop() {
		if read, err := p.MayRead(b.Context(), asker, true); err != nil || !read.Broadcast || !read.Presence {
			b.Fatal(read, err)
		}
	}
}

func BenchmarkMayWrite(b *testing.B) {
	p, asker := benchmarkedMessages(b)
	for b.Loop() {
		if write, err := p.MayWrite(b.Context(), asker, true); err != nil || !write.Broadcast || !write.Presence {
			b.Fatal(write, err)
		}
	}
}

func BenchmarkMayUse(b *testing.B) {
	p, asker := benchmarkedMessages(b)
	for b.Loop() {
		if _, write, err := p.MayUse(b.Context(), asker, true); err != nil || !write.Broadcast {
			b.Fatal(write, err)
		}
	}
}

// Of four connections at once.
func BenchmarkMayReadParallel(b *testing.B) {
	p, asker := benchmarkedMessages(b)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 4 {
		conn, err := p.policies.Acquire(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			defer conn.Release()
			<-start
			if err := prepareProbes(b.Context(), conn.Conn().PgConn(), "5000"); err != nil {
				b.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	b.SetParallelism(4 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if read, err := p.MayRead(b.Context(), asker, true); err != nil || !read.Broadcast {
				b.Error(read, err)
				return
			}
		}
	})
}

// As database.md §4.2 says the reference does it: two transactions, statement by
// statement. Both take turns, so that what else the machine does weighs on both;
// the medians are compared.
func BenchmarkAgainstReference(b *testing.B) {
	p, asker := benchmarkedMessages(b)
	conn, err := p.policies.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	took := map[string][]time.Duration{}
	measure := func(name string, do func()) {
		start := time.Now()
		do()
		took[name] = append(took[name], time.Since(start))
	}
	for b.Loop() {
		measure("read", func() {
			if _, err := p.MayRead(b.Context(), asker, true); err != nil {
				b.Fatal(err)
			}
		})
		measure("both", func() {
			if _, _, err := p.MayUse(b.Context(), asker, true); err != nil {
				b.Fatal(err)
			}
		})
		var read time.Duration
		measure("their-read", func() { referenceRead(b, conn, asker) })
		read = took["their-read"][len(took["their-read"])-1]
		measure("their-both", func() { referenceWrite(b, conn, asker) })
		took["their-both"][len(took["their-both"])-1] += read
	}
	median := map[string]float64{}
	for name, all := range took {
		slices.Sort(all)
		median[name] = float64(all[len(all)/2].Microseconds())
		b.ReportMetric(median[name], name+"-µs")
	}
	b.ReportMetric(median["their-read"]/median["read"], "read-ratio")
	b.ReportMetric(median["their-both"]/median["both"], "both-ratio")
}

func referenceStep(b *testing.B, conn connection, sql string, args ...any) {
	if _, err := conn.Exec(b.Context(), sql, args...); err != nil {
		b.Fatal(err)
	}
}

func referenceRead(b *testing.B, conn connection, a Asker) {
	one, two := newID(), newID()
	referenceStep(b, conn, "BEGIN")
	referenceStep(b, conn, `INSERT INTO realtime.messages (topic, extension, updated_at, inserted_at, id)
		VALUES ($1, 'broadcast', timezone('utc', now()), timezone('utc', now()), $2), ($1, 'presence', timezone('utc', now()), timezone('utc', now()), $3)`, a.Topic, one, two)
	referenceStep(b, conn, probeAsker.sql, a.Topic, string(a.Claims), a.Subject, a.Role, "{}")
	referenceStep(b, conn, "SELECT id FROM realtime.messages WHERE id = ANY ($1::uuid[])", []string{one, two})
	referenceStep(b, conn, "ROLLBACK")
}

func referenceWrite(b *testing.B, conn connection, a Asker) {
	referenceStep(b, conn, "BEGIN")
	referenceStep(b, conn, probeAsker.sql, a.Topic, string(a.Claims), a.Subject, a.Role, "{}")
	for _, extension := range []string{"broadcast", "presence"} {
		referenceStep(b, conn, "SAVEPOINT one")
		referenceStep(b, conn, probeInsert.sql, a.Topic, extension, newID())
		referenceStep(b, conn, "RELEASE SAVEPOINT one")
	}
	referenceStep(b, conn, "ROLLBACK")
}
