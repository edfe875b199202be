package music

import (
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
)

// lateness is how late beats were, as a histogram whose steps are an eighth.
type lateness struct {
	counts [latenessSteps]atomic.Int64
	late   atomic.Int64 // by more than tooLate
	most   atomic.Int64 // ns
	sum    atomic.Int64 // ns

	// buckets are the same counts as Prometheus is shown them, the last of all that is
	// above the bounds.
	buckets [len(latenessBounds) + 1]atomic.Uint64
}

// latenessBounds are where the buckets that are shown end. There is one at 2 ms, which
// is what beats are to keep.
var latenessBounds = [...]Span{
	100 * microsecond, 200 * microsecond, 300 * microsecond, 500 * microsecond, 750 * microsecond,
	Millisecond, 1500 * microsecond, 2 * Millisecond, 3 * Millisecond, 5 * Millisecond, 7500 * microsecond,
	10 * Millisecond, 15 * Millisecond, 20 * Millisecond, 30 * Millisecond, 50 * Millisecond, 100 * Millisecond,
}

const microsecond = Millisecond / 1000

const (
	latenessSteps = 8 * 40 // the last begins at some 9 minutes
	tooLate       = 2 * Millisecond
)

func (l *lateness) add(d Span) {
	d = max(d, 0)
	l.counts[latenessStep(d)].Add(1)
	l.sum.Add(int64(d))
	bucket, _ := slices.BinarySearch(latenessBounds[:], d) // the first whose bound is not below
	l.buckets[bucket].Add(1)
	if d > tooLate {
		l.late.Add(1)
	}
	for {
		most := l.most.Load()
		if int64(d) <= most || l.most.CompareAndSwap(most, int64(d)) {
			return
		}
	}
}

// latenessStep returns the step that a span is counted in: its power of two and the
// three bits that follow.
func latenessStep(d Span) int {
	v := uint64(max(d, 8))
	power := bits.Len64(v) - 4
	return min(power*8+int(v>>power)-8, latenessSteps-1)
}

// quantile returns the span that a part of all is not above, in seconds.
func (l *lateness) quantile(part float64) float64 {
	var total int64
	for i := range l.counts {
		total += l.counts[i].Load()
	}
	rank := int64(math.Ceil(part * float64(total)))
	for i := range l.counts {
		if rank -= l.counts[i].Load(); rank <= 0 && total > 0 {
			return float64(uint64(i%8+9)<<(i/8)) / 1e9 // where the next step begins
		}
	}
	return 0
}

// histogram returns the buckets, in seconds.
func (l *lateness) histogram() *tutti.Histogram {
	h := &tutti.Histogram{Sum: time.Duration(l.sum.Load()).Seconds()}
	for _, bound := range latenessBounds {
		h.Bounds = append(h.Bounds, time.Duration(bound).Seconds())
	}
	for i := range l.buckets {
		h.Counts = append(h.Counts, l.buckets[i].Load())
	}
	return h
}
