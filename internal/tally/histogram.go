package tally

import (
	"sort"
	"sync/atomic"
	"time"
)

// maxBuckets is how many buckets a histogram may have, the last without a bound
// among them.
const maxBuckets = 18

// A Scale is the upper bounds of the buckets of a histogram, each included.
type Scale struct {
	bounds []int64
	unit   float64 // so much of what is observed is 1 in what is shown
}

// The scales. Times are observed in nanoseconds and shown in seconds.
var (
	// Bytes are the reference's bounds for payloads.
	Bytes = &Scale{unit: 1, bounds: []int64{250, 500, 1000, 3000, 5000, 10_000, 25_000, 100_000, 500_000, 1_000_000, 3_000_000}}
	// Writes are what goes to a client at once: a reply, up to a full buffer.
	Writes = &Scale{unit: 1, bounds: []int64{64, 128, 256, 512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 1 << 20}}
	// Sizes are those of small groups and of crowds.
	Sizes = &Scale{unit: 1, bounds: []int64{0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20_000}}
	// Times reach from a question answered in memory to one that ran out of time.
	Times = &Scale{unit: float64(time.Second), bounds: []int64{
		int64(250 * time.Microsecond), int64(500 * time.Microsecond), int64(time.Millisecond), int64(2500 * time.Microsecond),
		int64(5 * time.Millisecond), int64(10 * time.Millisecond), int64(25 * time.Millisecond), int64(50 * time.Millisecond),
		int64(100 * time.Millisecond), int64(250 * time.Millisecond), int64(500 * time.Millisecond), int64(time.Second),
		int64(2500 * time.Millisecond), int64(5 * time.Second), int64(15 * time.Second), int64(time.Minute),
	}}
)

// Bucket returns the number of the bucket that a value falls into.
func (s *Scale) Bucket(v int64) int {
	return sort.Search(len(s.bounds), func(i int) bool { return v <= s.bounds[i] })
}

// A Histogram is how many values fell into each bucket of a scale, always of the
// same one. The zero value is empty. All methods may be called from anywhere at
// any time.
type Histogram struct {
	counts [maxBuckets]atomic.Int64
	sum    atomic.Int64
}

// Observe adds a value.
func (h *Histogram) Observe(s *Scale, v int64) { h.Add(s.Bucket(v), 1, v) }

// Add adds n values to a bucket, whose sum is given.
func (h *Histogram) Add(bucket int, n, sum int64) {
	h.counts[bucket].Add(n)
	h.sum.Add(sum)
}

// Since adds the time that has passed since a moment.
func (h *Histogram) Since(began time.Time) { h.Observe(Times, int64(time.Since(began))) }

// A Sample is what was in a histogram at some time, or the sum of several.
type Sample struct {
	counts [maxBuckets]int64
	sum    int64
}

// Add adds what is in a histogram now, nil for nothing.
func (s *Sample) Add(h *Histogram) {
	if h == nil {
		return
	}
	s.sum += h.sum.Load()
	for i := range s.counts {
		s.counts[i] += h.counts[i].Load()
	}
}

// Merge adds another sample so many times, -1 to take it away.
func (s *Sample) Merge(other *Sample, times int64) {
	s.sum += times * other.sum
	for i := range s.counts {
		s.counts[i] += times * other.counts[i]
	}
}

// Count returns how many values there are.
func (s *Sample) Count() int64 {
	n := int64(0)
	for _, c := range s.counts {
		n += c
	}
	return n
}

// Sum returns the sum of the values as they were observed.
func (s *Sample) Sum() int64 { return s.sum }

// Shown returns a sample as Prometheus has it: how many values there are up to
// each bound, and their sum, times some factor: 1000 makes milliseconds of
// seconds.
func (s *Sample) Shown(scale *Scale, factor float64) (count uint64, sum float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(scale.bounds))
	for i, bound := range scale.bounds {
		count += uint64(max(0, s.counts[i]))
		buckets[float64(bound)*factor/scale.unit] = count
	}
	return count + uint64(max(0, s.counts[len(scale.bounds)])), float64(s.sum) * factor / scale.unit, buckets
}
