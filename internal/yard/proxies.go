//go:build linux

package yard

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
	"time"
)

// Proxies is a network on the loopback, for machines that have nothing better and
// for links that are slow: nodes reach each other and the services through
// gates.
type Proxies struct {
	links [Places][Places]*link
	gates gates

	mu   sync.Mutex // guards pids
	pids [Places]int
}

// NewProxies makes one.
func NewProxies() *Proxies {
	y := &Proxies{}
	for from := range Places {
		for to := range Places {
			y.links[from][to] = newLink()
		}
	}
	return y
}

// String implements Network.
func (y *Proxies) String() string { return "proxies" }

// Secure implements Network.
func (y *Proxies) Secure() bool { return false }

// Address implements Network.
func (y *Proxies) Address(Place) string { return "127.0.0.1" }

// Join implements Network.
func (y *Proxies) Join(Place) error { return nil }

// Runs implements Network.
func (y *Proxies) Runs(node Place, pid int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.pids[node] = pid
}

// Open implements Network.
func (y *Proxies) Open(ctx context.Context, service string) (addr string, from func(int) (Place, bool), err error) {
	g, err := y.gate(ctx, Services, service)
	if err != nil {
		return "", nil, err
	}
	return g.listener.Addr().String(), g.way, nil
}

// Advertise implements Network.
func (y *Proxies) Advertise(ctx context.Context, node Place, listen string) (string, error) {
	g, err := y.gate(ctx, node, listen)
	if err != nil {
		return "", err
	}
	return g.listener.Addr().String(), nil
}

// gate lets nodes come in to what stands at a place.
func (y *Proxies) gate(ctx context.Context, to Place, target string) (*gate, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	free := newLink()
	g := &gate{
		listener: l, target: target, dial: new(net.Dialer).DialContext, from: y.whose,
		links: func(from Place) (there, back *link) {
			if from == Elsewhere {
				return free, free
			}
			return y.links[from][to], y.links[to][from]
		},
		open: map[net.Conn]struct{}{}, ways: map[int]Place{},
	}
	y.gates.start(ctx, g)
	return g, nil
}

// Cut implements Network.
func (y *Proxies) Cut(from, to Place) error {
	y.links[from][to].set(func(l *link) { l.cut = true })
	return nil
}

// Mend implements Network.
func (y *Proxies) Mend() error {
	for _, row := range y.links {
		for _, l := range row {
			l.set(func(l *link) { l.cut = false })
		}
	}
	return nil
}

// Close implements Network.
func (y *Proxies) Close() error {
	y.gates.stop()
	return nil
}

// Slow makes all links between nodes slow. rate is bytes per second.
func (y *Proxies) Slow(delay, jitter time.Duration, rate int) {
	for _, from := range Trio {
		for _, to := range Trio {
			y.links[from][to].set(func(l *link) { l.delay, l.jitter, l.rate = delay, jitter, rate })
		}
	}
}

// Dial implements Network.
func (y *Proxies) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// whose finds out which node made a connection: the kernel knows the number of
// the socket, and the processes which they have open. See proc(5).
func (y *Proxies) whose(conn net.Conn) Place {
	y.mu.Lock()
	pids := y.pids
	y.mu.Unlock()
	socket := socketOf(conn.RemoteAddr().(*net.TCPAddr), conn.LocalAddr().(*net.TCPAddr))
	if socket == "" {
		return Elsewhere
	}
	for _, p := range Trio {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pids[p]))
		for _, f := range files {
			if to, err := os.Readlink(f); err == nil && to == "socket:["+socket+"]" {
				return p
			}
		}
	}
	return Elsewhere
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
