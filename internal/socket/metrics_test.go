package socket

import (
	"testing"

	"github.com/tutti-realtime/tutti/internal/tally"
)

// Writes that were counted together are as many as were made, for each tenant.
func TestWritesAreCounted(t *testing.T) {
	t.Parallel()
	l := quiet(3)
	acme, other := l.server.Meters.Of("acme"), l.server.Meters.Of("other")
	for i, c := range l.slots {
		c.client.Meters = acme
		if i == 2 {
			c.client.Meters = other
		}
	}
	for range 2 {
		for _, c := range l.slots {
			c.Send(make([]byte, 100), false)
			c.Send(make([]byte, 50), false)
		}
		l.flushDirty()
	}
	var writes, frames tally.Sample
	c := &l.server.Metrics.loops[0]
	writes.Add(&c.writes)
	frames.Add(&c.frames)
	if writes.Count() != 6 || writes.Sum() != 6*150 || frames.Count() != 6 || frames.Sum() != 12 {
		t.Errorf("%d writes of %d bytes, %d of %d frames", writes.Count(), writes.Sum(), frames.Count(), frames.Sum())
	}
	for meters, want := range map[*tally.Tenant]int64{acme.Tally: 600, other.Tally: 300} {
		var s tally.Sheet
		meters.AddTo(&s)
		if got := s.Counts[tally.OutputBytes]; got != want {
			t.Errorf("a tenant was sent %d bytes, want %d", got, want)
		}
	}
}

// What waits is shown when all connections have been looked at, and no more when
// they are gone.
func TestOutboxesAreShown(t *testing.T) {
	t.Parallel()
	l := quiet(25)
	for i, c := range l.slots {
		c.wire.(*trickle).takes = 0
		if i < 2 {
			c.Send(make([]byte, 1000*(i+1)), false)
		}
	}
	l.flushDirty()
	c := &l.server.Metrics.loops[0]
	for range 2 * sweepParts {
		l.sweep(l.slots[0].heard)
	}
	if c.outboxes.Load() != 2 || c.outboxBytes.Load() != 3000 || c.outboxLarger.Load() != 2000 {
		t.Errorf("%d outboxes with %d bytes, the largest %d", c.outboxes.Load(), c.outboxBytes.Load(), c.outboxLarger.Load())
	}
	for _, one := range l.slots {
		one.gone()
	}
	if c.outboxes.Load() != 0 || c.outboxBytes.Load() != 0 {
		t.Errorf("%d outboxes are left", c.outboxes.Load())
	}
}

// BenchmarkCountingWrites is what a write costs here: for a message to a thousand
// clients each, and with others between.
func BenchmarkCountingWrites(b *testing.B) {
	l := quiet(0)
	acme := l.server.Meters.Of("acme")
	b.Run("alike", func(b *testing.B) {
		for b.Loop() {
			for range 1000 {
				l.wrote(acme, 300, 1)
			}
			l.settle()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/write")
	})
	b.Run("different", func(b *testing.B) {
		for b.Loop() {
			for i := range 1000 {
				l.wrote(acme, 300+i, 1)
			}
			l.settle()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/write")
	})
}
