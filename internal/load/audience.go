package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// An Audience is clients that listen, for whoever sends by another way than the
// clients' and counts for himself. Its fields are set before Open and not
// changed. It is for one goroutine, which must be in Open or Pump for the clients
// to live.
type Audience struct {
	URL, Key    string // as those of Command
	ConnectRate int    // connections that are opened per second, at most; 0 means 500
	Seats       []Seat

	// Hear is given every message to a client, by the number of its seat, before
	// anybody else: a frame as it came, which it must not keep, and when it came.
	// It reports whether the message was meant for it; of others, refusals and
	// errors are counted as failures. Nil hears nothing.
	Hear func(seat int, frame []byte, at time.Time) bool

	runner *runner
}

// A Seat is one client.
type Seat struct {
	Topic   string // what it joins, as it stands on the wire
	Payload []byte // of its join: JSON
}

// Open connects all clients and joins their topics. It is an error if none of
// them came about, or if ctx ended; Failures says why others did not. Close must
// be called, after an error too.
func (a *Audience) Open(ctx context.Context) error {
	if len(a.Seats) == 0 {
		return errors.New("an audience needs seats")
	}
	asked := Command{Kind: Idle, URL: a.URL, Key: a.Key, Connections: len(a.Seats), ConnectRate: a.ConnectRate}
	settings := asked.withDefaults()
	if err := settings.Validate(); err != nil {
		return err
	}
	to, err := parseTarget(settings.URL, settings.Key, settings.VSN)
	if err != nil {
		return err
	}
	if err := to.resolve(ctx); err != nil {
		return err
	}
	if err := allowFiles(len(a.Seats)); err != nil {
		return err
	}
	if a.runner, err = newRunner(&settings, to, process{}); err != nil {
		return err
	}
	a.runner.scenario = &listening{idle{a.runner}, a}
	a.runner.connectAll(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if a.runner.joined == 0 {
		return fmt.Errorf("no connection to %s is joined: %s", settings.URL, a.Failures()[0].Reason)
	}
	return nil
}

// Joined returns how many clients are joined now.
func (a *Audience) Joined() int { return a.runner.joined }

// Connect returns how long it took from the first packet to the reply to the
// join.
func (a *Audience) Connect() Spread { return a.runner.connect.Spread() }

// Failures returns what went wrong so far, the most frequent first.
func (a *Audience) Failures() []Failure {
	if a.runner == nil {
		return nil
	}
	return a.runner.failures.list()
}

// Pump lets the clients live until the plan is finished or ctx ends. The plan is
// asked what is due at once, whenever something came, and at the time that it
// returned last.
func (a *Audience) Pump(ctx context.Context, p func(now time.Time) (next time.Time, finished bool)) {
	r := a.runner
	r.pump(ctx, time.Duration(1<<62), func(now time.Duration) (time.Duration, bool) {
		next, finished := p(r.began.Add(now))
		return next.Sub(r.began), finished
	})
}

// Push sends an event from a seat whose client is joined, and reports whether
// it is.
func (a *Audience) Push(seat int, f *phoenix.Frame) bool {
	c := a.runner.conns[seat]
	if c.state != joined {
		return false
	}
	a.runner.send(c, f)
	return true
}

// Close ends all connections.
func (a *Audience) Close() {
	if a.runner != nil {
		a.runner.close()
	}
}

// listening is the scenario of an audience: idle, but for what it hears.
type listening struct {
	idle
	audience *Audience
}

func (s *listening) join(id int) (topic, payload []byte) {
	seat := &s.audience.Seats[id]
	return []byte(seat.Topic), seat.Payload
}

func (s *listening) receive(c *conn, m message) bool {
	hear := s.audience.Hear
	return hear != nil && hear(c.id, m.data, s.runner.began.Add(m.at))
}
