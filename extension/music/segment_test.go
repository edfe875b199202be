package music

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// drawSegment makes any segment that can be read.
func drawSegment(t *rapid.T) Segment {
	tempos := rapid.Int32Range(int32(MinTempo), int32(MaxTempo))
	s := Segment{
		At:    Time(rapid.Int64Range(-int64(MaxTime), int64(MaxTime)).Draw(t, "at")),
		Beat:  Beat(rapid.Int64Range(-int64(MaxBeat), int64(MaxBeat)).Draw(t, "beat")),
		Tempo: Tempo(tempos.Draw(t, "tempo")),
	}
	s.To = s.Tempo
	if to := Tempo(tempos.Draw(t, "to")); rapid.Bool().Draw(t, "ramp") && to != s.Tempo {
		s.To, s.Ramp = to, Beat(rapid.Int64Range(1, int64(MaxRamp)).Draw(t, "length"))
	}
	return s
}

// exactBeat is beatAt in fractions, within the ramp and after it.
func exactBeat(s Segment, d Span) *big.Rat {
	rat := func(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }
	span := s.Span()
	steady := func(d Span, v Tempo) *big.Rat {
		return new(big.Rat).Mul(rat(int64(d)), big.NewRat(int64(v), perMinute))
	}
	half := func(r *big.Rat) *big.Rat { return r.Mul(r, big.NewRat(1, 2)) }
	b := rat(int64(s.Beat))
	switch {
	case d < 0 || span == 0:
		return b.Add(b, steady(d, s.Tempo))
	case d >= span:
		return b.Add(b.Add(b, half(steady(span, s.Tempo+s.To))), steady(d-span, s.To))
	}
	b.Add(b, steady(d, s.Tempo))
	square := new(big.Rat).Mul(rat(int64(d)), rat(int64(d)))
	return b.Add(b, square.Mul(square, big.NewRat(int64(s.To-s.Tempo), 2*perMinute*int64(span))))
}

func TestASegmentComputesWhatFractionsDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSegment(t)
		d := Span(rapid.Int64Range(-int64(400*24)*int64(60*Minute), int64(400*24)*int64(60*Minute)).Draw(t, "d"))
		if rapid.Bool().Draw(t, "near") {
			d %= s.Span() + Second
		}
		at := clampTime(s.At.Add(d))
		exact := exactBeat(s, at.Sub(s.At))
		below := new(big.Rat).Sub(exact, new(big.Rat).SetInt64(int64(s.beatAt(at))))
		// Rounded down, once in a ramp and once after it.
		if off, _ := below.Float64(); off < 0 || off >= 2 {
			t.Fatalf("%+v is at %v after %d, want %v", s, s.beatAt(at), d, exact.FloatString(3))
		}
	})
}

func TestBeatAndTimeAreInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSegment(t)
		s.At = Time(rapid.Int64Range(0, int64(2e18)).Draw(t, "at"))
		at := s.At.Add(Span(rapid.Int64Range(-int64(10*Minute), int64(3*60*Minute)).Draw(t, "d")))
		inverse(t, Timeline{s}, at)
	})
}

// inverse checks the bounds that Timeline states, around a time.
func inverse(t *rapid.T, l Timeline, at Time) {
	b := l.Beat(at)
	if late := at.Sub(l.Time(b)); late < 0 || late > 8 {
		t.Fatalf("%+v: time %d is beat %d, which is %d ns before", l, at, b, late)
	}
	for _, b := range []Beat{b, b.Ceil(), b + 12345} {
		when := l.Time(b)
		if over := l.Beat(when) - b; over < 0 || over > 8 {
			t.Fatalf("%+v: beat %d is at %d, where %d more are reached", l, b, when, over)
		}
		if l.Beat(when-1) >= b {
			t.Fatalf("%+v: beat %d is reached before %d", l, b, when)
		}
	}
	for _, at := range []Time{at, l.Time(b.Ceil()), l.Time(b.Ceil()) + 1} {
		if next := l.BeatAfter(at); l.Time(next) < at || l.Time(next-OneBeat) >= at {
			t.Fatalf("%+v: the first beat from %d on is not %d", l, at, next)
		}
		if next := l.soon(at); l.Time(next) < at || l.Time(next) > at+8 || l.Beat(l.Time(next)) != next {
			t.Fatalf("%+v: the position from %d on is not %d", l, at, next)
		}
	}
	if l.Beat(at+8) <= b {
		t.Fatalf("%+v: beat %d does not move in 8 ns", l, b)
	}
}

func TestNothingThatCanBeReadOverflows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSegment(t)
		times := rapid.SliceOfN(rapid.Int64(), 2, 2).Draw(t, "times")
		a, b := Time(min(times[0], times[1])), Time(max(times[0], times[1]))
		if s.beatAt(a) > s.beatAt(b) {
			t.Fatalf("%+v falls from %d to %d", s, s.beatAt(a), s.beatAt(b))
		}
		if s.timeOf(Beat(a)) > s.timeOf(Beat(b)) {
			t.Fatalf("%+v: time falls from beat %d to %d", s, a, b)
		}
		if v := s.tempoAt(a); v < min(s.Tempo, s.To) || v > max(s.Tempo, s.To) {
			t.Fatalf("%+v has tempo %d", s, v)
		}
	})
}

// A browser computes with doubles, in milliseconds and beats. This is all that it
// needs, and it is within a microsecond.
func browserBeat(s Segment, ms float64) float64 {
	ms -= float64(s.At) / 1e6
	v0, v1, span := float64(s.Tempo)/6e7, float64(s.To)/6e7, float64(s.Span())/1e6
	if ms < span {
		return float64(s.Beat)/1e9 + ms*(v0+ms*(v1-v0)/(2*span))
	}
	return float64(s.Beat+s.Ramp)/1e9 + (ms-span)*v1
}

func browserTime(s Segment, beat float64) float64 {
	v0, v1, span := float64(s.Tempo)/6e7, float64(s.To)/6e7, float64(s.Span())/1e6
	d, ramp, ms := beat-float64(s.Beat)/1e9, float64(s.Ramp)/1e9, 0.0
	if d < ramp {
		ms = 2 * d / (v0 + math.Sqrt(v0*v0+2*(v1-v0)/span*d))
	} else {
		ms = span + (d-ramp)/v1
	}
	return float64(s.At)/1e6 + ms
}

func TestABrowserAgreesWithinAMicrosecond(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSegment(t)
		s.At = 1_790_000_000_000_000_000 + s.At%Time(Minute)
		s.Beat %= 100_000 * OneBeat
		b := s.Beat.Ceil() + Beat(rapid.Int64Range(0, 10_000).Draw(t, "beats"))*OneBeat
		at := s.timeOf(b)
		const microsecond = 0.001
		if off := browserTime(s, float64(b)/1e9) - float64(at)/1e6; math.Abs(off) > microsecond {
			t.Fatalf("%+v: beat %d is off by %v ms", s, b, off)
		}
		if off := (browserBeat(s, float64(at)/1e6) - float64(b)/1e9) * 6e7 / float64(s.tempoAt(at)); math.Abs(off) > microsecond {
			t.Fatalf("%+v: at %d the position is off by %v ms", s, at, off)
		}
	})
}
