package limit

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestUsersAreNeverMoreThanMax(t *testing.T) {
	const most = 3
	tenant := newTenant(1)
	var inside, entered atomic.Int64
	var sockets sync.WaitGroup
	for range 16 {
		sockets.Go(func() {
			for range 500 {
				if !tenant.EnterUser(most) {
					continue
				}
				entered.Add(1)
				if n := inside.Add(1); n > most {
					t.Errorf("%d users, at most %d are allowed", n, most)
				}
				inside.Add(-1)
				tenant.LeaveUser()
			}
		})
	}
	sockets.Wait()
	if tenant.Users() != 0 || entered.Load() == 0 {
		t.Errorf("%d users are left of %d", tenant.Users(), entered.Load())
	}
}

func TestUsersEnterAndLeave(t *testing.T) {
	tenant := newTenant(1)
	if tenant.EnterUser(0) {
		t.Error("a max of zero lets somebody in")
	}
	if !tenant.EnterUser(1) || tenant.EnterUser(1) {
		t.Error("a max of one must let in exactly one")
	}
	if !tenant.EnterUser(2) {
		t.Error("a raised max must be in force at once")
	}
	tenant.LeaveUser()
	if got := tenant.Users(); got != 1 {
		t.Errorf("%d users, want 1", got)
	}
}
