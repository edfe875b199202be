package music

import "math/bits"

// far is more than any distance between two beats or times that are in bounds,
// and can still be added to one of them.
const far = 4_000_000_000_000_000_000

// floorMulDiv returns a*b/c rounded down, at most far. c must not be 0.
func floorMulDiv(a, b, c uint64) int64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return far
	}
	quotient, _ := bits.Div64(hi, lo, c)
	return int64(min(quotient, far))
}

// ceilMulDiv returns a*b/c rounded up, at most far. c must not be 0.
func ceilMulDiv(a, b, c uint64) int64 {
	hi, lo := bits.Mul64(a, b)
	lo, carry := bits.Add64(lo, c-1, 0)
	hi += carry
	if hi >= c {
		return far
	}
	quotient, _ := bits.Div64(hi, lo, c)
	return int64(min(quotient, far))
}

// clampTime returns the time in bounds that is nearest to t.
func clampTime(t Time) Time { return max(-MaxTime, min(t, MaxTime)) }

// clampBeat returns the beat that is nearest to b and near enough to compute
// with. It may lie outside of what travels.
func clampBeat(b Beat) Beat { return max(-far, min(b, far)) }
