//go:build linux

package chaos

import (
	"context"
	"net"
	"os"
	"os/exec"
	"testing"
)

// A place is where something stands in a network.
type place int

// The nodes of a stage, and what they use.
const (
	a place = iota
	b
	c
	services // PostgreSQL and NATS
	places

	elsewhere place = -1 // clients
)

// trio are the nodes.
var trio = [...]place{a, b, c}

// String returns the name of a node.
func (p place) String() string { return [...]string{"a", "b", "c", "services"}[p] }

// A yard is the network in which the nodes of a stage run. Clients reach every
// node, whatever is cut.
type yard interface {
	// String says what it is made of.
	String() string
	// secure reports whether nodes talk over addresses that others could reach, and
	// so need TLS.
	secure() bool
	// address returns the host of a node.
	address(place) string
	// join is called on the thread that starts a node's process.
	join(place) error
	// open makes a service reachable for the nodes, under the address it returns.
	// from tells which node a connection to the service comes from, by its port.
	open(t *testing.T, service string) (addr string, from func(port int) (place, bool))
	// advertise returns where other nodes are to come in that listen on an address,
	// "" for there.
	advertise(t *testing.T, node place, listen string) string
	// runs says which process a node is.
	runs(node place, pid int)
	// cut has nothing pass from one place to another, without a word to either.
	cut(t *testing.T, from, to place)
	// mend undoes all cuts.
	mend(t *testing.T)
	// dial connects a client.
	dial(ctx context.Context, network, addr string) (net.Conn, error)
}

// newYard returns the best network that the machine allows. With
// TUTTI_CHAOS_NETWORK=proxies it is the other.
func newYard(t *testing.T) yard {
	t.Helper()
	if _, err := exec.LookPath("ip"); err == nil && os.Getenv("TUTTI_CHAOS_NETWORK") != "proxies" {
		y, err := newNamespaces(t)
		if err == nil {
			return y
		}
		t.Logf("no network namespaces (%v)", err)
	}
	return newProxies(t)
}
