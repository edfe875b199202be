package gate

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// arrivals are the connections that are no WebSocket, or not yet.
type arrivals struct {
	mu   sync.Mutex // guards what follows
	all  int
	from map[netip.Addr]int
}

// ConnState is for http.Server. It closes connections that are too many as they
// come, which is before anything is read of them. A WebSocket is not counted
// any more: it has shown a token.
func (g *Gate) ConnState(c net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		if !g.arrive(c.RemoteAddr()) {
			g.Metrics.turnedAway()
			_ = c.Close() // the server notices, and says StateClosed
		}
	case http.StateHijacked, http.StateClosed:
		g.pass(c.RemoteAddr())
	}
}

// arrive counts a connection, and reports whether it may stay.
func (g *Gate) arrive(remote net.Addr) bool {
	a := g.caller(remote)
	l := &g.arrivals
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all++
	fits := g.Settings.Pending <= 0 || l.all <= g.Settings.Pending
	if !a.IsValid() {
		return fits
	}
	if l.from == nil {
		l.from = make(map[netip.Addr]int)
	}
	l.from[a]++
	return fits && (g.Settings.PendingPerAddress <= 0 || l.from[a] <= g.Settings.PendingPerAddress)
}

func (g *Gate) pass(remote net.Addr) {
	a := g.caller(remote)
	l := &g.arrivals
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if !a.IsValid() {
		return
	}
	if l.from[a]--; l.from[a] <= 0 {
		delete(l.from, a)
	}
}

// caller returns whom a connection is counted for, the zero Addr for nobody.
func (g *Gate) caller(remote net.Addr) netip.Addr {
	a := parseAddress(remote.String())
	if !g.counted(a) {
		return netip.Addr{}
	}
	return keeper(a)
}
