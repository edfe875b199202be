package app

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// One client takes nothing of 6 MB. It is hung up on and counted; those beside
// it hear everything, in order, and the server holds no more than a queue.
// (It measures memory, so nothing runs beside it.)
func TestAClientThatReadsNothing(t *testing.T) {
	overTCP(t, func(s *script) {
		const messages, size, window = 6_000, 1000, 50
		s.unlimited()
		s.flags = append(s.flags, "--loops=2", "--queue-bytes=1048576")
		ann, bob := s.join("ann", "a"), s.join("bob", "a")
		conn, _ := s.handshake(map[string]string{})
		defer func() { _ = conn.Close() }()
		_ = conn.(*net.TCPConn).SetReadBuffer(16 << 10)
		_, _ = conn.Write(masked(0x81, `["1","1","realtime:a","phx_join",{"config":{}}]`))
		ann.until("the slow client has joined", func() bool { return members(s) == 3 })

		filler := strings.Repeat("f", size)
		before := heap()
		for n := range messages {
			ann.say("a", n, filler)
			if n%window == window-1 {
				for i := n - window + 1; i <= n; i++ {
					if _, got := bob.heardFrom(); got != i {
						s.fatalf("bob hears %d, want %d", got, i)
					}
				}
			}
		}
		ann.until("the slow client has left", func() bool { return members(s) == 2 })
		if grown := int64(heap()) - int64(before); grown > 16<<20 {
			s.t.Errorf("the heap has grown by %d bytes", grown)
		}
		if n := s.hangups("1013"); n != 1 {
			s.t.Errorf("%d hangups are counted, want 1", n)
		}
		bob.fence("after")
	})
}

// members returns how many users the tenant counts.
func members(s *script) int { return s.app.meters.Of("acme").Users() }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What waits for 15 seconds is as bad as what is too much.
func TestAClientThatReadsNothingForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		run(t, pipes(), func(s *script) {
			ann := s.join("ann", "a")
			conn, _ := s.handshake(map[string]string{})
			defer func() { _ = conn.Close() }()
			_, _ = conn.Write(masked(0x81, `["1","1","realtime:a","phx_join",{"config":{}}]`))
			for n := range 5 {
				ann.say("a", n, "")
			}
			time.Sleep(14 * time.Second) // virtual
			if n := s.hangups("1013"); n != 0 {
				t.Errorf("%d hangups are counted after 14 seconds, want none", n)
			}
			time.Sleep(3 * time.Second)
			if n := s.hangups("1013"); n != 1 {
				t.Errorf("%d hangups are counted after 17 seconds, want 1", n)
			}
			time.Sleep(5 * time.Second)
			if n := s.app.sockets.Open(); n != 1 {
				t.Errorf("%d connections are left, want 1", n)
			}
		})
	})
}

// A client that takes a message now and then, so that something always waits
// for it, is slow but not stuck.
func TestAClientThatAlwaysLagsALittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		run(t, pipes(), func(s *script) {
			s.unlimited()
			ann, bob := s.join("ann", "a"), s.join("bob", "a")
			_ = bob.conn.SetReadDeadline(time.Now()) // ends its listening
			for range bob.frames {
			}
			_ = bob.conn.SetReadDeadline(time.Time{})
			filler := strings.Repeat("f", 30_000)
			buf := make([]byte, 64<<10)
			for n := range 60 {
				ann.say("a", n, filler)
				ann.say("a", n, filler)
				time.Sleep(time.Second) // virtual
				ann.fence("alive")
				for taken := 0; taken < 50_000; {
					got, err := bob.conn.Read(buf)
					if err != nil {
						s.fatalf("hung up on after %d seconds: %v", n, err)
					}
					taken += got
				}
				if n%20 == 0 {
					_, _ = bob.conn.Write(masked(0x8A, "")) // or it would be idle
				}
			}
		})
	})
}

// A client that asks and asks, and never reads the answers, is hung up on.
func TestAClientThatFloodsAndReadsNothing(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string][]byte{
		"with pings":      masked(0x89, ""),
		"with heartbeats": masked(0x81, `[null,"1","phoenix","heartbeat",{}]`),
		"with joins":      masked(0x81, `["1","1","nowhere","phx_join",{}]`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overTCP(t, func(s *script) {
				s.connect("bob", "")
				conn, _ := s.handshake(map[string]string{})
				defer func() { _ = conn.Close() }()
				many := []byte(strings.Repeat(string(frame), 5_000))
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					for { // until the server drops the connection, or the test does
						if _, err := conn.Write(many); err != nil {
							return
						}
					}
				}()
				bob := s.client("bob")
				bob.until("the client is hung up on", func() bool { return s.hangups("1013") == 1 })
				_ = conn.Close()
				<-sent
				bob.until("the client is gone", func() bool { return s.app.sockets.Open() == 1 })
			})
		})
	}
}
