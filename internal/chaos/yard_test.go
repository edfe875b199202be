//go:build linux

package chaos

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/tutti-realtime/tutti/internal/yard"
)

// A place is where something stands in the network of a stage.
type place = yard.Place

// The nodes of a stage, and what they use.
const (
	a        = yard.A
	b        = yard.B
	c        = yard.C
	services = yard.Services
	places   = yard.Places
)

// trio are the nodes.
var trio = yard.Trio

// newYard returns the best network that the machine allows. With
// TUTTI_CHAOS_NETWORK=proxies it is the other.
func newYard(t *testing.T) yard.Network {
	t.Helper()
	if os.Getenv("TUTTI_CHAOS_NETWORK") == "proxies" {
		return newProxies(t)
	}
	y, why := yard.Best()
	if why != nil {
		t.Logf("no network namespaces (%v)", why)
	}
	endsWith(t, y)
	return y
}

func newProxies(t *testing.T) *yard.Proxies {
	y := yard.NewProxies()
	endsWith(t, y)
	return y
}

// endsWith has a network end with the test.
func endsWith(t *testing.T, y yard.Network) {
	t.Cleanup(func() {
		if err := y.Close(); err != nil {
			t.Error(err)
		}
	})
}

// cut has nothing pass from one place to another.
func (s *stage) cut(from, to place) {
	s.Helper()
	if err := s.yard.Cut(from, to); err != nil {
		s.Fatal(err)
	}
}

// mend undoes all cuts.
func (s *stage) mend() {
	s.Helper()
	if err := s.yard.Mend(); err != nil {
		s.Fatal(err)
	}
}

// beside runs f until the test ends.
func beside(t *testing.T, f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { f(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}
