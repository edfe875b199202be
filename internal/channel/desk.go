package channel

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti/internal/auth"
	"github.com/tutti-realtime/tutti/internal/broadcast"
	"github.com/tutti-realtime/tutti/internal/hub"
	"github.com/tutti-realtime/tutti/internal/presence"
)

// A Desk is what the clients of one event loop share.
type Desk struct {
	*Service
	Shard *hub.Shard // the listeners of this loop
	Index int        // of this loop
	Loop  hub.Loop

	hearing *Channel // that was given a message last
}

// Hearing returns the line of the client that was given a message last, nil if
// none ever was: who panics while a message is handed out is there.
func (d *Desk) Hearing() Line {
	if d.hearing == nil {
		return nil
	}
	return d.hearing.client.Line
}

// A Service is what the clients of all loops share.
type Service struct {
	Verifier *auth.Verifier
	Door     *broadcast.Door
	Roster   *presence.Roster
	Rows     Rows     // nil: no tenant has a database
	Policies Policies // nil refuses private channels
	Rooms    Rooms    // nil: there are no extensions
	Metrics  *Metrics // nil counts nothing
	Log      *slog.Logger

	// JoinBackoff is how long the reply to a refused join waits, so that
	// clients that retry at once do no harm.
	JoinBackoff time.Duration
	// PresenceCalls presence messages per PresenceWindow are allowed to each
	// channel whose tenant says nothing else.
	PresenceCalls  int
	PresenceWindow time.Duration

	closing atomic.Bool
	lastID  atomic.Uint64
}

// Close makes every later join fail: the server is about to stop.
func (s *Service) Close() { s.closing.Store(true) }

// nextID returns a number that no other channel of this node has or had.
func (s *Service) nextID() uint64 { return s.lastID.Add(1) }
