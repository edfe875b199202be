// Package socket is the connection engine: it accepts WebSockets, reads and
// writes their frames on a few event loops, and hangs up on those that are
// idle, slow or broken. What the frames mean is internal/channel's affair.
//
// It owns one goroutine for each event loop. A connection and its channels live
// on one loop, so nothing of them is locked. On Linux a plain TCP connection
// costs no goroutine (epoll); elsewhere, and under TLS, each has one that reads.
package socket

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/gate"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/limit"
	"github.com/tutti-realtime/tutti/internal/tenant"
)

// Settings is what an operator may choose.
type Settings struct {
	Loops          int           // event loops; 0 means one for each core that Go uses
	Portable       bool          // goroutines that read, even where epoll is to be had
	MaxFrame       int           // bytes of one message of a client, all fragments together
	MaxHeader      int           // bytes of one header value of the handshake
	QueueBytes     int           // bytes that may wait for one slow client
	QueueAge       time.Duration // how long a client may take nothing of what waits
	SendBuffer     int           // bytes of the kernel's send buffer; 0 leaves it to the kernel
	Idle           time.Duration // without a byte from the client, until it is hung up on
	Abandoned      time.Duration // how often clients that left all their channels are dropped
	MaxOpen        int           // connections at once; 0 is no limit
	ConnectBackoff time.Duration // how long the refusal of a handshake waits
	CloseHandshake time.Duration // how long a closed socket waits for the client to close too
}

// A Server is the event loops and the door to them.
type Server struct {
	Settings Settings
	Tenants  *tenant.Directory
	Verifier *auth.Verifier
	Meters   *limit.Meters
	Gate     *gate.Gate // nil: anybody may ask, as often as they like
	Log      *slog.Logger
	Metrics  *Metrics
	Attend   func() // what busy loops call now and then, and what takes microseconds; may be nil

	loops []*loop
	next  atomic.Uint32 // connections accepted, for choosing a loop
	open  atomic.Int64  // connections on all loops

	draining atomic.Bool // handshakes are refused, and those that just passed hung up on
}

// Loops makes the event loops and returns them for a hub. It starts nothing.
func (s *Server) Loops() ([]hub.Loop, error) {
	n := s.Settings.Loops
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	loops := make([]hub.Loop, min(n, hub.MaxLoops))
	for i := range loops {
		l, err := newLoop(s, i)
		if err != nil {
			return nil, err
		}
		s.loops = append(s.loops, l)
		loops[i] = l
	}
	return loops, nil
}

// Seat gives each loop the listeners of a hub and what its clients share. It
// must be called once, before Run.
func (s *Server) Seat(h *hub.Hub, shared *channel.Service) {
	for i, l := range s.loops {
		l.desk = &channel.Desk{Service: shared, Shard: h.Shard(i), Index: i, Loop: l}
	}
}

// Run runs the event loops until ctx ends, and returns when they have ended and
// every connection is closed.
func (s *Server) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, l := range s.loops {
		wg.Go(l.run)
	}
	<-ctx.Done()
	for _, l := range s.loops {
		l.post(l.stop)
	}
	wg.Wait()
	return nil
}

// Open returns how many connections there are.
func (s *Server) Open() int { return int(s.open.Load()) }

// each calls f for every connection, on its loop, soon.
func (s *Server) each(f func(*conn)) {
	for _, l := range s.loops {
		l.post(func() {
			for _, c := range l.slots {
				if c != nil {
					c.rescued(f)
				}
			}
		})
	}
}

// Full reports whether some loop has so much to hand out that nothing more
// should be taken in anywhere.
func (s *Server) Full() bool {
	for _, l := range s.loops {
		if l.mail.weight.Load() > jam {
			return true
		}
	}
	return false
}
