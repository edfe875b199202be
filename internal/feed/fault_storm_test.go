package feed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

// stormTables are one that all may see, and one with an owner for each row, by a
// policy that only the database can judge. Rows
// below 1000 are there to be deleted; others never are, as who may see an INSERT
// is asked when it arrives.
const stormTables = `CREATE SEQUENCE storm_ids START 1000;
	CREATE TABLE open (id bigint PRIMARY KEY, rev int, owner uuid);
	CREATE TABLE owned (id bigint PRIMARY KEY, rev int, owner uuid);
	INSERT INTO open SELECT i, 0 FROM generate_series(1, 900) i;
	INSERT INTO owned SELECT i, 0 FROM generate_series(1, 900) i;
	GRANT ALL ON open, owned TO anon, authenticated, service_role;
	ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
	CREATE FUNCTION mine(owner uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN owner = auth.uid() OR owner IS NULL; END';
	CREATE POLICY own ON owned FOR SELECT TO authenticated USING (mine(owner));
	ALTER PUBLICATION supabase_realtime ADD TABLE open, owned`

// A storm is writers that write until they are told to stop.
type storm struct {
	t       testing.TB
	dsn     string
	slot    string // whose reader knows in which order what was committed
	writing sync.WaitGroup
	stop    context.CancelFunc
}

const stormWriters = 3

// newStorm makes the tables, and a slot by which the database itself says later
// what was committed.
func newStorm(t testing.TB, dsn string) *storm {
	t.Helper()
	conn := open(t, dsn)
	psql(t, conn, stormTables)
	s := &storm{t: t, dsn: dsn, slot: "truth_" + conn.Config().Database}
	psql(t, conn, "SELECT pg_create_logical_replication_slot('"+s.slot+"', 'test_decoding')")
	conn.Close(t.Context())
	return s
}

func (s *storm) begin() {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.stop = cancel
	for i := range stormWriters {
		s.writing.Go(func() { s.write(ctx, i) })
	}
}

// end stops the writers, and writes a row that all see: the last.
func (s *storm) end() {
	s.t.Helper()
	s.stop()
	s.writing.Wait()
	conn := open(s.t, s.dsn)
	psql(s.t, conn, "INSERT INTO open VALUES (0, 0)")
	conn.Close(s.t.Context())
}

