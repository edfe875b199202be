package extend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/cluster"
)

// A punctual actor wakes every half second, and notes how late it was.
type punctual struct {
	room tutti.Room
	at   time.Time
	note func(late time.Duration)
}

func (p *punctual) Join(*tutti.Member) error {
	p.at = p.room.Now().Add(rand.N(500 * time.Millisecond))
	p.room.Wake(p.at)
	return nil
}

func (p *punctual) Wake(time.Time) {
	p.note(time.Since(p.at))
	p.at = p.at.Add(500 * time.Millisecond)
	p.room.Wake(p.at)
}

func (p *punctual) Leave(*tutti.Member) {}
func (p *punctual) Hear(*tutti.Event)   {}
func (p *punctual) Close()              {}

// BenchmarkWake measures how late the actors of 10,000 rooms wake, twice a second
// each.
func BenchmarkWake(b *testing.B) {
	for _, rooms := range []int{100, 10_000} {
		b.Run(fmt.Sprint(rooms), func(b *testing.B) { benchmarkWake(b, rooms) })
	}
}

func benchmarkWake(b *testing.B, rooms int) {
	var mu sync.Mutex
	var all []time.Duration
	s := newStage(b, "one", cluster.On(&cluster.Local{}, "extend"))
	s.host.Extensions[0].Open = func(room tutti.Room) (tutti.Actor, error) {
		return &punctual{room: room, note: func(late time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, late)
		}}, nil
	}
	s.host.Portable = false
	s.run()
	defer s.end()
	for i := range rooms {
		s.enterRoom("ann", fmt.Sprint("band", i))
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(all)
	}
	for count() < rooms { // all have begun
		time.Sleep(time.Millisecond)
	}
	mu.Lock()
	all = nil
	mu.Unlock()
	b.ResetTimer()
	time.Sleep(time.Duration(b.N) * 1500 * time.Millisecond)
	b.StopTimer()
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "us/p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "us/p99")
	b.ReportMetric(float64(all[len(all)-1].Microseconds()), "us/max")
	b.ReportMetric(0, "ns/op")
}

func TestLoopsWakeRoomsWhoseTimeHasCome(t *testing.T) {
	t.Parallel()
	var h Host // whose own clock does not run
	h.Attend()
	rung := 0
	a, later := alarm{ring: func() { rung++ }}, alarm{ring: func() { t.Error("it was not its time") }}
	h.alarms.set(&a, time.Now().Add(-time.Second))
	h.alarms.set(&later, time.Now().Add(time.Hour))
	h.Attend()
	h.Attend()
	if rung != 1 {
		t.Errorf("it rang %d times", rung)
	}
	h.alarms.set(&a, time.Now())
	h.alarms.set(&a, time.Time{})
	h.Attend()
	if h.alarms.overdue() || rung != 1 {
		t.Errorf("what was put off rang, %d times", rung)
	}
}

func BenchmarkAttend(b *testing.B) {
	var h Host
	h.alarms.set(&alarm{}, time.Now().Add(time.Hour))
	for b.Loop() {
		h.Attend()
	}
}

func TestAlarmsRingInTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := alarms{coarse: true}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go a.run(ctx)
		began := time.Now()
		var rung []time.Duration
		var all [50]alarm
		for i := range all {
			all[i].ring = func() { rung = append(rung, time.Since(began)) }
			a.set(&all[i], began.Add(time.Duration(1+rand.IntN(100))*time.Second)) // not now: it is set again
		}
		want := []time.Duration{}
		for i := range all {
			at := time.Duration(rand.IntN(100)) * time.Second
			if i%5 == 0 {
				a.set(&all[i], time.Time{})
				continue
			}
			a.set(&all[i], began.Add(at))
			want = append(want, at)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		slices.Sort(want)
		if !slices.Equal(rung, want) {
			t.Errorf("they rang at %v, want %v", rung, want)
		}
	})
}
