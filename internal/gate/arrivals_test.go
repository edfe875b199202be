package gate

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// serve runs an HTTP server behind a gate until the test ends, and returns its
// address. A request of /socket keeps its connection, as a WebSocket does.
func serve(t *testing.T, g *Gate) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var taken []net.Conn
	s := &http.Server{
		ReadHeaderTimeout: 10 * time.Second, ConnState: g.ConnState,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/socket" {
				return
			}
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			taken = append(taken, c)
			mu.Unlock()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		}),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-ended
		for _, c := range taken {
			_ = c.Close()
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// answered reports whether a request gets an answer.
func answered(t *testing.T, c net.Conn, path string) bool {
	t.Helper()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return false
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil {
		return answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusSwitchingProtocols
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("it is neither answered nor closed")
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	return false
}

// until waits for the server to have noticed something.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); !done(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("this never happens: %s", what)
		}
	}
}

// An attacker opens connections and says half a request on each, so that they
// stay (slowloris). Nobody can keep more of them than the gate allows, and
// WebSockets, which have shown a token, are not counted.
func TestConnectionsThatSayNothing(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Settings{
		"of one address": {PendingPerAddress: 20},
		"all together":   {Pending: 20, Uncounted: prefixes(t, "127.0.0.0/8")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, _ := open(t, s)
			address := serve(t, g)
			for range 5 { // they do not count
				if !answered(t, dial(t, address), "/socket") {
					t.Fatal("a WebSocket is turned away")
				}
			}
			until(t, "sockets pass", func() bool { return g.pending() == 0 })
			var slow []net.Conn
			for range 20 {
				c := dial(t, address)
				if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nX-Slow: "); err != nil {
					t.Fatal(err)
				}
				slow = append(slow, c)
			}
			until(t, "all have arrived", func() bool { return g.pending() == 20 })
			for range 50 {
				if answered(t, dial(t, address), "/") {
					t.Fatal("one more is let in")
				}
			}
			for _, c := range slow {
				_ = c.Close()
			}
			until(t, "they have gone", func() bool { return g.pending() == 0 })
			if !answered(t, dial(t, address), "/") {
				t.Error("nobody is let in when they have gone")
			}
		})
	}
}

// A thousand addresses that have gone leave nothing behind.
func TestWhoHasGoneIsForgotten(t *testing.T) {
	t.Parallel()
	g, _ := open(t, Settings{PendingPerAddress: 1})
	for i := range 1000 {
		c := &addressed{netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), 1)}
		g.ConnState(c, http.StateNew)
		g.ConnState(c, http.StateActive)
		g.ConnState(c, http.StateClosed)
	}
	if g.pending() != 0 || len(g.arrivals.from) != 0 {
		t.Errorf("%d wait, %d are remembered", g.pending(), len(g.arrivals.from))
	}
}

// pending returns how many connections are waiting.
func (g *Gate) pending() int {
	g.arrivals.mu.Lock()
	defer g.arrivals.mu.Unlock()
	return g.arrivals.all
}

// addressed is a connection of which nothing but its address matters.
type addressed struct{ from netip.AddrPort }

func (a *addressed) Read([]byte) (int, error)         { return 0, io.EOF }
func (a *addressed) Write(p []byte) (int, error)      { return len(p), nil }
func (a *addressed) Close() error                     { return nil }
func (a *addressed) LocalAddr() net.Addr              { return nil }
func (a *addressed) RemoteAddr() net.Addr             { return net.TCPAddrFromAddrPort(a.from) }
func (a *addressed) SetDeadline(time.Time) error      { return nil }
func (a *addressed) SetReadDeadline(time.Time) error  { return nil }
func (a *addressed) SetWriteDeadline(time.Time) error { return nil }
