//go:build linux

package yard

import (
	"context"
	"net"
	"os/exec"
	"sync"
)

// A Place is where something stands in a network.
type Place int

// The nodes of a cluster, and what they use.
const (
	A Place = iota
	B
	C
	Services // PostgreSQL and NATS
	Places

	Elsewhere Place = -1 // clients
)

// Trio are the nodes.
var Trio = [...]Place{A, B, C}

// String returns the name of a place.
func (p Place) String() string {
	if p < A || p > Services {
		return "elsewhere"
	}
	return [...]string{"a", "b", "c", "services"}[p]
}

// A Network is one in which nodes run. Clients reach every node, whatever is cut.
type Network interface {
	// String says what it is made of.
	String() string
	// Secure reports whether nodes talk over addresses that others could reach, and
	// so need TLS.
	Secure() bool
	// Address returns the host of a node.
	Address(Place) string
	// Join is called on the thread that starts a node's process.
	Join(Place) error
	// Open makes a service reachable for the nodes, under the address it returns.
	// from tells which node a connection to the service comes from, by its port.
	Open(ctx context.Context, service string) (addr string, from func(port int) (Place, bool), err error)
	// Advertise returns where other nodes are to come in that listen on an address,
	// "" for there.
	Advertise(ctx context.Context, node Place, listen string) (string, error)
	// Runs says which process a node is.
	Runs(node Place, pid int)
	// Cut has nothing pass from one place to another, without a word to either.
	Cut(from, to Place) error
	// Mend undoes all cuts.
	Mend() error
	// Dial connects a client.
	Dial(ctx context.Context, network, addr string) (net.Conn, error)
	// Close ends all that it owns, when no process of it runs any more.
	Close() error
}

// Best returns the best network that the machine allows, and why it is not
// namespaces if it is not.
func Best() (n Network, why error) {
	if _, err := exec.LookPath("ip"); err != nil {
		return NewProxies(), err
	}
	y, err := NewNamespaces()
	if err != nil {
		return NewProxies(), err
	}
	return y, nil
}

// gates are those of a network that run.
type gates struct {
	mu    sync.Mutex // guards stops
	stops []func()
}

// start runs a gate until stop is called; ctx gives values only, as what a gate
// serves outlives the request to open it.
func (g *gates) start(ctx context.Context, one *gate) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { one.run(ctx) })
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stops = append(g.stops, func() { cancel(); running.Wait() })
}

func (g *gates) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, stop := range g.stops {
		stop()
	}
	g.stops = nil
}
