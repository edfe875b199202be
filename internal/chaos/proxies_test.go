//go:build linux

package chaos

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxies is a yard on the loopback, for machines that have nothing better and
// for links that are slow: nodes reach each other and the services through
// gates.
type proxies struct {
	links [places][places]*link

	mu   sync.Mutex // guards pids
	pids [places]int
}

func newProxies(*testing.T) *proxies {
	y := &proxies{}
	for from := range places {
		for to := range places {
			y.links[from][to] = newLink()
		}
	}
	return y
}

func (y *proxies) String() string { return "proxies" }

func (y *proxies) secure() bool { return false }

func (y *proxies) address(place) string { return "127.0.0.1" }

func (y *proxies) join(place) error { return nil }

func (y *proxies) runs(node place, pid int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.pids[node] = pid
}

func (y *proxies) open(t *testing.T, service string) (addr string, from func(int) (place, bool)) {
	t.Helper()
	g := y.gate(t, services, service)
	return g.listener.Addr().String(), g.way
}

func (y *proxies) advertise(t *testing.T, node place, listen string) string {
	t.Helper()
	return y.gate(t, node, listen).listener.Addr().String()
}

// gate lets nodes come in to what stands at a place.
func (y *proxies) gate(t *testing.T, to place, target string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := newLink()
	g := &gate{
		listener: l, target: target, dial: new(net.Dialer).DialContext, from: y.whose,
		links: func(from place) (there, back *link) {
			if from == elsewhere {
				return free, free
			}
			return y.links[from][to], y.links[to][from]
		},
		open: map[net.Conn]struct{}{}, ways: map[int]place{},
	}
	beside(t, g.run)
	return g
}

func (y *proxies) cut(_ *testing.T, from, to place) {
	y.links[from][to].set(func(l *link) { l.cut = true })
}

func (y *proxies) mend(*testing.T) {
	for _, row := range y.links {
		for _, l := range row {
			l.set(func(l *link) { l.cut = false })
		}
	}
}

// slow makes all links between nodes slow. rate is bytes per second.
func (y *proxies) slow(delay, jitter time.Duration, rate int) {
	for _, from := range trio {
		for _, to := range trio {
			y.links[from][to].set(func(l *link) { l.delay, l.jitter, l.rate = delay, jitter, rate })
		}
	}
}

func (y *proxies) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// whose finds out which node made a connection: the kernel knows the number of
// the socket, and the processes which they have open. See proc(5).
func (y *proxies) whose(conn net.Conn) place {
	y.mu.Lock()
	pids := y.pids
	y.mu.Unlock()
	socket := socketOf(conn.RemoteAddr().(*net.TCPAddr), conn.LocalAddr().(*net.TCPAddr))
	if socket == "" {
		return elsewhere
	}
	for _, p := range trio {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pids[p]))
		for _, f := range files {
			if to, err := os.Readlink(f); err == nil && to == "socket:["+socket+"]" {
				return p
			}
		}
	}
	return elsewhere
}

// socketOf returns the number of the socket at an address of the loopback.
func socketOf(at, peer *net.TCPAddr) string {
	for _, table := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) > 9 && portOf(fields[1]) == at.Port && portOf(fields[2]) == peer.Port {
				return fields[9]
			}
		}
	}
	return ""
}

func portOf(address string) int {
	_, port, _ := strings.Cut(address, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}
