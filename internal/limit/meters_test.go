package limit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// running runs a test with Meters that tick, in a bubble whose clock stands at a
// full second.
func running(t *testing.T, test func(t *testing.T, m *Meters)) {
	synctest.Test(t, func(t *testing.T) {
		m := &Meters{}
		ctx, stop := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		ended := make(chan error, 1)
		go func() { ended <- m.Run(ctx) }()
		synctest.Wait()
		test(t, m)
		stop(stopped)
		if err := <-ended; !errors.Is(err, stopped) {
			t.Errorf("ended with %v", err)
		}
	})
}

// pass lets time pass, and the tick that falls on its end.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// collect makes the collector take what nobody holds.
func collect() {
	for range 3 {
		runtime.GC()
	}
}

func TestRequestsTickEachSecondOthersEachFifth(t *testing.T) {
	running(t, func(t *testing.T, m *Meters) {
		tenant := m.Of("acme")
		for _, c := range tenant.counters() {
			c.Add(0, 100)
		}
		pass(time.Second)
		if got := tenant.Requests.Average(); got != 50 {
			t.Errorf("requests average %v after a second, want 50", got)
		}
		pass(3 * time.Second)
		if got := tenant.Events.Average(); got != 0 {
			t.Errorf("events average %v after four seconds, want 0", got)
		}
		pass(time.Second)
		for _, c := range []*Counter{&tenant.Events, &tenant.Joins, &tenant.Presence, &tenant.DBEvents} {
			if got := c.Average(); got != 10 {
				t.Errorf("average %v after five seconds, want 10", got)
			}
		}
	})
}

func TestTenantsHaveTheirOwnFiveSeconds(t *testing.T) {
	running(t, func(t *testing.T, m *Meters) {
		pass(3 * time.Second)
		tenant := m.Of("late")
		tenant.Joins.Add(0, 10)
		pass(4 * time.Second)
		if got := tenant.Joins.Average(); got != 0 {
			t.Errorf("average %v after four of its seconds, want 0", got)
		}
		pass(time.Second)
		if got := tenant.Joins.Average(); got != 1 {
			t.Errorf("average %v after five of its seconds, want 1", got)
		}
	})
}

func TestTrafficThatStopsIsForgottenAfterAMinute(t *testing.T) {
	running(t, func(t *testing.T, m *Meters) {
		tenant := m.Of("acme")
		tenant.Events.Add(0, 60_000)
		pass(time.Minute)
		if got := tenant.Events.Average(); got != 1000 {
			t.Errorf("average %v at the end of the window, want 1000", got)
		}
		pass(5 * time.Second)
		if got := tenant.Events.Average(); got != 0 {
			t.Errorf("average %v, want 0", got)
		}
	})
}

func TestATenantIsForgottenWhenQuietAndHeldByNobody(t *testing.T) {
	for name, tt := range map[string]struct {
		last  func(*Tenant) // what it does before it is let go
		after time.Duration
		kept  bool
	}{
		"quiet for less than five minutes": {
			after: 299 * time.Second, kept: true,
		},
		"quiet for five minutes": {
			after: 301 * time.Second,
		},
		"it counted, and not five minutes have passed since its next tick": {
			last:  func(tenant *Tenant) { tenant.Events.Add(0, 1) },
			after: 304 * time.Second, kept: true,
		},
		"it counted, and that is long ago": {
			last:  func(tenant *Tenant) { tenant.Events.Add(0, 1) },
			after: 311 * time.Second,
		},
		"a user is still inside": {
			last:  func(tenant *Tenant) { tenant.EnterUser(1) },
			after: time.Hour, kept: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(t *testing.T, m *Meters) {
				if tenant := m.Of("acme"); tt.last != nil {
					tt.last(tenant)
				}
				pass(tt.after)
				collect()
				pass(time.Second)
				if _, kept := maps.Collect(m.All())["acme"]; kept != tt.kept {
					t.Errorf("kept %v, want %v", kept, tt.kept)
				}
			})
		})
	}
}

func TestATenantThatIsHeldStaysTheSame(t *testing.T) {
	running(t, func(t *testing.T, m *Meters) {
		tenant := m.Of("acme")
		pass(time.Hour)
		collect()
		pass(time.Second)
		if m.Of("acme") != tenant {
			t.Fatal("a socket holds one set of counters, a new one got another")
		}
		pass(time.Hour)
		tenant.Events.Add(0, 100)
		pass(5 * time.Second)
		if tenant.Events.Average() == 0 {
			t.Error("a quiet tenant that is held no longer ticks")
		}
	})
}

func TestMetersInARace(t *testing.T) {
	running(t, func(t *testing.T, m *Meters) {
		var sockets sync.WaitGroup
		for socket := range 8 {
			sockets.Go(func() {
				for i := range 50 {
					tenant := m.Of(fmt.Sprint("tenant-", i%7))
					tenant.Events.Add(socket, 1)
					for _, other := range maps.Collect(m.All()) {
						other.Joins.Over(1)
					}
					pause := time.Duration(socket+1) * 100 * time.Millisecond
					time.Sleep(pause)
				}
			})
		}
		sockets.Wait()
		var total int64
		for _, tenant := range m.All() {
			total += tenant.Events.Total()
		}
		if total != 400 {
			t.Errorf("counted %d, want 400", total)
		}
	})
}

func BenchmarkTickOfTenThousandTenants(b *testing.B) {
	m := &Meters{}
	for i := range 10_000 {
		m.Of(fmt.Sprint("tenant-", i)).Events.Add(i, 1)
	}
	for b.Loop() {
		for _, t := range m.living() {
			t.tick()
		}
	}
}
