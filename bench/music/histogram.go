package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// lateness is the metric of how late beats leave.
const lateness = "tutti_music_beat_lateness_seconds"

// A histogram is how many values are not above some bounds, in seconds.
type histogram map[float64]float64

// histogram returns one of the figures.
func (f figures) histogram(name string) histogram {
	h := histogram{}
	for key, count := range f {
		text, found := strings.CutPrefix(key, name+`_bucket{le="`)
		text, closed := strings.CutSuffix(text, `"}`)
		if bound, err := strconv.ParseFloat(text, 64); found && closed && err == nil {
			h[bound] = count
		}
	}
	return h
}

// since returns what was added after an earlier look.
func (h histogram) since(before histogram) histogram {
	added := histogram{}
	for bound, count := range h {
		added[bound] = count - before[bound]
	}
	return added
}

// quantile returns the bounds of the bucket in which a part of all ends.
func (h histogram) quantile(part float64) (above, most float64) {
	rank := part * h[math.Inf(1)]
	for _, bound := range slices.Sorted(maps.Keys(h)) {
		if h[bound] >= rank {
			return above, bound
		}
		above = bound
	}
	return above, math.Inf(1)
}

// String tells of it in milliseconds.
func (h histogram) String() string {
	all := h[math.Inf(1)]
	if all == 0 {
		return "no beat left"
	}
	var b strings.Builder
	for _, part := range []float64{0.5, 0.99, 0.999} {
		above, most := h.quantile(part)
		fmt.Fprintf(&b, "p%g %g to %g ms, ", 100*part, 1000*above, 1000*most)
	}
	fmt.Fprintf(&b, "%.3f%% within 2 ms", 100*h[0.002]/all)
	return b.String()
}
