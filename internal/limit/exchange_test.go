package limit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// inCluster runs a test with nodes that know each other, a millisecond apart.
func inCluster(t *testing.T, nodes int, test func(t *testing.T, w *network)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork(t, nodes, time.Millisecond-time.Microsecond, 1) // what waits in a queue comes within one, too
		defer w.end()
		w.pass(2 * time.Second)
		test(t, w)
	})
}

func TestUsersOfOtherNodesCount(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, w *network) {
		a, b, c := w.nodes[0].t, w.nodes[1].t, w.nodes[2].t
		a.EnterUser(10)
		b.EnterUser(10)
		w.pass(usersEvery + time.Millisecond)
		if c.EnterUser(2) || c.Users() != 0 || c.ClusterUsers() != 2 {
			t.Errorf("two users are on other nodes, this one has %d and sees %d", c.Users(), c.ClusterUsers())
		}
		if !c.EnterUser(3) {
			t.Error("the third of three is refused")
		}
		b.LeaveUser()
		w.pass(usersEvery + time.Millisecond)
		if got := a.ClusterUsers(); got != 2 || a.Users() != 1 {
			t.Errorf("%d users after one left, want 2", got)
		}
	})
}

func TestNearALimitUsersAreToldAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		max, first, then int
		within           time.Duration
		want             int
	}{
		"the one who comes near it":          {1000, 799, 1, time.Millisecond, 800},
		"the only one":                       {1, 0, 1, time.Millisecond, 1},
		"one far from it waits":              {1000, 7, 1, usersEvery / 2, 7},
		"many who come wait for nothing":     {1000, 0, 51, time.Millisecond, 51},
		"those who wait are told in a while": {1000, 7, 1, usersEvery + time.Millisecond, 8},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, 2, func(t *testing.T, w *network) {
				w.nodes[0].enter(tt.first, tt.max)
				w.pass(usersEvery + 2*time.Millisecond)
				w.nodes[0].enter(tt.then, tt.max)
				w.pass(tt.within)
				if got := w.nodes[1].t.ClusterUsers(); got != tt.want {
					t.Errorf("%d users are known, want %d", got, tt.want)
				}
			})
		})
	}
}

func TestANodeThatIsGoneNoLongerCounts(t *testing.T) {
	inCluster(t, 3, func(t *testing.T, w *network) {
		for _, n := range w.nodes {
			n.enter(5, 100)
			n.t.Events.Add(0, 6000)
		}
		w.pass(6 * time.Second)
		a := w.nodes[0]
		average := a.t.Events.Average()
		if a.t.ClusterUsers() != 15 || average < 2.9*a.t.Events.Local() || !a.t.Events.Over(1500) {
			t.Fatalf("%d users, %v events", a.t.ClusterUsers(), average)
		}
		w.nodes[1].end()
		a.m.Left("node1")
		if a.t.ClusterUsers() != 10 || a.t.Events.Average() > 0.7*average {
			t.Errorf("%d users, %v events with a node less", a.t.ClusterUsers(), a.t.Events.Average())
		}
		late := written(head{epoch: w.nodes[1].m.exchange.epoch}, record{[]byte("acme"), share{users: 5}})[0]
		if err := a.m.Receive("node1", late); err != nil || a.t.ClusterUsers() != 10 {
			t.Errorf("what it said last counts for ever: %d users, %v", a.t.ClusterUsers(), err)
		}
	})
}

func TestANodeThatJoinsHearsAll(t *testing.T) {
	for name, first := range map[string]bool{"the event comes first": true, "the event comes last": false} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, 2, func(t *testing.T, w *network) {
				a, b := w.nodes[0], w.nodes[1]
				a.enter(7, 100)
				w.pass(time.Second)
				b.end()
				if first {
					a.m.Left(b.name)
				}
				b.start(t.Context())
				a.m.Joined(b.name)
				b.m.Joined(a.name)
				w.pass(2 * time.Millisecond)
				if got := b.t.ClusterUsers(); got != 7 {
					t.Errorf("%d users are known to who joins, want 7", got)
				}
				b.enter(3, 100)
				w.pass(usersEvery + 2*time.Millisecond)
				if !first {
					a.m.Left(b.name)
					a.m.Joined(b.name)
				}
				w.pass(3 * time.Second) // it asks
				if got := a.t.ClusterUsers(); got != 10 {
					t.Errorf("%d users, want 10", got)
				}
			})
		})
	}
}

func TestANodeThatIsSilentForLongNoLongerCounts(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, w *network) {
		w.nodes[1].enter(5, 100)
		w.pass(time.Second)
		w.nodes[1].end()
		w.pass((silence - roundEvery) * time.Second)
		if got := w.nodes[0].t.ClusterUsers(); got != 5 {
			t.Errorf("%d users, it may have lost a message", got)
		}
		w.pass((roundEvery + 2) * time.Second)
		if got := w.nodes[0].t.ClusterUsers(); got != 0 {
			t.Errorf("%d users of a node that says nothing", got)
		}
	})
}

func TestATenantKnowsTheOthersFromTheBeginning(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, w *network) {
		there := w.nodes[0].m.Of("new")
		there.EnterUser(5)
		there.Events.Add(0, 1200)
		w.pass(6 * time.Second)
		m := w.nodes[1].m
		for id := range m.All() {
			if id == "new" {
				t.Fatal("a report makes counters for a tenant that nobody uses")
			}
		}
		here := m.Of("new")
		if here.ClusterUsers() != 1 || here.Events.Average() == 0 || here.EnterUser(1) {
			t.Errorf("%d users, %v events at the beginning", here.ClusterUsers(), here.Events.Average())
		}
	})
}

