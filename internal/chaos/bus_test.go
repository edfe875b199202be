//go:build linux

package chaos

import (
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Nodes that have only the control database in common find each other there.
func TestNodesFindEachOtherInTheControlDatabase(t *testing.T) {
	t.Parallel()
	needPostgreSQL(t)
	since := time.Now()
	s := newStage(t, plan{announce: true})
	t.Logf("whole %v after the start", time.Since(since).Round(time.Millisecond))
	all, end := s.play(1)
	owner, _ := s.ownerAnd()
	s.killed(owner, all, true)
	end()
}

// An external NATS is used in place of the embedded one. While it is away every
// node is alone, and nothing is lost of the changes.
func TestExternalNATS(t *testing.T) {
	t.Parallel()
	options := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true}
	bus := startNATS(t, options)
	options.Port = bus.Addr().(*net.TCPAddr).Port
	y := newYard(t)
	addr, _, err := y.Open(t.Context(), bus.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, plan{yard: y, nats: "nats://" + addr})
	all, end := s.play(2)
	owner, _ := s.ownerAnd()
	s.killed(owner, all, s.dsn != "")
	bus.Shutdown()
	bus.WaitForShutdown()
	s.pass(2 * lost)
	since := time.Now()
	startNATS(t, options)
	s.healed(all, since)
	end()
}

// startNATS starts a server that ends with the test.
func startNATS(t *testing.T, options *server.Options) *server.Server {
	t.Helper()
	n, err := server.NewServer(options.Clone())
	if err != nil {
		t.Fatal(err)
	}
	n.Start()
	t.Cleanup(func() {
		n.Shutdown()
		n.WaitForShutdown()
	})
	if !n.ReadyForConnections(patience) {
		t.Fatal("NATS does not start")
	}
	return n
}
