package postgres

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func (p *messagesPlace) partitions(t testing.TB) string {
	t.Helper()
	return messagesValue[string](t, p, `SELECT coalesce(string_agg(replace(inhrelid::regclass::text, 'realtime.messages_', ''), ' ' ORDER BY 1), '')
		FROM (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'realtime.messages'::regclass ORDER BY inhrelid::regclass::text) AS children`)
}

var leapDay = time.Date(2028, 2, 28, 23, 30, 0, 0, time.FixedZone("", -2*3600)) // the 29th in UTC

func TestPartitionMakesTheWindow(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, dropPartitions)
	for i, want := range []int{5, 0} {
		if n, err := p.Partition(t.Context(), leapDay); n != want || err != nil {
			t.Errorf("call %d made %d: %v", i, n, err)
		}
	}
	if n, err := p.Partition(t.Context(), leapDay.Add(24*time.Hour)); n != 1 || err != nil {
		t.Errorf("a day later it made %d: %v", n, err)
	}
	if got := p.partitions(t); got != "2028_02_28 2028_02_29 2028_03_01 2028_03_02 2028_03_03 2028_03_04" {
		t.Errorf("there are %s", got)
	}
	p.exec(t, `INSERT INTO realtime.messages (topic, extension, inserted_at) SELECT 't', 'e', '2028-02-28'::timestamp + i * interval '1 second'
		FROM unnest(ARRAY[0, 86399, 86400]) i`)
	if leaves := messagesValue[string](t, p, `SELECT string_agg(tableoid::regclass::text, ',' ORDER BY inserted_at) FROM realtime.messages`); leaves !=
		"realtime.messages_2028_02_28,realtime.messages_2028_02_28,realtime.messages_2028_02_29" {
		t.Errorf("rows went to %s", leaves)
	}
	p.exec(t, `GRANT ALL ON ALL TABLES IN SCHEMA realtime TO anon; SET ROLE anon`)
	if n := messagesValue[int](t, p, `SELECT count(*) FROM realtime.messages_2028_02_28`); n != 0 {
		t.Error("by its own name a partition shows what no policy allows")
	}
}

func TestSeveralNodesPartitionAtOnce(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, dropPartitions)
	var wg sync.WaitGroup
	made := make([]int, 4)
	dropped := make([][]string, 4)
	for i := range made {
		wg.Go(func() {
			n, err := p.Partition(t.Context(), leapDay)
			if err != nil {
				t.Error(err)
			}
			made[i] = n
		})
	}
	wg.Wait()
	for i := range dropped {
		wg.Go(func() {
			names, err := p.Expire(t.Context(), leapDay.AddDate(0, 0, 3), 0)
			if err != nil {
				t.Error(err)
			}
			dropped[i] = names
		})
	}
	wg.Wait()
	slices.Sort(made)
	all := slices.Concat(dropped...)
	slices.Sort(all)
	if !slices.Equal(made, []int{0, 0, 0, 5}) || strings.Join(all, " ") != "messages_2028_02_28 messages_2028_02_29 messages_2028_03_01 messages_2028_03_02" {
		t.Errorf("they made %v and dropped %v", made, all)
	}
}

func TestAPartitionOfAnotherShapeHasTheDay(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a month's":            "CREATE TABLE realtime.month PARTITION OF realtime.messages FOR VALUES FROM ('2028-03-01') TO ('2028-04-01')",
		"one for all the rest": "CREATE TABLE realtime.rest PARTITION OF realtime.messages DEFAULT; INSERT INTO realtime.messages (topic, extension, inserted_at) VALUES ('t', 'e', '2028-03-01'), ('t', 'e', '2028-03-02'), ('t', 'e', '2028-03-03')",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := preparedMessages(t)
			p.exec(t, dropPartitions+";"+sql)
			for _, want := range []int{2, 0} {
				if n, err := p.Partition(t.Context(), leapDay); n != want || err != nil {
					t.Errorf("it made %d: %v", n, err)
				}
			}
		})
	}
}

func TestATableInThePlaceOfAPartitionIsSaid(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, "CREATE TABLE realtime.messages_2028_03_01 (id int)")
	if n, err := p.Partition(t.Context(), leapDay); err == nil || n != 0 {
		t.Errorf("it made %d: %v", n, err)
	}
}

func TestExpireDropsDaysThatAreOver(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, dropPartitions+`;
		CREATE TABLE realtime.messages_2028_01_01 PARTITION OF realtime.messages FOR VALUES FROM ('2028-01-01') TO ('2028-02-01');
		CREATE TABLE realtime.messages_2028_13_01 PARTITION OF realtime.messages FOR VALUES FROM ('2028-02-01') TO ('2028-02-02');
		CREATE TABLE realtime.mine PARTITION OF realtime.messages FOR VALUES FROM ('2028-02-02') TO ('2028-02-03');
		CREATE TABLE realtime.messages_2028_02_04 (id int)`)
	if _, err := p.Partition(t.Context(), leapDay); err != nil {
		t.Fatal(err)
	}
	for now, want := range map[time.Time]string{
		time.Date(2028, 3, 2, 23, 59, 59, 0, time.UTC): "",
		time.Date(2028, 3, 3, 0, 0, 0, 0, time.UTC):    "messages_2028_02_28",
	} {
		if want == "" {
			if dropped, err := p.Expire(t.Context(), now, 96*time.Hour); len(dropped) != 0 || err != nil {
				t.Errorf("%v dropped %v: %v", now, dropped, err)
			}
			continue
		}
		if dropped, err := p.Expire(t.Context(), now.Add(24*time.Hour), 96*time.Hour); strings.Join(dropped, " ") != want || err != nil {
			t.Errorf("%v dropped %v: %v", now, dropped, err)
		}
	}
	if got := p.partitions(t); got != "2028_01_01 2028_02_29 2028_03_01 2028_03_02 2028_03_03 2028_13_01 realtime.mine" {
		t.Errorf("there are %s", got)
	}
}

// A user's long transaction must not make others wait for our changes.
func TestNobodyWaitsLongForOurChanges(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	if _, err := p.Partition(t.Context(), leapDay); err != nil {
		t.Fatal(err)
	}
	p.exec(t, "BEGIN; SELECT realtime.send('{}', 'e', 'room'); SELECT count(*) FROM realtime.messages")
	if n, err := p.Partition(t.Context(), leapDay.AddDate(0, 0, 7)); n != 5 || err != nil {
		t.Errorf("partitions wait for a transaction: made %d, %v", n, err)
	}
	others, err := pgx.Connect(t.Context(), p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer others.Close(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		dropped, err := p.Expire(t.Context(), leapDay.AddDate(1, 0, 0), time.Hour)
		if err == nil || !strings.Contains(err.Error(), "55P03") || len(dropped) != 0 {
			t.Errorf("dropped %v: %v", dropped, err)
		}
	})
	start := time.Now()
	for time.Since(start) < 700*time.Millisecond {
		if _, err := others.Exec(t.Context(), "SELECT realtime.send('{}', 'e', 'room')"); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("a message took %v", took)
	}
	wg.Wait()
	p.exec(t, "COMMIT")
	if dropped, err := p.Expire(t.Context(), leapDay.AddDate(1, 0, 0), time.Hour); len(dropped) != 15 || err != nil {
		t.Errorf("then dropped %v: %v", dropped, err)
	}
}
