package tenant

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// Anybody can ask for names that are no tenants, as fast as they like. The store
// is not asked for one of them twice in a moment, and a tenant that comes to be
// is there at once for those who are told.
func TestNamesThatAreNoTenants(t *testing.T) {
	t.Parallel()
	atDesk(t, func(d *desk) {
		d.Absent = time.Second
		unknown := func() bool {
			_, err := d.Find(context.Background(), "new")
			return errors.Is(err, tutti.ErrNoTenant)
		}
		for range 1000 {
			if !unknown() {
				t.Fatal("it is a tenant")
			}
		}
		if n := d.shelf.trips.Load(); n != 1 {
			t.Errorf("%d trips for one name", n)
		}
		d.shelf.set("new", "New")
		if err := d.Refresh(context.Background(), "new"); err != nil {
			t.Fatal(err)
		}
		if unknown() {
			t.Error("a new tenant is not known although the directory was told")
		}
		d.shelf.remove("new")
		time.Sleep(time.Minute) // virtual
		if first, second := unknown(), unknown(); !first || !second {
			t.Error("a deleted tenant is known")
		}
		d.shelf.set("new", "New")
		time.Sleep(1100 * time.Millisecond) // virtual
		if unknown() {
			t.Error("nobody has told the directory, and it never asks again")
		}
	})
}

// A flood of names, each of its own, has some places and no more: a tenant that
// is known is asked about beside it, and the memory does not fill.
func TestAFloodOfNames(t *testing.T) {
	t.Parallel()
	atDesk(t, func(d *desk) {
		d.Absent, d.Strangers = time.Second, make(chan struct{}, 3)
		if _, err := d.Find(context.Background(), "acme"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // virtual: acme has to be asked for again
		d.shelf.slow(time.Second, nil)
		began := d.shelf.trips.Load()
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for i := range 2000 {
			wg.Go(func() { _, _ = d.Find(ctx, fmt.Sprint("random", i)) })
		}
		time.Sleep(500 * time.Millisecond) // virtual: they have begun
		if n := d.shelf.trips.Load() - began; n != 3 {
			t.Errorf("%d questions at once", n)
		}
		asked := time.Now()
		if _, err := d.Find(context.Background(), "acme"); err != nil || time.Since(asked) > patience {
			t.Errorf("a known tenant: %v after %v", err, time.Since(asked))
		}
		cancel()
		wg.Wait()
		d.shelf.slow(0, nil)
		for i := range 3 * mostStrangers {
			_, _ = d.Find(context.Background(), fmt.Sprint("other", i))
		}
		if n := len(d.strangers.until); n > mostStrangers {
			t.Errorf("%d names are remembered", n)
		}
		if len(d.Strangers) != 0 || len(d.loads) != 0 {
			t.Errorf("%d questions and %d loads are left", len(d.Strangers), len(d.loads))
		}
	})
}
