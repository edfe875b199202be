package cluster

import (
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

// pair returns two nodes of which the second hears a topic of the first's; heard
// counts what it hears.
func pair(b *testing.B) (from *testNode, heard *atomic.Int64, came chan struct{}) {
	heard, came = &atomic.Int64{}, make(chan struct{}, 1)
	from = begin(b, testSettings("a"), func(n *testNode) { n.Arrive = func(tutti.Message) {} })
	ended := make(chan struct{})
	to := begin(b, testSettings("b"), func(n *testNode) {
		n.Arrive = func(m tutti.Message) {
			switch m.Event {
			case "note":
				heard.Add(1)
			case "end":
				close(ended)
				return
			}
			select {
			case came <- struct{}{}:
			default:
			}
		}
	}, from)
	meet(b, from, to)
	to.Want(room("r"), true)
	eventually(b, "b hears a", func() bool {
		from.Publish(tutti.Message{Topic: room("r"), Event: "hello"})
		return len(came) > 0
	})
	from.Publish(tutti.Message{Topic: room("r"), Event: "end"})
	<-ended
	<-came
	return from, heard, came
}

// BenchmarkHop is one message from node to node, and the next when it is there.
func BenchmarkHop(b *testing.B) {
	from, _, came := pair(b)
	m := tutti.Message{Topic: room("r"), Form: tutti.JSON, Event: "note", Payload: make([]byte, 256)}
	b.ReportAllocs()
	for b.Loop() {
		from.Publish(m)
		<-came
	}
}

// BenchmarkStream is messages one after another, a thousand on the way.
func BenchmarkStream(b *testing.B) {
	from, heard, _ := pair(b)
	m := tutti.Message{Topic: room("r"), Form: tutti.JSON, Event: "note", Payload: make([]byte, 256)}
	b.ReportAllocs()
	sent := int64(0)
	for b.Loop() {
		from.Publish(m)
		for sent++; sent-heard.Load() > 1000; {
			runtime.Gosched()
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkUnheard is a message that no other node wants, sent through.
func BenchmarkUnheard(b *testing.B) {
	from, _, _ := pair(b)
	m := tutti.Message{Topic: room("other"), Form: tutti.JSON, Event: "note", Payload: make([]byte, 256)}
	before := from.Stats().Sent
	sent := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		from.Publish(m)
		for sent++; before+sent > from.Stats().Sent+1000; {
			runtime.Gosched()
		}
	}
}

// BenchmarkWant is a topic that is wanted and no longer wanted.
func BenchmarkWant(b *testing.B) {
	a := begin(b, testSettings("a"), nil)
	for name, topics := range map[string]int{"one topic": 1, "1,000 topics": 1000} {
		b.Run(name, func(b *testing.B) {
			all := make([]tutti.Topic, topics)
			for i := range all {
				all[i] = room("r" + strconv.Itoa(i))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				a.Want(all[i%topics], true)
				a.Want(all[i%topics], false)
			}
		})
	}
}

// TestWhatTopicsWeigh prints what the guide for operators says. It is not
// strict: it is there so that a release that takes twice as much is noticed.
func TestWhatTopicsWeigh(t *testing.T) {
	const topics = 20_000
	s := testSettings("a")
	s.Buckets = 1 << 16
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	names := make([]tutti.Topic, topics)
	for i := range names {
		names[i] = room(fmt.Sprintf("room %d", i))
	}
	for _, peers := range []int{0, 1} {
		a := begin(t, s, nil)
		nodes := []*testNode{a}
		if peers > 0 {
			s := s
			s.Node = "b"
			nodes = append(nodes, begin(t, s, nil, a))
			meet(t, nodes...)
		}
		before, began := heap(), time.Now()
		for _, name := range names {
			a.Want(name, true)
		}
		if peers > 0 { // wait for the last of them
			tune(t, nodes[1], names[topics-1], a)
		} else {
			eventually(t, "they are subscribed to", func() bool {
				return int(a.engine.server.NumSubscriptions()) > a.Stats().Subscriptions
			})
		}
		took := time.Since(began)
		each := int(heap()-before) / topics
		t.Logf("%d topics in %d buckets, %d peers: %d bytes each on all nodes, after %v",
			topics, a.Stats().Subscriptions, peers, each, took)
		if each > 4000 {
			t.Errorf("a topic weighs %d bytes", each)
		}
		for _, n := range nodes {
			n.stop()
		}
	}
}

// BenchmarkIdle is the processor time of three nodes that have nothing to do, in
// a second, with heartbeats five times as often as they are by default.
func BenchmarkIdle(b *testing.B) {
	a := begin(b, testSettings("a"), nil)
	c := begin(b, testSettings("b"), nil, a)
	d := begin(b, testSettings("c"), nil, a)
	meet(b, a, c, d)
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before, n := used(), 0
	for b.Loop() {
		<-time.After(500 * time.Millisecond)
		n++
	}
	b.ReportMetric(float64((used()-before).Microseconds())/float64(n)/500e3*100/3, "%core/node")
}
