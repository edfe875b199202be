//go:build linux

package yard

import (
	"context"
	"net"
	"sync"
	"time"
)

// A gate is where connections come in that go on to a service over links.
type gate struct {
	listener net.Listener
	target   string
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	from     func(net.Conn) Place                 // who connects
	links    func(from Place) (there, back *link) // over which it goes

	mu   sync.Mutex // guards all below
	open map[net.Conn]struct{}
	ways map[int]Place // by port of the connection to the service
}

// run lets connections in until ctx ends.
func (g *gate) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, g.close)
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		in, err := g.listener.Accept()
		if err != nil {
			return
		}
		all.Go(func() { g.admit(ctx, in) })
	}
}

func (g *gate) close() {
	_ = g.listener.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	for conn := range g.open {
		_ = conn.Close()
	}
}

// keep notes a connection until forget is called.
func (g *gate) keep(ctx context.Context, conn net.Conn) (forget func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[conn] = struct{}{}
	if ctx.Err() != nil {
		_ = conn.Close()
	}
	return func() {
		_ = conn.Close()
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.open, conn)
	}
}

func (g *gate) admit(ctx context.Context, in net.Conn) {
	defer g.keep(ctx, in)()
	who := g.from(in)
	there, back := g.links(who)
	if there.pass(ctx, time.Time{}) != nil { // the first packet
		return
	}
	out, err := g.dial(ctx, "tcp", g.target)
	if err != nil {
		return
	}
	defer g.keep(ctx, out)()
	port := out.LocalAddr().(*net.TCPAddr).Port
	g.mu.Lock()
	g.ways[port] = who
	g.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { carry(ctx, there, in, out) })
	both.Go(func() { carry(ctx, back, out, in) })
	both.Wait()
}

// way tells who made the connection that reaches the service from a port.
func (g *gate) way(port int) (Place, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	who, known := g.ways[port]
	return who, known
}
