package cluster

import (
	"context"
	"testing"
	"time"
)

func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	n := trio(t)
	eventually(t, "round trips are known", func() bool {
		all := n[0].Members()
		return all[1].RoundTrip > 0 && all[2].RoundTrip > 0
	})
	if m := n[0].Members(); !m[0].Self || m[1].ID != "b" || m[2].ID != "c" || m[2].Epoch != n[2].epoch {
		t.Errorf("%+v", m)
	}
	began := time.Now()
	n[1].stop()
	eventually(t, "b has left", func() bool { return n[0].happened() == "b joined, c joined, b left" })
	if took := time.Since(began); took > 900*time.Millisecond {
		t.Errorf("a goodbye took %v", took)
	}
	n[2].kill()
	died := time.Now()
	eventually(t, "c is lost", func() bool { return n[0].happened() == "b joined, c joined, b left, c lost" })
	if took := time.Since(died); took > n[0].settings.Lost+time.Second {
		t.Errorf("a lost node took %v", took)
	}
	again := begin(t, testSettings("c"), nil, n[0])
	meet(t, n[0], again)
	eventually(t, "its return is told", func() bool { // a moment after Members has it
		return n[0].happened() == "b joined, c joined, b left, c lost, c joined"
	})
	tune(t, n[0], room("r"), again)
}

func TestANodeThatRestartsAtOnceHasANewLife(t *testing.T) {
	t.Parallel()
	n := trio(t)
	n[2].kill()
	begin(t, testSettings("c"), nil, n[0])
	eventually(t, "c is back", func() bool {
		return n[0].happened() == "b joined, c joined, c left, c joined"
	})
}

func TestPeersMayBeFoundLater(t *testing.T) {
	t.Parallel()
	a := begin(t, testSettings("a"), nil)
	b := begin(t, testSettings("b"), nil)
	asked := make(chan struct{})
	c := begin(t, testSettings("c"), func(n *testNode) {
		n.Peers = func(context.Context) ([]string, error) {
			select {
			case <-asked:
				return []string{a.Address(), b.Address(), n.Address()}, nil
			default:
				close(asked)
				return nil, context.DeadlineExceeded
			}
		}
	})
	meet(t, a, b, c)
}

func TestDNSNamesAllItsAddresses(t *testing.T) {
	t.Parallel()
	found, err := DNS("localhost", 7000)(context.Background())
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	for _, a := range found {
		if a != "127.0.0.1:7000" && a != "[::1]:7000" {
			t.Errorf("found %s", a)
		}
	}
	if _, err := DNS("nodes.invalid", 1)(context.Background()); err == nil {
		t.Error("a name that is nobody's was found")
	}
}
