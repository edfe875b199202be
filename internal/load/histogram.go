package load

import (
	"math"
	"math/bits"
	"time"
)

// subBits is the precision of a histogram: every power of two is cut into
// 2^subBits buckets, which keeps the error below 1 %.
const subBits = 7

// A Histogram counts durations in buckets whose width grows with their value.
// Its zero value is empty. It is for one goroutine.
type Histogram struct {
	counts [(64-subBits)<<subBits + 1<<subBits]uint64
	total  uint64
	max    time.Duration
}

// Add counts d. One below zero counts as zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

// quantile returns the duration that a share q of all, 0 to 1, do not exceed.
// It is the upper edge of a bucket, but never more than the largest duration.
func (h *Histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := max(uint64(math.Ceil(q*float64(h.total))), 1)
	var seen uint64
	for i, n := range h.counts {
		seen += n
		if seen >= rank {
			return min(time.Duration(edge(i)), h.max)
		}
	}
	return h.max
}

// bucket returns the place of v: itself while v is small, else the exponent
// and the subBits bits that follow the leading one.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift<<subBits + int(v>>shift)
}

// edge returns the largest value in bucket i.
func edge(i int) uint64 {
	shift := max(i>>subBits-1, 0)
	return uint64(i-shift<<subBits+1)<<shift - 1
}

// Spread returns what a report says of the durations.
func (h *Histogram) Spread() Spread {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return Spread{
		Count: h.total,
		P50:   ms(h.quantile(0.50)),
		P90:   ms(h.quantile(0.90)),
		P99:   ms(h.quantile(0.99)),
		P999:  ms(h.quantile(0.999)),
		Max:   ms(h.max),
	}
}
