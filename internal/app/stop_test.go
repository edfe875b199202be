package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

func TestAThousandClientsAreToldOfAStop(t *testing.T) {
	t.Parallel()
	thousand(t, func(s *script) { s.stop() })
}

func TestAThousandClientsAreDismissed(t *testing.T) {
	t.Parallel()
	thousand(t, func(s *script) { s.app.sockets.Dismiss("acme") })
}

// thousand connects as many clients and expects that all of them hear 1012.
func thousand(t *testing.T, end func(*script)) {
	overTCP(t, func(s *script) {
		const clients = 1000
		s.unlimited()
		s.flags = append(s.flags, "--loops=3")
		for i := range clients {
			s.connect(fmt.Sprint("client", i), "")
			s.client(fmt.Sprint("client", i)).join("a")
		}
		end(s)
		var wg sync.WaitGroup
		for _, c := range s.clients {
			wg.Go(func() {
				code := 1006
				for f := range c.frames {
					if f.op == websocket.Close {
						code, _, _ = websocket.ParseClose(f.payload)
						_ = c.conn.Close()
					}
				}
				if code != websocket.CodeRestart {
					t.Errorf("%s is closed with %d, want 1012", c.name, code)
				}
			})
		}
		wg.Wait()
	})
}

// Clients that ignore the close, take nothing at all or are still shaking hands
// do not hold a stop for longer than its grace.
func TestAStopThatClientsIgnore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		run(t, pipes(), func(s *script) {
			s.join("ann", "a") // reads, and does not close
			deaf, _ := s.handshake(map[string]string{})
			defer func() { _ = deaf.Close() }()
			mute := s.dial()
			defer func() { _ = mute.Close() }()
			synctest.Wait()
			began := time.Now()
			s.stop()
			err := <-s.done
			s.done <- nil // for the end of the script
			if took := time.Since(began); took > 11*time.Second || err != nil {
				t.Errorf("the stop takes %v and says %v, want ten seconds at most and no error", took, err)
			}
		})
	})
}

// A client that comes while the server stops is told so, too, and does not hold
// the stop.
func TestAClientThatComesWhileTheServerStops(t *testing.T) {
	t.Parallel()
	overTCP(t, func(s *script) {
		for range 20 {
			s.dialAndAsk()
		}
		began := time.Now()
		s.stop()
		if err := <-s.done; err != nil {
			t.Errorf("the server stopped with: %v", err)
		}
		s.done <- nil
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}

// dialAndAsk sends a handshake and does not wait for its answer. The client
// closes when it is told to.
func (s *script) dialAndAsk() {
	conn := s.dial()
	_, _ = fmt.Fprintf(conn, "GET /socket/websocket?vsn=2.0.0&apikey=%s HTTP/1.1\r\nHost: acme.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", s.token(nil))
	go func() {
		_, _ = io.Copy(io.Discard, conn) // until the server ends its side
		_ = conn.Close()
	}()
}

// A server that is started and stopped again and again, in the middle of its
// clients' work, leaves no goroutine and no descriptor. (It counts what the
// process holds, so nothing runs beside it.)
func TestStartAndStopUnderLoad(t *testing.T) {
	before := goleak.IgnoreCurrent()
	files := descriptors(t)
	for i := range 50 {
		startAndStop(t, i%2 == 1)
	}
	goleak.VerifyNone(t, before)
	if n := descriptors(t); n > files {
		t.Errorf("%d descriptors are open, %d were", n, files)
	}
}

func startAndStop(t *testing.T, portable bool) {
	var config Config
	parser, err := kong.New(&config)
	if err != nil {
		t.Fatal(err)
	}
	flags := []string{"--dev-secret=" + testSecret, "--connect-backoff=1", "--channel-backoff=1", "--loops=2"}
	if portable {
		flags = append(flags, "--portable")
	}
	if _, err := parser.Parse(flags); err != nil {
		t.Fatal(err)
	}
	app, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx, l) }()
	token, err := auth.Mint(testSecret, map[string]any{"role": "anon", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	busy := make(chan struct{}, 1000)
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				visit(l.Addr().String(), token)
				busy <- struct{}{}
			}
		})
	}
	for range 20 {
		<-busy
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the server stopped with: %v", err)
	}
	go func() { wg.Wait(); close(busy) }()
	for range busy {
	}
}

// visit connects, joins, talks, and goes without a word.
func visit(addr, token string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "GET /socket/websocket?vsn=2.0.0&apikey=%s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", token)
	_, _ = conn.Write(masked(0x81, `["1","1","realtime:a","phx_join",{"config":{"presence":{"enabled":true}}}]`))
	_, _ = conn.Write(masked(0x81, `["1",null,"realtime:a","presence",{"event":"track"}]`))
	buf := make([]byte, 1024)
	for total := 0; total < 300; {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		total += n
	}
}

// descriptors returns how many files the process holds; 0 where nobody knows.
func descriptors(t *testing.T) int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Logf("descriptors are not counted here: %v", err)
		return 0
	}
	return len(files)
}