// write writes, with one connection after the other, as long as it is to.
func (s *storm) write(ctx context.Context, writer int) {
	random := rand.New(rand.NewPCG(1, uint64(writer)))
	for seed := writer; ctx.Err() == nil; {
		conn, err := pgx.Connect(ctx, s.dsn)
		for err == nil {
			seed += stormWriters
			err = s.transact(ctx, conn, random, writer, seed)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
		if conn != nil {
			conn.Close(context.Background())
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// transact writes 1 to 300 rows in a transaction, and takes one in five back.
func (s *storm) transact(ctx context.Context, conn *pgx.Conn, random *rand.Rand, writer, seed int) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.Background())
	rows := 1 + int(299*random.Float64()*random.Float64()*random.Float64())
	for _, table := range []string{"open", "owned"} {
		for _, sql := range []string{
			fmt.Sprintf(`INSERT INTO %s SELECT nextval('storm_ids'), 0, (ARRAY[NULL, '%s', '%s'])[1 + (random() * 2)::int]::uuid
				FROM generate_series(1, %d)`, table, ann, bob, rows/2+1),
			fmt.Sprintf(`UPDATE %s SET rev = rev + 1 WHERE id IN (SELECT id FROM %[1]s WHERE id >= 1000 AND id %% %d = %d ORDER BY id DESC LIMIT %d)`,
				table, stormWriters, writer, rows/2),
			fmt.Sprintf(`DELETE FROM %s WHERE id = %d`, table, seed%1000),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	if random.IntN(5) == 0 {
		return tx.Rollback(ctx)
	}
	return tx.Commit(ctx)
}

var decoded = regexp.MustCompile(`^table public\.(\w+): (\w+): id\[bigint\]:(\d+)(?: rev\[integer\]:(\d+) owner\[uuid\]:'?([^']+)'?)?`)

// truth returns the lines that somebody must have heard, as he sees the rows of
// an owner.
func (s *storm) truth(sees func(table, owner string) bool) []string {
	s.t.Helper()
	conn := open(s.t, s.dsn)
	defer conn.Close(s.t.Context())
	rows, _ := conn.Query(s.t.Context(), "SELECT data FROM pg_logical_slot_peek_changes($1, NULL, NULL, 'include-xids', '0')", s.slot)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for _, data := range all {
		m := decoded.FindStringSubmatch(data)
		if m != nil && (m[2] == "DELETE" || sees(m[1], m[5])) {
			lines = append(lines, strings.TrimSpace(strings.Join([]string{m[2], m[1], m[3], m[4]}, " ")))
		}
	}
	return lines
}

// eyes are those who watch a storm, and what they see of it.
var eyes = map[string]func(table, owner string) bool{
	"service_role": func(string, string) bool { return true },
	ann:            func(table, owner string) bool { return table == "open" || owner == ann || owner == "null" },
	bob:            func(table, owner string) bool { return table == "open" || owner == bob || owner == "null" },
	"anon":         func(table, _ string) bool { return table == "open" },
}

// A harm does something to a database, or to the way there, and returns when it
// has done it often enough.
type harm func(t testing.TB, dsn string, p *proxy)

// repeat does something every so often.
func repeat(times int, pause time.Duration, do func(i int)) {
	for i := range times {
		do(i)
		<-time.After(pause)
	}
}

// Those who stay subscribed hear all, in the order of the commits, once.
func TestAStormOfWritesWithOutages(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]harm{
		"nothing happens": func(testing.TB, string, *proxy) { repeat(1, time.Second, func(int) {}) },
		"the stream is ended again and again": func(t testing.TB, dsn string, _ *proxy) {
			conn := open(t, dsn)
			repeat(10, 150*time.Millisecond, func(int) { terminate(t, conn, sender) })
		},
		"the checks are ended again and again": func(t testing.TB, dsn string, _ *proxy) {
			conn := open(t, dsn)
			repeat(40, 30*time.Millisecond, func(int) { terminate(t, conn, checker) })
		},
		"all connections are cut": func(_ testing.TB, _ string, p *proxy) {
			repeat(12, 100*time.Millisecond, func(int) { p.cut() })
		},
		"the network is silent": func(_ testing.TB, _ string, p *proxy) {
			repeat(1, 300*time.Millisecond, func(int) {})
			p.freeze()
			repeat(1, 3*time.Second, func(int) {})
			p.thaw()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := postmastertest.Database(t)
			conn := open(t, dsn)
			psql(t, conn, "ALTER ROLE supabase_admin IN DATABASE "+conn.Config().Database+" SET wal_sender_timeout = '2s'")
			p, settings := behind(t, dsn)
			weather(t, dsn, settings, func(*node) { harm(t, dsn, p) })
		})
	}
}

func TestAStormOfWritesOnAServerThatIsKilled(t *testing.T) {
	t.Parallel()
	server, dsn := postmastertest.Server(t)
	weather(t, dsn, nil, func(*node) {
		repeat(2, 700*time.Millisecond, func(int) {
			<-time.After(300 * time.Millisecond)
			if err := server.Kill(t.Context()); err != nil {
				t.Error(err)
			}
			if err := server.Restart(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
}

// weather has a storm over a database while it is done harm, and asks those who
// were there what they have heard.
func weather(t *testing.T, dsn string, settings map[string]any, harm func(*node)) {
	t.Helper()
	s := newStorm(t, dsn)
	n := newNode(t, dsn, settings)
	watching := map[string]*witness{}
	for who := range eyes {
		watching[who] = n.witnessing(who, everything)
	}
	narrow := n.witnessing(ann+"-", `[{"event":"INSERT","schema":"public","table":"open","filter":"id=eq.0"}]`)
	s.begin()
	harm(n)
	s.end()
	for who, w := range watching {
		got := w.reach(t, "INSERT open 0 0")
		want := s.truth(eyes[who])
		compare(t, who, got, want)
		if who == "service_role" {
			t.Log(strconv.Itoa(len(want)) + " changes")
		}
		if told := w.told(); len(told) != 1 {
			t.Errorf("%s was told %q", who, told)
		}
	}
	compare(t, "one with a filter", narrow.reach(t, "INSERT open 0 0"), []string{"INSERT open 0 0"})
}