func TestWhatNobodyCountsIsForgotten(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, w *network) {
		for i := range 100 {
			tenant := w.nodes[0].m.Of(fmt.Sprint("passing-", i))
			tenant.Events.Add(0, 60)
			tenant.EnterUser(1)
		}
		w.pass(6 * time.Second)
		x := w.nodes[1].m.exchange
		if len(x.accounts) != 101 {
			t.Fatalf("%d tenants are known, want 101", len(x.accounts))
		}
		for _, tenant := range w.nodes[0].m.All() {
			if tenant.Users() > 0 {
				tenant.LeaveUser()
			}
		}
		w.pass(2 * time.Minute)
		if peer := x.peers["node0"]; len(x.accounts) != 1 || len(peer.shares) != 0 {
			t.Errorf("%d tenants and %d shares are left", len(x.accounts), len(peer.shares))
		}
	})
}

func TestAccountsOfForgottenTenantsAreForgotten(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, w *network) {
		n := w.nodes[0]
		n.t = nil
		w.nodes[1].t.EnterUser(1)
		w.nodes[1].t.LeaveUser()
		w.pass(6 * time.Minute)
		collect()
		w.pass(2 * time.Second)
		if got := len(n.m.exchange.accounts); got != 0 {
			t.Errorf("%d accounts are left", got)
		}
		n.t = n.m.Of("acme")
	})
}

func TestATenantIsForgottenThoughOthersCountIt(t *testing.T) {
	inCluster(t, 2, func(t *testing.T, w *network) {
		w.nodes[0].enter(1, 5)
		m := w.nodes[1].m
		w.nodes[1].t = nil
		w.pass(6 * time.Minute)
		collect()
		w.pass(2 * time.Second)
		for id := range m.All() {
			t.Errorf("%s is still counted", id)
		}
		if got := m.Of("acme").ClusterUsers(); got != 1 {
			t.Errorf("%d users, want 1", got)
		}
	})
}

func TestOnlyWhatChangedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		fail := false
		fails := func(yes bool) {
			mu.Lock()
			defer mu.Unlock()
			fail = yes
		}
		m := &Meters{Tell: func(node string, message []byte) error {
			mu.Lock()
			defer mu.Unlock()
			if fail {
				return errors.New("full")
			}
			h, records := readAll(t, message)
			told = append(told, fmt.Sprintf("%q round=%v %d", node, h.is(flagRound), len(records)))
			return nil
		}}
		ended := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		for i := range 50 {
			m.Of(fmt.Sprint("tenant-", i)).EnterUser(1000)
		}
		m.Of(strings.Repeat("x", maxID+1)).EnterUser(1000)
		go func() { defer close(ended); _ = m.Run(ctx) }()
		take := func(d time.Duration) []string {
			mu.Lock()
			told = nil
			mu.Unlock()
			pass(d)
			mu.Lock()
			defer mu.Unlock()
			return told
		}
		if got := take(usersEvery); !slices.Equal(got, []string{`"" round=false 50`}) {
			t.Errorf("at first: %v", got)
		}
		if got := take(roundEvery * time.Second); !slices.Equal(got, []string{`"" round=true 50`}) {
			t.Errorf("when nothing happens: %v", got)
		}
		m.Of("tenant-7").LeaveUser()
		m.Of("tenant-8").EnterUser(1000)
		m.Of("tenant-9").EnterUser(1000)
		m.Of("tenant-9").LeaveUser()
		if got := take(usersEvery); !slices.Equal(got, []string{`"" round=false 2`}) {
			t.Errorf("when two changed: %v", got)
		}
		fails(true)
		m.Of("tenant-9").EnterUser(1000)
		take(usersEvery)
		fails(false)
		if got := take(roundEvery * time.Second); !slices.Equal(got, []string{`"" round=true 49`}) {
			t.Errorf("in the round after a message that could not be sent: %v", got)
		}
		m.Joined("late")
		if got := take(time.Millisecond); !slices.Equal(got, []string{`"late" round=true 49`}) {
			t.Errorf("to one who joined: %v", got)
		}
		stop()
		<-ended
	})
}

func TestASingleNodeTellsNobody(t *testing.T) {
	running(t, func(t *testing.T, m *Meters) {
		m.Joined("b")
		m.Left("b")
		if err := m.Receive("b", []byte("nonsense")); err != nil {
			t.Error(err)
		}
		tenant := m.Of("acme")
		tenant.EnterUser(1)
		pass(time.Minute)
		if tenant.ClusterUsers() != 1 || m.exchange != nil || tenant.exchange != nil {
			t.Errorf("%d users, an exchange: %v", tenant.ClusterUsers(), m.exchange != nil)
		}
	})
}

func TestANodeTellsOfSoManyTenantsOnly(t *testing.T) {
	m := &Meters{Tell: func(string, []byte) error { return nil }}
	w := &writer{head: head{epoch: 1}, send: func(message []byte) {
		if err := m.Receive("b", message); err != nil {
			t.Fatal(err)
		}
	}}
	for i := range maxShares + 100 {
		w.add(fmt.Sprint(i), share{users: 1})
	}
	w.end()
	if got := len(m.exchange.accounts); got != maxShares {
		t.Errorf("%d accounts, want %d", got, maxShares)
	}
}
