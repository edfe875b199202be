//go:build linux

package chaos

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/yard"
)

// The networks are held to what they promise: what is cut does not pass, nobody
// is told, and nothing else is touched.
func TestCutsCut(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) (yard.Network, dialer){
		"namespaces": func(t *testing.T) (yard.Network, dialer) {
			y, err := yard.NewNamespaces()
			if err != nil {
				t.Skip(err)
			}
			endsWith(t, y)
			return y, func(t *testing.T, to place) net.Conn { return reach(t, y, to) }
		},
		"proxies": func(t *testing.T) (yard.Network, dialer) {
			y := newProxies(t)
			y.Runs(a, os.Getpid())
			return y, func(t *testing.T, to place) net.Conn {
				addr, err := y.Advertise(t.Context(), to, echo(t, "127.0.0.1:0"))
				if err != nil {
					t.Fatal(err)
				}
				return dialAndKeep(t, addr)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y, dial := open(t)
			toB, toC := dial(t, b), dial(t, c)
			for _, way := range [][2]place{{a, b}, {b, a}} {
				if !passes(t, toB, patience) {
					t.Fatal("nothing passes before the cut")
				}
				if err := y.Cut(way[0], way[1]); err != nil {
					t.Fatal(err)
				}
				if passes(t, toB, 200*time.Millisecond) {
					t.Errorf("%v to %v is cut and passes", way[0], way[1])
				}
				if !passes(t, toC, patience) {
					t.Errorf("%v to %v is cut, and the way to c too", way[0], way[1])
				}
				if err := y.Mend(); err != nil {
					t.Fatal(err)
				}
				arrives(t, toB)
			}
		})
	}
}

type dialer func(t *testing.T, to place) net.Conn

// reach connects from node a to another.
func reach(t *testing.T, y *yard.Namespaces, to place) (conn net.Conn) {
	t.Helper()
	var addr string
	if err := y.Within(to, func() error { addr = echo(t, y.Address(to)+":0"); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := y.Within(a, func() error { conn = dialAndKeep(t, addr); return nil }); err != nil {
		t.Fatal(err)
	}
	return conn
}

func dialAndKeep(t *testing.T, addr string) net.Conn {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// echo says back what it hears.
func echo(t *testing.T, addr string) string {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Error(err)
		return ""
	}
	beside(t, func(ctx context.Context) {
		defer context.AfterFunc(ctx, func() { _ = l.Close() })()
		var all sync.WaitGroup
		defer all.Wait()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			all.Go(func() { _, _ = io.Copy(conn, conn); stop(); _ = conn.Close() })
		}
	})
	return l.Addr().String()
}

// passes sends a byte and reports whether it comes back in time.
func passes(t *testing.T, conn net.Conn, within time.Duration) bool {
	t.Helper()
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatalf("the cut was told: %v", err)
	}
	return comes(t, conn, within)
}

// arrives waits for what was held back.
func arrives(t *testing.T, conn net.Conn) {
	t.Helper()
	if !comes(t, conn, patience) {
		t.Fatal("what was sent before the cut does not come after it")
	}
}

func comes(t *testing.T, conn net.Conn, within time.Duration) bool {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Read(make([]byte, 1))
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return false
	}
	if err != nil {
		t.Fatalf("the cut was told: %v", err)
	}
	return n == 1
}
