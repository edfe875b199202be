package tally

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// However many loops count at once, nothing is lost, and the sheet has it all.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	const loops, each = 4, 1000
	tenant := New(loops)
	var counting sync.WaitGroup
	for loop := range 2 * loops { // more callers than lanes
		counting.Go(func() {
			for i := range each {
				tenant.Add(loop, InputBytes, 2)
				tenant.Observe(loop, BroadcastBytes, int64(i))
				tenant.Fail("Unauthorized")
			}
		})
	}
	counting.Wait()
	var s Sheet
	tenant.AddTo(&s)
	const calls = 2 * loops * each
	sizes := &s.Measures[BroadcastBytes]
	if s.Counts[InputBytes] != 2*calls || sizes.Count() != calls || sizes.Sum() != 2*loops*each*(each-1)/2 || s.Errors["Unauthorized"] != calls {
		t.Errorf("%d bytes, %d sizes with the sum %d, %d errors", s.Counts[InputBytes], sizes.Count(), sizes.Sum(), s.Errors["Unauthorized"])
	}
}

// A value falls into the first bucket whose bound it does not exceed.
func TestBuckets(t *testing.T) {
	t.Parallel()
	for m := range Measures {
		scale := m.Scale()
		if scale == nil {
			t.Fatalf("measure %d has no scale", m)
		}
		if len(scale.bounds) >= maxBuckets {
			t.Fatalf("a scale has %d bounds, and there are %d buckets", len(scale.bounds), maxBuckets)
		}
		for i, bound := range scale.bounds {
			if scale.Bucket(bound) != i || scale.Bucket(bound+1) != i+1 {
				t.Errorf("%d falls into bucket %d, one more into %d; want %d and one more", bound, scale.Bucket(bound), scale.Bucket(bound+1), i)
			}
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	var h Histogram
	var s Sample
	for _, d := range []time.Duration{0, time.Millisecond, 2 * time.Millisecond, time.Hour} {
		h.Observe(Times, int64(d))
	}
	s.Add(&h)
	count, sum, buckets := s.Shown(Times, 1000)
	if count != 4 || sum != 3_600_003 || buckets[1] != 2 || buckets[2.5] != 3 || buckets[60_000] != 3 {
		t.Errorf("%d values with the sum %v ms in %v", count, sum, buckets)
	}
}

// Sheets are sums: what is merged and taken away again leaves nothing.
func TestSheetsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tenant := New(2)
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			shard := rapid.IntRange(-1, 3).Draw(t, "shard")
			tenant.Add(shard, Count(rapid.IntRange(0, int(Counts)-1).Draw(t, "count")), rapid.Int64Range(0, 100).Draw(t, "n"))
			tenant.Observe(shard, Measure(rapid.IntRange(0, int(Measures)-1).Draw(t, "measure")), rapid.Int64Range(0, 1<<40).Draw(t, "v"))
		}
		var once, twice Sheet
		tenant.AddTo(&once)
		tenant.AddTo(&twice)
		tenant.AddTo(&twice)
		twice.Merge(&once, -1)
		if !reflect.DeepEqual(once, twice) {
			t.Fatalf("twice less once is not once: %+v %+v", once, twice)
		}
	})
}

// A mistake that makes codes of what clients say does not fill the memory.
func TestCodesAreBounded(t *testing.T) {
	t.Parallel()
	tenant := New(1)
	for i := range 10 * maxCodes {
		tenant.Fail(fmt.Sprint("code", i))
	}
	var s Sheet
	tenant.AddTo(&s)
	if len(s.Errors) != maxCodes+1 || s.Errors[OtherCode] != 9*maxCodes {
		t.Errorf("%d codes, %d others", len(s.Errors), s.Errors[OtherCode])
	}
}

// A nil tenant is that of a room which nobody gave one.
func TestANilTenantCountsNothing(t *testing.T) {
	t.Parallel()
	var tenant *Tenant
	tenant.Add(0, InputBytes, 1)
	tenant.Observe(0, Replay, 1)
	tenant.Fail("Unauthorized")
}

// BenchmarkCounting is what a message of a client costs here: its bytes and its
// size.
func BenchmarkCounting(b *testing.B) {
	tenant := New(2)
	b.ReportAllocs()
	for b.Loop() {
		tenant.Add(0, InputBytes, 300)
		tenant.Observe(0, BroadcastBytes, 256)
	}
}
