package tenant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
)

var errDown = errors.New("store is down")

// A shelf is a Store that can be changed, counts its trips, takes its time, and
// can be down.
type shelf struct {
	mu      sync.Mutex // guards what follows
	tenants map[string]*tutti.Tenant
	down    error
	delay   time.Duration
	trips   atomic.Int64
}

func (s *shelf) Find(ctx context.Context, id string) (*tutti.Tenant, error) {
	s.trips.Add(1)
	s.mu.Lock()
	t, down, delay := s.tenants[id], s.down, s.delay
	s.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if down != nil {
		return nil, down
	}
	if t == nil {
		return nil, fmt.Errorf("look at the shelf: %w", tutti.ErrNoTenant)
	}
	return t, nil
}

func (s *shelf) set(id, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenants[id] = &tutti.Tenant{ExternalID: id, Name: name}
}

func (s *shelf) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tenants, id)
}

func (s *shelf) slow(delay time.Duration, down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay, s.down = delay, down
}

// A desk is a Directory of a shelf that holds acme, and what it said of changes.
type desk struct {
	*Directory
	*testing.T
	shelf   *shelf
	mu      sync.Mutex // guards changes
	changes []string
}

// atDesk runs a test in a bubble.
func atDesk(t *testing.T, test func(d *desk)) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{T: t, shelf: &shelf{tenants: make(map[string]*tutti.Tenant)}}
		d.shelf.set("acme", "one")
		d.Directory = &Directory{Store: d.shelf, Log: slog.New(slog.DiscardHandler)}
		d.Changed = func(id string, before, after *tutti.Tenant) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.changes = append(d.changes, id+" "+nameOf(before)+">"+nameOf(after))
		}
		test(d)
	})
}

func nameOf(t *tutti.Tenant) string {
	if t == nil {
		return "-"
	}
	return t.Name
}

// find returns the handle of a tenant that must be found.
func (d *desk) find(id string) *Handle {
	d.Helper()
	h, err := d.Find(d.Context(), id)
	if err != nil {
		d.Fatal(err)
	}
	return h
}

// wantName checks what a tenant is called now.
func (d *desk) wantName(h *Handle, want string) {
	d.Helper()
	if got := nameOf(h.Tenant()); got != want {
		d.Errorf("tenant is %q, want %q", got, want)
	}
}

func (d *desk) wantTrips(want int64) {
	d.Helper()
	if got := d.shelf.trips.Load(); got != want {
		d.Errorf("%d trips to the store, want %d", got, want)
	}
}

func (d *desk) wantChanges(want ...string) {
	d.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.changes, want) {
		d.Errorf("changes %q, want %q", d.changes, want)
	}
}

func TestDirectoryMakesOneTripWhileAnAnswerIsGood(t *testing.T) {
	for setting, good := range map[time.Duration]time.Duration{0: 30 * time.Second, time.Minute: time.Minute} {
		atDesk(t, func(d *desk) {
			d.Keep = setting
			h := d.find("acme")
			time.Sleep(good - 1)
			if d.find("acme") != h {
				t.Error("another handle for the same tenant")
			}
			d.wantTrips(1)
			time.Sleep(time.Nanosecond)
			d.find("acme")
			d.find("acme")
			d.wantTrips(2)
			d.wantChanges()
		})
	}
}

func TestDirectorySeesChangesWhenItLooksAgain(t *testing.T) {
	atDesk(t, func(d *desk) {
		h := d.find("acme")
		d.shelf.set("acme", "two")
		d.find("acme")
		d.wantName(h, "one")
		time.Sleep(30 * time.Second)
		d.find("acme")
		d.wantName(h, "two")
		d.wantChanges("acme one>two")
	})
}

func TestDirectoryAsksForUnknownTenantsEachTime(t *testing.T) {
	atDesk(t, func(d *desk) {
		for range 3 {
			if _, err := d.Find(d.Context(), "nobody"); !errors.Is(err, tutti.ErrNoTenant) {
				t.Errorf("got %v, want tutti.ErrNoTenant", err)
			}
		}
		d.wantTrips(3)
		d.shelf.set("nobody", "somebody")
		d.wantName(d.find("nobody"), "somebody")
		d.wantChanges()
	})
}

func TestDirectoryRefreshes(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.shelf.set("other", "one")
		acme, other := d.find("acme"), d.find("other")
		d.shelf.set("acme", "two")
		d.shelf.remove("other")
		if err := d.Refresh(d.Context(), "acme", "other", "never-asked-for"); err != nil {
			t.Fatal(err)
		}
		d.wantName(acme, "two")
		d.wantName(other, "-")
		d.wantChanges("acme one>two", "other one>-")
		d.wantTrips(4)
		if _, err := d.Find(d.Context(), "other"); !errors.Is(err, tutti.ErrNoTenant) {
			t.Errorf("a deleted tenant: %v", err)
		}
		d.shelf.set("other", "anew")
		if d.find("other") == other {
			t.Error("sockets of the deleted tenant have the new one's handle")
		}
		d.wantName(other, "-")
	})
}

func TestDirectoryRefreshOfATenantThatIsTheSameTellsNobody(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.find("acme")
		d.shelf.set("acme", "one")
		if err := d.Refresh(d.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		d.wantChanges()
	})
}

