package limit

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

func newCounter(samples, seconds int) *Counter {
	c := &Counter{}
	c.begin(make([]lane, 4), 0, samples, seconds)
	return c
}

func TestCounterAverages(t *testing.T) {
	for name, tt := range map[string]struct {
		samples, seconds int
		counts           []int64 // one for each tick
		want             float64
	}{
		"before the first tick it is zero":            {12, 5, nil, 0},
		"the empty sample halves the first average":   {12, 5, []int64{1000}, 100},
		"a second sample makes three":                 {12, 5, []int64{300, 300}, 40},
		"a full window has forgotten the empty one":   {3, 1, []int64{6, 6, 6}, 6},
		"what is older than the window is forgotten":  {2, 1, []int64{1000, 4, 6}, 5},
		"a second of quiet counts as a sample":        {60, 1, []int64{30, 0}, 10},
		"counts can be taken back within their tick":  {2, 1, []int64{-4, 4}, 0},
		"an average need not be a whole number":       {12, 5, []int64{1}, 0.1},
		"the largest counts do not spoil later ticks": {1, 1, []int64{1 << 62, 7}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(tt.samples, tt.seconds)
			for i, n := range tt.counts {
				c.Add(i, n)
				c.tick()
			}
			if got := c.Average(); got != tt.want {
				t.Errorf("average %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCounterIsExaminedAsOfTheLastTick(t *testing.T) {
	c := newCounter(12, 5)
	if c.Over(1) {
		t.Error("over before anything was counted")
	}
	if !c.Over(0) {
		t.Error("a max of zero must always be over")
	}
	c.Add(0, 1000)
	if c.Over(1) {
		t.Error("over inside the tick")
	}
	c.tick()
	if !c.Over(100) || c.Over(101) {
		t.Errorf("average %v must be over 100 and not over 101", c.Average())
	}
}

func TestCounterMatchesANaiveList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.IntRange(1, 8).Draw(t, "samples")
		seconds := rapid.IntRange(1, 5).Draw(t, "seconds")
		c := newCounter(samples, seconds)
		list := []int64{0}
		var open, total int64
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n := rapid.Int64Range(0, 1000).Draw(t, "n")
				c.Add(rapid.Int().Draw(t, "shard"), n)
				open, total = open+n, total+n
			},
			"tick": func(*rapid.T) {
				c.tick()
				list, open = append(list, open), 0
			},
			"": func(t *rapid.T) {
				window := list[max(0, len(list)-samples):]
				var sum int64
				for n := range slices.Values(window) {
					sum += n
				}
				want := float64(sum) / float64(len(window)) / float64(seconds)
				if got := c.Average(); got != want {
					t.Fatalf("average %v, want %v of %v", got, want, window)
				}
				if got := c.Total(); got != total {
					t.Fatalf("total %d, want %d", got, total)
				}
			},
		})
	})
}

func TestCounterLosesNothingInARace(t *testing.T) {
	const callers, each = 8, 2000
	c := newCounter(60, 1)
	var adding sync.WaitGroup
	for shard := range callers {
		adding.Go(func() {
			for range each {
				c.Add(shard-2, 1)
				c.Over(100)
			}
		})
	}
	for range 30 {
		c.tick()
	}
	adding.Wait()
	c.tick()
	if c.Total() != callers*each || c.sum != callers*each {
		t.Errorf("total %d, window %d, want %d", c.Total(), c.sum, callers*each)
	}
}

func BenchmarkAdd(b *testing.B) {
	b.Run("counter", func(b *testing.B) {
		c := &newTenant(lanes()).Events
		var callers atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			shard := int(callers.Add(1))
			for pb.Next() {
				c.Add(shard, 1)
			}
		})
	})
	b.Run("one plain atomic", func(b *testing.B) {
		var n atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				n.Add(1)
			}
		})
	})
}
