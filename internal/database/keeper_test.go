package database

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// kept is what a keeper did for a tenant.
func (s *server) kept(id string) (times int) {
	for _, db := range s.of(id) {
		times += db.partitioned
	}
	return times
}

// keepers runs a test with a keeper for these tenants.
func keepers(t *testing.T, s *server, known func(context.Context, tutti.TenantQuery) (tutti.TenantPage, error), f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, s)
		b.Known = known
		b.run()
		defer b.stop()
		f(b)
	})
}

func many(n int) tenant.Fixed {
	var all tenant.Fixed
	for i := range n {
		all = append(all, customer(fmt.Sprintf("t%04d", i)))
	}
	return all
}

func TestPartitionsAreKeptForAll(t *testing.T) {
	tenants := append(many(250), &tutti.Tenant{ExternalID: "none"}, customer("suspended"), customer("brief", "retention_hours", 5.0))
	tenants[251].Suspend = true
	s := &server{}
	keepers(t, s, tenants.List, func(b *bench) {
		for hour := range 3 {
			for _, id := range []string{"t0000", "t0100", "t0249", "brief"} {
				if n := s.kept(id); n != 1+hour {
					t.Errorf("%s was kept %d times after %d hours", id, n, hour)
				}
			}
			time.Sleep(time.Hour)
			synctest.Wait()
		}
		if n := s.kept("suspended") + s.kept("none"); n != 0 {
			t.Errorf("%d times for those that have no use for it", n)
		}
		for _, db := range s.databases() {
			want := 72 * time.Hour
			if db.settings.Host == "brief" {
				want = 5 * time.Hour
			}
			if !db.closed || db.retention != want || db.prepared != 0 || db.settings.Pool != 1 {
				t.Fatalf("%+v", db)
			}
		}
	})
}

func TestOnlyAFewAreKeptAtOnce(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	s := &server{tend: func(context.Context, string) error {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		time.Sleep(time.Second)
		mu.Lock()
		running--
		mu.Unlock()
		return nil
	}}
	keepers(t, s, many(40).List, func(*bench) {
		time.Sleep(10*time.Second + 1)
		synctest.Wait()
		if most != keepAtOnce || len(s.databases()) != 40 {
			t.Errorf("%d at once, %d in ten seconds", most, len(s.databases()))
		}
	})
}

func TestWhatFailedIsKeptSooner(t *testing.T) {
	var mu sync.Mutex
	broken := true
	s := &server{tend: func(_ context.Context, host string) error {
		mu.Lock()
		defer mu.Unlock()
		if broken && host == "t0001" {
			return errors.New("not now")
		}
		return nil
	}}
	tenants := many(3)
	keepers(t, s, tenants.List, func(b *bench) {
		time.Sleep(17 * time.Minute) // after 5, and 10 more
		synctest.Wait()
		if n := s.kept("t0001"); n != 3 {
			t.Errorf("tried %d times", n)
		}
		if n := s.kept("t0002"); n != 1 {
			t.Errorf("one that did not fail was kept %d times", n)
		}
		if n := b.log.count("not now"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		mu.Lock()
		broken = false
		mu.Unlock()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if n := s.kept("t0001"); n != 4 {
			t.Errorf("tried %d times", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if one, two := s.kept("t0001"), s.kept("t0002"); one-two < 2 || two < 2 {
			t.Errorf("kept %d and %d times", one, two)
		}
	})
}

func TestAListThatFailsIsAskedForLater(t *testing.T) {
	var asked atomic.Int32
	s := &server{}
	known := func(ctx context.Context, q tutti.TenantQuery) (tutti.TenantPage, error) {
		if asked.Add(1) < 3 {
			return tutti.TenantPage{}, tutti.ErrUnavailable
		}
		return many(1).List(ctx, q)
	}
	keepers(t, s, known, func(*bench) {
		time.Sleep(2*keepAgain - 1)
		synctest.Wait()
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.kept("t0000"); n != 1 {
			t.Errorf("kept %d times", n)
		}
	})
}

func TestAFailureThatIsNotListedAnyMore(t *testing.T) {
	var mu sync.Mutex
	tenants := many(2)
	s := &server{tend: func(context.Context, string) error { return errors.New("not now") }}
	known := func(ctx context.Context, q tutti.TenantQuery) (tutti.TenantPage, error) {
		mu.Lock()
		defer mu.Unlock()
		return tenants.List(ctx, q)
	}
	keepers(t, s, known, func(*bench) {
		synctest.Wait()
		mu.Lock()
		// One is deleted, the other has no database any more.
		tenants = tenant.Fixed{{ExternalID: "t0001"}}
		mu.Unlock()
		time.Sleep(5 * time.Hour)
		if s.kept("t0000") != 1 || s.kept("t0001") != 1 {
			t.Errorf("kept %d and %d times", s.kept("t0000"), s.kept("t0001"))
		}
	})
}

func TestADatabaseThatIsAskedIsPreparedAgain(t *testing.T) {
	s := &server{}
	keepers(t, s, many(2).List, func(b *bench) {
		synctest.Wait()
		for range 20 { // it stays open
			b.read(about(customer("t0001"), "a"))
			time.Sleep(maxIdle - time.Second)
		}
		synctest.Wait()
		prepared := map[string]int{}
		for _, db := range s.databases() {
			prepared[db.settings.Host] += db.prepared
		}
		if prepared["t0000"] != 0 || prepared["t0001"] < 2 {
			t.Errorf("prepared %v", prepared)
		}
	})
}

func TestTheNextRound(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct{ now, from, to time.Time }{
		"is in an hour": {
			midnight.Add(12 * time.Hour), midnight.Add(12*time.Hour + 54*time.Minute), midnight.Add(13 * time.Hour),
		},
		"is soon after midnight": {
			midnight.Add(-10 * time.Minute), midnight.Add(time.Second), midnight.Add(61 * time.Second),
		},
		"is in an hour from midnight, elsewhere": {
			midnight.In(time.FixedZone("", 5*3600)), midnight.Add(54 * time.Minute), midnight.Add(time.Hour),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 100 {
				if next := nextRound(tt.now); next.Before(tt.from) || next.After(tt.to) {
					t.Fatalf("%v is not from %v to %v", next, tt.from, tt.to)
				}
			}
		})
	}
}