func TestDirectoryKnowsTenantsWhoseStoreIsDown(t *testing.T) {
	atDesk(t, func(d *desk) {
		h := d.find("acme")
		d.shelf.slow(0, errDown)
		time.Sleep(time.Hour)
		for range 10 {
			if d.find("acme") != h {
				t.Error("another handle for the same tenant")
			}
		}
		d.wantName(h, "one")
		d.wantTrips(2)
		if err := d.Refresh(d.Context(), "acme", "never-asked-for"); !errors.Is(err, errDown) {
			t.Errorf("refresh says %v", err)
		}
		if _, err := d.Find(d.Context(), "new"); !errors.Is(err, errDown) || !strings.Contains(err.Error(), `"new"`) {
			t.Errorf("a tenant that is not known: %v", err)
		}
		d.shelf.slow(0, nil)
		d.shelf.set("acme", "two")
		time.Sleep(retryAfter)
		d.find("acme")
		d.wantName(h, "two")
	})
}

func TestDirectoryDoesNotWaitLongForAStoreThatHangs(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.find("acme")
		d.shelf.slow(time.Hour, nil)
		time.Sleep(30 * time.Second)
		begun := time.Now()
		var first sync.WaitGroup
		first.Go(func() {
			d.find("acme")
			if waited := time.Since(begun); waited != patience {
				t.Errorf("the first waited %v, want %v", waited, patience)
			}
		})
		synctest.Wait()
		for range 10 {
			d.find("acme")
		}
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("the others waited %v", waited)
		}
		first.Wait()
	})
}

func TestDirectorySharesOneTrip(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.shelf.slow(time.Second, nil)
		handles := make([]*Handle, 20)
		var callers sync.WaitGroup
		for i := range handles {
			callers.Go(func() { handles[i] = d.find("acme") })
		}
		callers.Wait()
		d.wantTrips(1)
		for _, h := range handles {
			if h != handles[0] {
				t.Fatal("callers got different handles")
			}
		}
	})
}

func TestDirectoryCallerThatGivesUpSpoilsNothing(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.shelf.slow(time.Second, nil)
		gone, leave := context.WithCancel(d.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := d.Find(gone, "acme"); !errors.Is(err, context.Canceled) {
				t.Errorf("the one that gave up got %v", err)
			}
		})
		synctest.Wait()
		for range 5 {
			callers.Go(func() { d.wantName(d.find("acme"), "one") })
		}
		callers.Go(func() {
			if _, err := d.Find(gone, "acme"); !errors.Is(err, context.Canceled) {
				t.Errorf("one that waited and gave up got %v", err)
			}
		})
		synctest.Wait()
		leave()
		callers.Wait()
		d.wantTrips(2)
	})
}

func TestDirectoryRefreshIsNotContentWithAnAnswerFromBefore(t *testing.T) {
	for name, known := range map[string]bool{"of a known tenant": true, "of a new one": false} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, func(d *desk) {
				if known {
					d.find("acme")
					time.Sleep(30 * time.Second)
				}
				d.shelf.slow(time.Second, nil)
				var callers sync.WaitGroup
				callers.Go(func() { d.find("acme") })
				synctest.Wait()
				d.shelf.set("acme", "two")
				if err := d.Refresh(d.Context(), "acme"); err != nil {
					t.Fatal(err)
				}
				callers.Wait()
				d.wantName(d.find("acme"), "two")
				d.wantChanges("acme one>two")
			})
		})
	}
}

func TestDirectoryRefreshEndsWithItsContext(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.shelf.slow(time.Second, nil)
		var callers sync.WaitGroup
		callers.Go(func() { d.find("acme") })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(d.Context(), time.Millisecond)
		defer cancel()
		if err := d.Refresh(ctx, "acme"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		callers.Wait()
	})
}

func TestDirectoryInARace(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.Keep = 10 * time.Millisecond
		d.shelf.slow(time.Millisecond, nil)
		var callers sync.WaitGroup
		for caller := range 8 {
			callers.Go(func() {
				for i := range 200 {
					id := fmt.Sprint("tenant-", (caller+i)%5)
					switch i % 8 {
					case 0:
						d.shelf.set(id, fmt.Sprint(i))
						_ = d.Refresh(d.Context(), id)
					case 5:
						d.shelf.remove(id)
						_ = d.Refresh(d.Context(), id)
					default:
						if h, err := d.Find(d.Context(), id); err == nil {
							_ = nameOf(h.Tenant())
						} else if !errors.Is(err, tutti.ErrNoTenant) {
							t.Error(err)
						}
					}
				}
			})
		}
		callers.Wait()
		for _, change := range d.changes {
			_, change, _ = strings.Cut(change, " ")
			if before, after, _ := strings.Cut(change, ">"); before == after || before == "-" {
				t.Errorf("changed from %q to %q", before, after)
			}
		}
		if len(d.loads) != 0 {
			t.Errorf("%d loads never ended", len(d.loads))
		}
	})
}

func BenchmarkFindKnown(b *testing.B) {
	d := &Directory{Store: Fixed{StandardDefaults().Tenant("acme")}}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := d.Find(b.Context(), "acme"); err != nil {
				b.Error(err)
			}
		}
	})
}
