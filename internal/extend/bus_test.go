package extend

import (
	"context"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tutti-realtime/tutti/internal/cluster"
)

// A cable is the way of one node to NATS. It can be cut.
type cable struct {
	listener net.Listener
	to       string
	all      sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func newCable(t *testing.T, to string) *cable {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{listener: l, to: to}
	c.all.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.set(true)
		c.all.Wait()
	})
	return c
}

func (c *cable) accept() {
	for {
		in, err := c.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", c.to)
		c.mu.Lock()
		if c.cut || err != nil {
			c.mu.Unlock()
			_ = in.Close()
			if out != nil {
				_ = out.Close()
			}
			continue
		}
		c.conns = append(c.conns, in, out)
		c.mu.Unlock()
		c.all.Go(func() { c.copy(in, out) })
		c.all.Go(func() { c.copy(out, in) })
	}
}

func (c *cable) copy(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = from.Close(), to.Close()
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if cut {
		for _, conn := range c.conns {
			_ = conn.Close()
		}
		c.conns = nil
	}
}

// A member of a real cluster.
type peer struct {
	*stage
	cable *cable
	bus   *cluster.Bus
	leave context.CancelFunc
}

// trio returns three nodes that know each other, over a real bus.
func trio(t *testing.T) []*peer {
	engine, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	engine.Start()
	t.Cleanup(func() {
		engine.Shutdown()
		engine.WaitForShutdown()
	})
	if !engine.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	var all []*peer
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, newPeer(t, name, engine.Addr().String()))
	}
	for _, p := range all {
		until(t, "the nodes know each other", func() bool { return len(p.bus.Members()) == 3 })
	}
	return all
}

func newPeer(t *testing.T, name, nats string) *peer {
	p := &peer{cable: newCable(t, nats)}
	bus, err := cluster.New(cluster.Settings{
		Node: name, URL: "nats://" + p.cable.listener.Addr().String(), Plain: true, Lost: time.Second,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.bus = bus
	p.stage = newStage(t, name, cluster.On(bus, "extend"))
	p.host.Epoch = bus.Epoch()
	bus.Told = func(c cluster.Call) { _ = p.host.Receive(c.Node, c.Payload) }
	bus.Asked = func(ctx context.Context, c cluster.Call) ([]byte, error) {
		return p.host.Answer(ctx, c.Node, c.Payload)
	}
	bus.Changed = func(e cluster.Event) {
		if e.Kind != cluster.Joined {
			p.host.Lost(e.Member.ID)
		}
	}
	ctx, leave := context.WithCancel(context.Background())
	left := make(chan struct{})
	go func() {
		defer close(left)
		_ = bus.Run(ctx)
	}()
	p.leave = sync.OnceFunc(func() { leave(); <-left })
	p.run()
	stop := p.stop
	p.stop = sync.OnceFunc(func() { stop(); <-p.ended })
	t.Cleanup(func() {
		p.stop()
		p.leave()
	})
	return p
}

// until waits until something is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		case <-tick.C:
		}
	}
}

// plays waits until a node runs the room with exactly these in it.
func (p *peer) plays(t *testing.T, who ...string) {
	t.Helper()
	n := &node{stage: p.stage}
	until(t, "the room is run where it should be", func() bool {
		return p.host.Stats().Rooms == 1 && slices.Equal(n.present(), who)
	})
}

// hasCopy reports whether a node has what the owner that now is has kept.
func (p *peer) hasCopy() bool {
	for _, r := range p.host.all() {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.owner != "" && r.kept.term == r.term
	}
	return false
}

func TestOverARealBusARoomOutlivesItsNodes(t *testing.T) {
	t.Parallel()
	all := trio(t)
	a, b, c := all[0], all[1], all[2]
	a.enter("ann").say("keep")
	a.plays(t, "ann")
	bob, cat := b.enter("bob"), c.enter("cat")
	a.plays(t, "ann", "bob", "cat")
	cat.say("echo")
	until(t, "cat hears her echo", func() bool {
		cat.mu.Lock()
		defer cat.mu.Unlock()
		return len(cat.heard) == 1
	})

	began := time.Now()
	a.stop() // in order
	a.leave()
	next, other, name := b, c, "cat"
	until(t, "another node runs the room", func() bool {
		if c.host.Stats().Rooms == 1 {
			next, other, name = c, b, "bob"
		}
		return next.host.Stats().Rooms == 1
	})
	next.plays(t, "bob", "cat")
	t.Logf("a stop took %v", time.Since(began))
	if got := next.journal.take(); got[0] != `open {"n":1} false` {
		t.Errorf("after a stop: %q", got)
	}

	bob.say("keep")
	next.plays(t, "bob", "cat")
	until(t, "the other node has what was kept", other.hasCopy)
	began = time.Now()
	next.cable.set(true) // for good
	other.plays(t, name)
	t.Logf("a loss took %v", time.Since(began))
	if got := other.journal.take(); got[0] != `open {"n":1} true` {
		t.Errorf("after a loss: %q", got)
	}
}

func TestOverARealBusPartsComeTogether(t *testing.T) {
	t.Parallel()
	all := trio(t)
	a, b, c := all[0], all[1], all[2]
	a.enter("ann")
	a.plays(t, "ann")
	b.enter("bob")
	c.enter("cat")
	a.plays(t, "ann", "bob", "cat")
	a.cable.set(true)
	until(t, "the other side goes on", func() bool { return b.host.Stats().Rooms+c.host.Stats().Rooms == 1 })
	a.cable.set(false)
	until(t, "all are in one room", func() bool {
		rooms := 0
		for _, p := range all {
			rooms += p.host.Stats().Rooms
			if p.host.Stats().Rooms == 1 && len((&node{stage: p.stage}).present()) != 3 {
				return false
			}
		}
		return rooms == 1
	})
}

func TestOverARealBusARoomOfOneNodeOutlivesIt(t *testing.T) {
	t.Parallel()
	all := trio(t)
	a, b, c := all[0], all[1], all[2]
	a.enter("ann").say("keep")
	until(t, "another node has what was kept", func() bool {
		for _, r := range slices.Concat(b.host.all(), c.host.all()) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.kept.state) > 0
		}
		return false
	})
	a.cable.set(true) // for good
	until(t, "it is lost", func() bool { return len(b.bus.Members()) == 2 && len(c.bus.Members()) == 2 })
	b.enter("ann")
	b.plays(t, "ann")
	if got := b.journal.take(); got[0] != `open {"n":1} true` {
		t.Errorf("after a loss: %q", got)
	}
}
