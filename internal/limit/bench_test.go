package limit

import (
	"fmt"
	"runtime"
	"testing"
)

// tellNobody is a cluster without a network.
func tellNobody(string, []byte) error { return nil }

func BenchmarkHotPaths(b *testing.B) {
	for name, m := range map[string]*Meters{"single node": {}, "cluster": {Tell: tellNobody}} {
		t := m.Of("acme")
		if m.Tell != nil {
			_ = m.Receive("b", written(head{epoch: 1}, record{[]byte("acme"), share{users: 5, rates: [kinds]uint32{5}}})[0])
		}
		b.Run("over/"+name, func(b *testing.B) {
			b.ReportAllocs()
			over := 0
			for b.Loop() {
				for range 100 { // so that the loop itself does not count
					if t.Events.Over(100) {
						over++
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/question")
			if over > 0 {
				b.Error("over")
			}
		})
		b.Run("enter and leave/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				t.EnterUser(1000)
				t.LeaveUser()
			}
		})
		b.Run("enter and leave near the limit/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				t.EnterUser(6)
				t.LeaveUser()
			}
		})
	}
}

// busy returns a node that counts so many tenants, with ids as UUIDs are, all of
// whose numbers have just changed.
func busy(tenants int, tell func(string, []byte) error) (*Meters, map[string]*Tenant) {
	m := &Meters{Tell: tell}
	for i := range tenants {
		m.Of(fmt.Sprintf("%08x-0000-4000-8000-%012x", i*7919, i))
	}
	living := m.living()
	stir(living)
	return m, living
}

// stir lets five seconds pass in which each tenant counts a lot.
func stir(living map[string]*Tenant) {
	for _, t := range living {
		t.EnterUser(1 << 30)
		for kind, c := range t.counters() {
			c.Add(0, int64(1000+kind))
		}
		for range slowTick {
			t.tick()
		}
	}
}

func BenchmarkTellingOfTenThousandTenants(b *testing.B) {
	size := 0
	m, living := busy(10_000, func(_ string, message []byte) error { size += len(message); return nil })
	x := m.exchange
	b.Run("all changed", func(b *testing.B) {
		size = 0
		for b.Loop() {
			clear(x.told)
			w := x.writer("", 0)
			for id, t := range living {
				x.report(w, id, t.share())
			}
			w.end()
		}
		b.ReportMetric(float64(size)/float64(b.N), "B/telling")
	})
	b.Run("none changed", func(b *testing.B) {
		for b.Loop() {
			w := x.writer("", 0)
			for id, t := range living {
				x.report(w, id, t.share())
			}
			w.end()
		}
	})
	b.Run("a round", func(b *testing.B) {
		size = 0
		for b.Loop() {
			x.tellAll("")
		}
		b.ReportMetric(float64(size)/float64(b.N), "B/telling")
	})
}

func BenchmarkReceiveTenThousandTenants(b *testing.B) {
	var messages [][]byte
	m, _ := busy(10_000, func(_ string, message []byte) error { messages = append(messages, message); return nil })
	m.exchange.tellUsers()
	messages = nil
	m.exchange.tellAll("")
	other := &Meters{Tell: tellNobody}
	b.ReportAllocs()
	for b.Loop() {
		for _, message := range messages {
			if err := other.Receive("b", message); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestWhatOtherNodesCountCostsLittleMemory is where the figures at account are
// from.
func TestWhatOtherNodesCountCostsLittleMemory(t *testing.T) {
	const nodes, tenants = 10, 10_000
	for name, tt := range map[string]struct {
		apart int     // how many tenants of a node the next one does not have
		most  float64 // bytes for each tenant of a node
	}{
		"each node counts the same tenants": {0, 100},
		"each node counts tenants of its":   {tenants, 400},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			m := &Meters{Tell: tellNobody}
			for i := range nodes {
				w := &writer{head: head{epoch: 1}, send: func(message []byte) {
					if err := m.Receive(fmt.Sprint(i), message); err != nil {
						t.Fatal(err)
					}
				}}
				for j := range tenants {
					w.add(fmt.Sprintf("%08x-0000-4000-8000-%012x", j*7919, i*tt.apart+j), share{users: 1})
				}
				w.end()
			}
			each := float64(heap()-before) / nodes / tenants
			t.Logf("%.0f bytes for each tenant of a node", each)
			if each > tt.most {
				t.Errorf("%.0f bytes for each tenant of a node, want at most %.0f", each, tt.most)
			}
			runtime.KeepAlive(m)
		})
	}
}

func heap() uint64 {
	collect()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func TestHotPathsAllocateNothing(t *testing.T) {
	m := &Meters{Tell: tellNobody}
	tenant := m.Of("acme")
	allocated := testing.AllocsPerRun(1000, func() {
		tenant.Events.Add(0, 1)
		tenant.Events.Over(tenant.ClusterUsers())
		tenant.EnterUser(1)
		tenant.LeaveUser()
		// So that it queues and rings again.
		m.exchange.changed.Store(nil)
		tenant.queued.Store(false)
		tenant.urgent.Store(false)
		select {
		case <-m.exchange.bell:
		default:
			t.Error("the bell was not rung")
		}
	})
	if allocated > 0 {
		t.Errorf("%v allocations", allocated)
	}
}
