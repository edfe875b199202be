package socket

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti/internal/limit"
)

// A nag is a poller that brings new work whenever it is asked.
type nag struct{ bring func() }

func (n *nag) wait(time.Duration) { n.bring() }
func (n *nag) wake()              {}
func (n *nag) close()             {}

// quiet returns a loop that does not run, with some connections.
func quiet(conns int) *loop {
	s := &Server{Settings: ordinary(), Log: slog.New(slog.DiscardHandler), Meters: &limit.Meters{}}
	s.Metrics = NewMetrics(prometheus.NewRegistry(), s)
	l := &loop{server: s, output: make([]byte, 0, writeSize)}
	for range conns {
		c := &conn{loop: l, wire: &trickle{takes: 1 << 20}, heard: time.Now()}
		c.client.Line = c
		l.add(c)
	}
	return l
}

// Clients that never cease to ask do not keep a loop from its other work.
func TestFlushingEnds(t *testing.T) {
	t.Parallel()
	l := quiet(1000)
	asked := 0
	l.poll = &nag{bring: func() {
		for _, c := range l.slots { // each has been answered, and asks again
			c.Send([]byte("again"), true)
			c.flush()
			c.Send([]byte("again"), false)
		}
		if asked++; asked > 100 {
			t.Fatal("it goes on and on")
		}
	}}
	for _, c := range l.slots {
		c.Send([]byte("first"), false)
	}
	for range 3 {
		l.flushDirty()
		if n := len(l.dirty); n > len(l.slots) {
			t.Fatalf("%d connections are to be written to, of %d", n, len(l.slots))
		}
	}
}

// A burst that is larger than what may wait does not harm a client that takes
// it, and does harm one that does not.
func TestABurstWithinOneTurn(t *testing.T) {
	t.Parallel()
	l := quiet(2)
	well, ill := l.slots[0], l.slots[1]
	ill.wire.(*trickle).takes = 100
	frame := make([]byte, 1000)
	for range 20_000 {
		well.Send(frame, false)
		ill.Send(frame, false)
	}
	l.flushDirty()
	if well.state != stateOpen || len(well.wire.(*trickle).taken) != 20_000*len(frame) {
		t.Errorf("the client is in state %d and has %d bytes", well.state, len(well.wire.(*trickle).taken))
	}
	if ill.state == stateOpen {
		t.Error("the client that takes nothing is not hung up on")
	}
}

// Timers fire in the order of their times, and those of one time in the order
// in which they were set.
func TestTimersFireInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := quiet(0)
		var fired, want []string
		for i := range 100 {
			name := fmt.Sprint(i)
			l.timers.add(time.Now().Add(time.Second), func() { fired = append(fired, name) })
			if i%3 != 0 {
				want = append(want, name)
			}
		}
		for _, x := range slices.Clone(l.timers.queue) {
			if (x.number-1)%3 == 0 {
				l.timers.remove(x)
				l.timers.remove(x) // once more does no harm
			}
		}
		l.timers.add(time.Now(), func() { fired = append(fired, "first") })
		l.timers.add(time.Now().Add(time.Hour), func() { fired = append(fired, "never") })
		time.Sleep(2 * time.Second) // virtual
		l.fireTimers()
		if want = append([]string{"first"}, want...); !slices.Equal(fired, want) {
			t.Errorf("fired %v, want %v", fired, want)
		}
	})
}

// ordinary returns the settings of a server that was told nothing.
func ordinary() Settings {
	return Settings{
		MaxFrame:       5_000_000,
		MaxHeader:      16 << 10,
		QueueBytes:     4 << 20,
		QueueAge:       15 * time.Second,
		SendBuffer:     64 << 10,
		Idle:           60 * time.Second,
		Abandoned:      10 * time.Minute,
		ConnectBackoff: 2 * time.Second,
		CloseHandshake: 5 * time.Second,
	}
}
