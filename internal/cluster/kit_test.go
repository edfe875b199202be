package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// A testNode is a node that remembers what it heard.
type testNode struct {
	*Bus
	t    testing.TB
	stop context.CancelFunc
	done chan struct{}
	err  error

	mu     sync.Mutex // guards all below
	heard  []tutti.Message
	notes  []Note
	told   []Call
	events []string
	missed int
}

// testSettings are those of a node that is lost after two seconds: a busy machine may keep it from
// its leases for one.
func testSettings(name string) Settings {
	return Settings{Node: name, Listen: "127.0.0.1:0", Lost: 2 * time.Second, Linger: 100 * time.Millisecond, Buckets: 1 << 12}
}

// begin makes a node and runs it until the test ends.
func begin(t testing.TB, s Settings, change func(*testNode), peers ...*testNode) *testNode {
	t.Helper()
	log := slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	bus, err := New(s, log)
	if err != nil {
		t.Fatal(err)
	}
	n := &testNode{Bus: bus, t: t, done: make(chan struct{})}
	bus.Arrive = func(m tutti.Message) { n.note(func() { n.heard = append(n.heard, m) }) }
	bus.Hear = func(m Note) { n.note(func() { n.notes = append(n.notes, m) }) }
	bus.Told = func(c Call) { n.note(func() { n.told = append(n.told, c) }) }
	bus.Changed = func(e Event) {
		n.note(func() { n.events = append(n.events, e.Member.ID+" "+e.Kind.String()) })
	}
	bus.Missed = func([]tutti.Topic) { n.note(func() { n.missed++ }) }
	bus.Asked = func(_ context.Context, c Call) ([]byte, error) {
		if c.Name == "refuse" {
			return nil, errors.New("no")
		}
		return []byte(s.Node + " got " + string(c.Payload)), nil
	}
	var addresses []string
	for _, p := range peers {
		addresses = append(addresses, p.Address())
	}
	bus.Peers = Static(addresses...)
	if change != nil {
		change(n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = func() { cancel(); <-n.done }
	go func() {
		defer close(n.done)
		if err := bus.Run(ctx); !errors.Is(err, context.Canceled) {
			n.err = err
		}
	}()
	t.Cleanup(n.stop)
	select {
	case <-n.Ready():
	case <-n.done:
		t.Fatalf("node %s does not run: %v", s.Node, n.err)
	}
	return n
}

// logWriter shows what nodes complain about when a test fails.
type logWriter struct{ t testing.TB }

func (w logWriter) Write(line []byte) (int, error) {
	fmt.Fprintf(w.t.Output(), "%s", line)
	return len(line), nil
}

func (n *testNode) note(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

// kill ends a node as a crash would: without a word, and at once.
func (n *testNode) kill() {
	n.mu2(func() { n.over = true; close(n.stopped) })
	n.engine.server.Shutdown()
	n.stop()
}

func (n *testNode) mu2(f func()) {
	n.Bus.mu.Lock()
	defer n.Bus.mu.Unlock()
	f()
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		case <-tick.C:
		}
	}
}

// meet waits until all nodes know each other.
func meet(t testing.TB, nodes ...*testNode) {
	t.Helper()
	eventually(t, "the nodes know each other", func() bool {
		return !slices.ContainsFunc(nodes, func(n *testNode) bool { return len(n.Members()) != len(nodes) })
	})
}

// trio returns three nodes that know each other.
func trio(t testing.TB) [3]*testNode {
	t.Helper()
	a := begin(t, testSettings("a"), nil)
	b := begin(t, testSettings("b"), nil, a)
	meet(t, a, b) // so that they join in this order
	c := begin(t, testSettings("c"), nil, b)
	meet(t, a, b, c)
	return [3]*testNode{a, b, c}
}

func (n *testNode) texts() (all []string) {
	n.note(func() {
		for _, m := range n.heard {
			all = append(all, m.Event)
		}
	})
	return all
}

func (n *testNode) happened() (all string) {
	n.note(func() { all = strings.Join(n.events, ", ") })
	return all
}

func room(name string) tutti.Topic { return tutti.Topic{Tenant: "acme", Name: name} }

// tune makes nodes hear a topic and waits until the first node's messages
// reach them.
func tune(t testing.TB, from *testNode, topic tutti.Topic, to ...*testNode) {
	t.Helper()
	for _, n := range to {
		n.Want(topic, true)
	}
	for _, n := range to {
		eventually(t, n.settings.Node+" hears "+topic.String(), func() bool {
			from.Publish(tutti.Message{Topic: topic, Event: "hello"})
			return slices.Contains(n.texts(), "hello")
		})
	}
}
