package app

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti/internal/websocket"
)

// Ten thousand joins fail on one connection. Each gets its reply, but only so
// many wait for it at once: meanwhile the connection is not read. (It measures
// memory, so nothing runs beside it.)
func TestAFloodOfJoinsThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		topic string // after its number
		joins int
	}{
		"many":                    {joins: 10_000},
		"fewer, with long topics": {topic: strings.Repeat("t", 8000), joins: 2_000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run(t, pipes(), func(s *script) {
					s.unlimited()
					s.connect("ann", "")
					ann := s.client("ann")
					before, most := heap(), uint64(0)
					began := time.Now()
					go func() {
						for n := range tt.joins {
							join := fmt.Sprintf(`["%d","%d","realtime:%d%s","phx_join",{"config":{"private":true}}]`, n, n, n, tt.topic)
							_, _ = ann.conn.Write(masked(0x81, join))
						}
						_, _ = ann.conn.Write(masked(0x81, `[null,"last","phoenix","heartbeat",{}]`))
					}()
					replies, answered := 0, false
					for replies < tt.joins || !answered {
						f := <-ann.frames
						if bytes.HasPrefix(f.payload, []byte(`[null,"last"`)) {
							answered = true
							continue
						}
						if want := fmt.Sprintf(`["%d","%d",`, replies, replies); !bytes.HasPrefix(f.payload, []byte(want)) {
							t.Fatalf("got %.80s, want the reply %s", f.payload, want)
						}
						if replies++; replies%1000 == 500 {
							most = max(most, heap())
						}
					}
					if most > before+8<<20 {
						t.Errorf("the heap has grown by %d bytes", most-before)
					}
					// 256 wait at once, and those of the chunk that came with the last.
					if took, least := time.Since(began), time.Duration(tt.joins/400)*5*time.Second; took < least {
						t.Errorf("all were answered within %v: it was read on", took)
					}
					ann.fence("after")
				})
			})
		})
	}
}

// The flood over TCP, where only the clock is not looked at.
func TestAFloodOfJoinsThatFailOverTCP(t *testing.T) {
	t.Parallel()
	overTCP(t, func(s *script) {
		const joins = 10_000
		s.unlimited()
		s.connect("ann", "")
		ann := s.client("ann")
		var all []byte
		for n := range joins {
			all = append(all, masked(0x81, fmt.Sprintf(`["%d","%d","realtime:a%d","phx_join",{"config":{"private":true}}]`, n, n, n))...)
		}
		go func() { _, _ = ann.conn.Write(all) }()
		for n := range joins {
			if f, want := ann.next(), fmt.Sprintf(`["%d","%d",`, n, n); !bytes.HasPrefix(f.payload, []byte(want)) {
				s.fatalf("got %.80s, want the reply %s", f.payload, want)
			}
		}
		ann.fence("after")
	})
}

// A connection that is not read, because joins of it wait, still ends in time
// when the server stops.
func TestAStopInTheMiddleOfAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		run(t, pipes(), func(s *script) {
			s.unlimited()
			s.connect("ann", "")
			ann := s.client("ann")
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for n := range 1000 {
					if _, err := ann.conn.Write(masked(0x81, fmt.Sprintf(`["%d","1","realtime:a","phx_join",{"config":{"private":true}}]`, n))); err != nil {
						return
					}
				}
			}()
			synctest.Wait()
			began := time.Now()
			s.stop()
			ann.closed("1012")
			_ = ann.conn.Close()
			<-sent
			if took := time.Since(began); took > time.Second {
				t.Errorf("the client is told after %v", took)
			}
		})
	})
}

// A client may be on 99,999 topics at once, whatever its tenant allows. When it
// goes, nothing of them is left.
func TestAsManyTopicsAsThereMayBe(t *testing.T) {
	t.Parallel()
	const most = 99_999
	run(t, tcp(t), func(s *script) {
		s.unlimited()
		s.flags = append(s.flags, "--queue-bytes=100000000", "--loops=2")
		s.connect("bob", "")
		s.connect("ann", "")
		ann, bob := s.client("ann"), s.client("bob")
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for n := range most + 1 {
				frame := masked(0x81, fmt.Sprintf(`["1","%d","realtime:%d","phx_join",{"config":{"presence":{"enabled":%t}}}]`, n, n, n%10 == 0))
				if n%10 == 0 {
					frame = append(frame, masked(0x81, fmt.Sprintf(`["1",null,"realtime:%d","presence",{"event":"track"}]`, n))...)
				}
				_, _ = ann.conn.Write(frame)
			}
		}()
		refused := false
		for !refused {
			f := ann.next()
			refused = f.op == websocket.Text && bytes.Contains(f.payload, []byte("too many channels joined"))
			if !refused && bytes.Contains(f.payload, []byte(`"status":"error"`)) {
				s.fatalf("got %s", f.payload)
			}
		}
		<-sent
		if n := s.app.topics.Topics(); n != most {
			s.t.Errorf("%d topics, want %d", n, most)
		}
		if topics, entries := s.app.roster.Count(); topics != 10_000 || entries != 10_000 {
			s.t.Errorf("%d topics and %d entries are present, want 10,000", topics, entries)
		}
		_ = ann.conn.Close()
		bob.until("the topics are gone", func() bool {
			topics, entries := s.app.roster.Count()
			return s.app.topics.Topics()+topics+entries == 0
		})
		if n := members(s); n != 0 {
			s.t.Errorf("%d users are counted, want none", n)
		}
	})
}
