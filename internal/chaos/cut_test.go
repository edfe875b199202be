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
)

// The networks are held to what they promise: what is cut does not pass, nobody
// is told, and nothing else is touched.
func TestCutsCut(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) (yard, dialer){
		"namespaces": func(t *testing.T) (yard, dialer) {
			y, err := newNamespaces(t)
			if err != nil {
				t.Skip(err)
			}
			return y, func(t *testing.T, to place) net.Conn { return y.talk(t, to) }
		},
		"proxies": func(t *testing.T) (yard, dialer) {
			y := newProxies(t)
			y.runs(a, os.Getpid())
			return y, func(t *testing.T, to place) net.Conn {
				return dialAndKeep(t, y.advertise(t, to, echo(t, "127.0.0.1:0")))
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
				y.cut(t, way[0], way[1])
				if passes(t, toB, 200*time.Millisecond) {
					t.Errorf("%v to %v is cut and passes", way[0], way[1])
				}
				if !passes(t, toC, patience) {
					t.Errorf("%v to %v is cut, and the way to c too", way[0], way[1])
				}
				y.mend(t)
				arrives(t, toB)
			}
		})
	}
}

type dialer func(t *testing.T, to place) net.Conn

// talk connects from node a to another.
func (y *namespaces) talk(t *testing.T, to place) (conn net.Conn) {
	t.Helper()
	var addr string
	if err := y.of[to].do(func() error { addr = echo(t, y.address(to)+":0"); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := y.of[a].do(func() error { conn = dialAndKeep(t, addr); return nil }); err != nil {
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
