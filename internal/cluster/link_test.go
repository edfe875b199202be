package cluster

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// A link is the way to a node, which can be made to stand still: what comes in
// on either side is taken no more.
type link struct {
	listener net.Listener
	to       string
	working  sync.WaitGroup

	mu    sync.Mutex // guards all below
	still chan struct{}
	conns []net.Conn
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, to: to, still: make(chan struct{})}
	close(l.still)
	l.working.Go(l.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		l.goOn()
		l.mu.Lock()
		for _, c := range l.conns {
			_ = c.Close()
		}
		l.mu.Unlock()
		l.working.Wait()
	})
	return l
}

func (l *link) accept() {
	for {
		in, err := l.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", l.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, in, out)
		l.mu.Unlock()
		l.working.Go(func() { l.copy(in, out) })
		l.working.Go(func() { l.copy(out, in) })
	}
}

func (l *link) copy(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		still := l.still
		l.mu.Unlock()
		<-still
		if err != nil {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (l *link) standStill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.still = make(chan struct{})
}

func (l *link) goOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.still:
	default:
		close(l.still)
	}
}

// The way from a to b stands still, as it does when b's process is stopped:
// nothing is closed, and nothing is taken.
func TestANodeThatTakesNothingIsLostAndComesBack(t *testing.T) {
	t.Parallel()
	settings := func(name string) Settings {
		s := testSettings(name)
		s.MaxMessage, s.Outgoing = 64<<10, 4<<20
		s.Lost = 3 * time.Second // longer than a busy machine makes a heartbeat wait
		return s
	}
	a := begin(t, settings("a"), nil)
	way := newLink(t, a.Address())
	b := begin(t, settings("b"), func(n *testNode) {
		n.Peers = func(context.Context) ([]string, error) { return []string{way.listener.Addr().String()}, nil }
	})
	c := begin(t, settings("c"), nil, a)
	meet(t, a, b, c)
	tune(t, a, room("r"), b, c)
	lease := hold(t, a, "x")
	way.standStill()

	const flood = 4000
	payload := make([]byte, 8<<10)
	slowest := time.Duration(0)
	count := func(n *testNode) (c int) {
		n.note(func() {
			for i := range n.heard {
				if n.heard[i].Event == "flood" {
					c++
				}
			}
		})
		return c
	}
	for i := range flood {
		began := time.Now()
		a.Publish(tutti.Message{Topic: room("r"), Event: "flood", Payload: payload})
		slowest = max(slowest, time.Since(began))
		if i%100 == 0 { // not faster than c can follow
			eventually(t, "c follows", func() bool { return count(c) >= i-100 })
		}
	}
	eventually(t, "c hears everything", func() bool { return count(c) == flood })
	t.Logf("the slowest of %d messages left after %v", flood, slowest)
	eventually(t, "b is lost", func() bool { return len(a.Members()) == 2 && len(c.Members()) >= 2 })
	if !lease.Valid() {
		t.Error("a node that is heard by another has lost its lease")
	}
	way.goOn()
	meet(t, a, b, c)
	b.note(func() { b.heard = nil })
	tune(t, a, room("r"), b)
	eventually(t, "b knows that it missed something", func() bool { return b.Stats().Missed > 0 })
	t.Logf("b missed %d of %d", b.Stats().Missed, flood)
	if !lease.Valid() {
		t.Error("the owner has changed though nobody else had the lease")
	}
}
