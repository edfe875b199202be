package app

import (
	"encoding/binary"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti/internal/websocket"
)

// A peer that vanishes without a word takes nothing and says nothing. It is
// hung up on when it has been idle for a minute, and dropped five seconds later.
func TestAPeerThatVanishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		run(t, pipes(), func(s *script) {
			conn, _ := s.handshake(map[string]string{})
			defer func() { _ = conn.Close() }()
			time.Sleep(59 * time.Second) // virtual
			if n := s.app.sockets.Open(); n != 1 {
				t.Errorf("%d connections before the minute is over, want 1", n)
			}
			time.Sleep(13 * time.Second)
			if n := s.app.sockets.Open(); n != 0 {
				t.Errorf("%d connections after it, want none", n)
			}
		})
	})
}

// A TCP connection that is reset takes its channels with it.
func TestAPeerThatResets(t *testing.T) {
	t.Parallel()
	overTCP(t, func(s *script) {
		bob := s.join("bob", "a")
		ann := s.join("ann", "a")
		_ = ann.conn.(*net.TCPConn).SetLinger(0)
		_ = ann.conn.Close()
		bob.until("the connection is gone", func() bool { return s.app.sockets.Open() == 1 })
	})
}

// What it says after its close frame is not heard.
func TestAClientThatClosesFirst(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		payload []byte
		code    int
	}{
		"with a code":            {binary.BigEndian.AppendUint16(nil, 1000), 1000},
		"with a code of its own": {binary.BigEndian.AppendUint16(nil, 4321), 4321},
		"with a reason":          {append(binary.BigEndian.AppendUint16(nil, 1001), "bye"...), 1001},
		"without a code":         {nil, 1005},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(s *script) {
				s.connect("bob", "")
				ann := s.join("ann", "a")
				frame := websocket.AppendMasked(nil, websocket.Close, [4]byte{1, 2, 3, 4}, tt.payload)
				beat := masked(0x81, `[null,"9","phoenix","heartbeat",{}]`)
				ann.throw(append(frame, beat...))
				f := ann.next()
				if f.op != websocket.Close {
					t.Fatalf("got %s, want a close frame", ann.describe(f))
				}
				if code, _, err := websocket.ParseClose(f.payload); err != nil || code != tt.code {
					t.Errorf("answered with %d, %v, want %d", code, err, tt.code)
				}
				if _, more := <-ann.frames; more {
					t.Error("something follows the close frame")
				}
				_ = ann.conn.Close()
				s.client("bob").until("the connection is gone", func() bool { return s.app.sockets.Open() == 1 })
			})
		})
	}
}

// A client that does not answer a close frame is dropped five seconds later.
func TestAClientThatDoesNotAnswerTheClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		run(t, pipes(), func(s *script) {
			s.connect("ann", "")
			ann := s.client("ann")
			ann.throw(masked(0x83, "reserved"))
			if f := ann.next(); f.op != websocket.Close {
				t.Fatalf("got %s, want a close frame", ann.describe(f))
			}
			time.Sleep(4 * time.Second) // virtual
			if n := s.app.sockets.Open(); n != 1 {
				t.Errorf("%d connections after four seconds, want 1", n)
			}
			time.Sleep(2 * time.Second)
			if n := s.app.sockets.Open(); n != 0 {
				t.Errorf("%d connections after six seconds, want none", n)
			}
		})
	})
}
