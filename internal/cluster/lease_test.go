package cluster

import (
	"context"
	"errors"
	"testing"
	"time"
)

// hold takes a lease, or fails.
func hold(t testing.TB, n *testNode, name string) *Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l, err := n.Hold(ctx, name)
	if err != nil {
		t.Fatalf("%s holds %s: %v", n.settings.Node, name, err)
	}
	return l
}

// holdLater takes a lease beside the test.
func holdLater(t testing.TB, n *testNode, name string) <-chan *Lease {
	got := make(chan *Lease, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if l, err := n.Hold(ctx, name); err == nil {
			got <- l
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return got
}

func TestALeaseGoesFromNodeToNode(t *testing.T) {
	t.Parallel()
	n := trio(t)
	first := hold(t, n[0], "wal/acme")
	if !first.Valid() || first.Context().Err() != nil {
		t.Error("a lease that was just given is not valid")
	}
	next := [2]<-chan *Lease{holdLater(t, n[1], "wal/acme"), holdLater(t, n[2], "wal/acme")}
	other := hold(t, n[1], "wal/other")
	other.Release()
	select {
	case <-next[0]:
		t.Fatal("two owners")
	case <-next[1]:
		t.Fatal("two owners")
	case <-time.After(2500 * time.Millisecond): // longer than a node is taken to be alive
	}
	if !first.Valid() {
		t.Error("the lease has lapsed while all was well")
	}
	began := time.Now()
	first.Release()
	if first.Valid() || !errors.Is(context.Cause(first.Context()), context.Canceled) {
		t.Errorf("a lease that was released ends with %v", context.Cause(first.Context()))
	}
	var second *Lease
	var rest <-chan *Lease
	select {
	case second = <-next[0]:
		rest = next[1]
	case second = <-next[1]:
		rest = next[0]
	case <-time.After(patience):
		t.Fatal("nobody follows")
	}
	t.Logf("followed after %v", time.Since(began))
	if second.Term <= first.Term {
		t.Errorf("term %d follows %d", second.Term, first.Term)
	}
	second.Release()
	second.Release()
	third := <-rest
	if third.Term <= second.Term {
		t.Errorf("term %d follows %d", third.Term, second.Term)
	}
}

func TestALeaseOfANodeThatCrashedIsFollowed(t *testing.T) {
	t.Parallel()
	n := trio(t)
	l := hold(t, n[0], "x")
	next := holdLater(t, n[1], "x")
	began := time.Now()
	n[0].kill()
	select {
	case got := <-next:
		if got.Term <= l.Term {
			t.Errorf("term %d follows %d", got.Term, l.Term)
		}
		took := time.Since(began)
		if took > n[1].settings.Lost+time.Second { // some of it for a busy machine
			t.Errorf("followed after %v", took)
		}
		t.Logf("followed after %v; a node is lost after %v", took, n[1].settings.Lost)
	case <-time.After(patience):
		t.Fatal("nobody follows")
	}
}

func TestANodeThatStandsStillLosesItsLeaseBeforeAnotherHasIt(t *testing.T) {
	t.Parallel()
	n := trio(t)
	l := hold(t, n[0], "x")
	next := holdLater(t, n[1], "x")
	n[0].Bus.mu.Lock() // nothing of the protocol goes on
	select {
	case <-next:
	case <-time.After(patience):
		t.Error("nobody follows")
	}
	if l.Valid() {
		t.Error("two nodes may act")
	}
	n[0].Bus.mu.Unlock()
	select {
	case <-l.Context().Done():
	case <-time.After(patience):
		t.Error("the context goes on")
	}
	if !errors.Is(context.Cause(l.Context()), ErrLapsed) {
		t.Errorf("it ended with %v", context.Cause(l.Context()))
	}
}

func TestLeasesEndWithTheBus(t *testing.T) {
	t.Parallel()
	n := trio(t)
	l := hold(t, n[0], "x")
	next := holdLater(t, n[1], "x")
	began := time.Now()
	n[0].stop()
	if l.Valid() || l.Context().Err() == nil {
		t.Error("a lease outlives its node")
	}
	<-next
	t.Logf("followed after %v", time.Since(began))
	if _, err := n[0].Hold(context.Background(), "x"); err == nil {
		t.Error("a node that has left holds")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := n[2].Hold(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Hold ended with %v", err)
	}
	if _, err := n[2].Hold(ctx, ""); err == nil {
		t.Error("a lease without a name")
	}
}
