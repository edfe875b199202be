package music

import (
	"encoding/json"
	"math"
	"sort"
)

// A Segment says where beats are from one beat on, until the next segment
// begins. It needs no other segment to be computed, which is why old ones can be
// thrown away.
//
// Within a ramp the tempo changes linearly in time, not in beats: the position is
// then a parabola, whose inverse is a square root. Linear in beats would be an
// exponential and a logarithm, which two machines need not round alike, and for
// which the timing object (position, velocity, acceleration) has no place. From 120
// to 240 bpm over four beats the one takes 1.33 and the other 1.39 seconds.
type Segment struct {
	At    Time  // when Beat is
	Beat  Beat  //
	Tempo Tempo // at Beat
	To    Tempo // after the ramp, equal to Tempo when there is none
	Ramp  Beat  // length of the ramp, 0 for none
}

// MaxRamp is the longest ramp.
const MaxRamp = 1024 * OneBeat

// perMinute is how many units of time (ns) and tempo (1/1000) make one unit of
// beats: beats = ns * tempo / perMinute.
const perMinute = 60_000

// start returns where the segment begins.
func (s Segment) start() Beat { return s.Beat }

// fault returns what is wrong with a segment that was read, "" if nothing is.
func (s Segment) fault() string {
	switch {
	case s.At < -MaxTime || s.At > MaxTime:
		return "at is out of range"
	case s.Beat < -MaxBeat || s.Beat > MaxBeat:
		return "beat is out of range"
	case min(s.Tempo, s.To) < MinTempo || max(s.Tempo, s.To) > MaxTempo:
		return "bpm is out of range"
	case s.Ramp < 0 || s.Ramp > MaxRamp || (s.Ramp == 0) != (s.Tempo == s.To):
		return "ramp makes no sense"
	}
	return ""
}

// Span returns how long the ramp takes: its beats at the mean of its tempos,
// rounded up.
func (s Segment) Span() Span {
	return Span(ceilMulDiv(uint64(s.Ramp), 2*perMinute, uint64(s.Tempo+s.To)))
}

// beatAt returns the last billionth of a beat that is reached at t. Before the
// segment it goes on as if its first tempo had always been.
func (s Segment) beatAt(t Time) Beat {
	d := clampTime(t) - s.At
	if d < 0 {
		return s.Beat - Beat(ceilMulDiv(uint64(-d), uint64(s.Tempo), perMinute))
	}
	span := s.Span()
	if Span(d) < span {
		return s.Beat + s.ramped(Span(d), span)
	}
	return s.Beat + s.length(span) + Beat(floorMulDiv(uint64(d)-uint64(span), uint64(s.To), perMinute))
}

// length returns the beats of the ramp in the time that it takes, which rounding
// that up makes up to 7 billionths more than Ramp.
func (s Segment) length(span Span) Beat {
	if span == 0 {
		return 0
	}
	return s.ramped(span, span)
}

// ramped returns the beats of the first d of a ramp that takes span:
// d*Tempo + d²*(To-Tempo)/(2*span), over one fraction. The longest ramp takes
// 3.1e12 ns, so that the inner factor stays below 2.5e18.
func (s Segment) ramped(d, span Span) Beat {
	inner := 2*int64(span)*int64(s.Tempo) + int64(d)*int64(s.To-s.Tempo)
	return Beat(floorMulDiv(uint64(d), uint64(inner), 2*perMinute*uint64(span)))
}

// timeOf returns the first nanosecond at which b is reached, so that
// beatAt(timeOf(b)) >= b and timeOf(beatAt(t)) <= t.
func (s Segment) timeOf(b Beat) Time {
	d := clampBeat(b) - s.Beat
	span := s.Span()
	length := s.length(span)
	var after int64
	switch {
	case d < 0:
		after = -floorMulDiv(uint64(-d), perMinute, uint64(s.Tempo))
	case d <= length:
		after = int64(s.unramped(d, span))
	default:
		after = int64(span) + ceilMulDiv(uint64(d-length), perMinute, uint64(s.To))
	}
	return clampTime(s.At + Time(after))
}

// unramped returns the first moment of the ramp at which d beats have passed. The
// square root is within a nanosecond or two; the whole numbers decide, so that
// every machine says the same.
func (s Segment) unramped(d Beat, span Span) Span {
	if d == 0 {
		return 0
	}
	reached := func(x Span) bool { return s.ramped(x, span) >= d }
	speed := float64(s.Tempo) / perMinute
	gain := float64(s.To-s.Tempo) / perMinute / float64(span) // of speed, per ns
	root := math.Sqrt(max(0, speed*speed+2*gain*float64(d)))
	guess := max(0, min(Span(2*float64(d)/(speed+root)), span))
	const near = 16
	low, high := max(0, guess-near), min(span, guess+near)
	if reached(low) { // the guess is worse than it can be
		low = 0
	}
	if !reached(high) {
		high = span
	}
	return low + Span(sort.Search(int(high-low), func(i int) bool { return reached(low + Span(i)) }))
}

// tempoAt returns the tempo at t.
func (s Segment) tempoAt(t Time) Tempo {
	d, span := Span(clampTime(t)-s.At), s.Span()
	switch {
	case d <= 0:
		return s.Tempo
	case d >= span:
		return s.To
	}
	change := int64(s.To - s.Tempo)
	gone := floorMulDiv(uint64(max(change, -change)), uint64(d), uint64(span))
	if change < 0 {
		gone = -gone
	}
	return s.Tempo + Tempo(gone)
}

type wireRamp struct {
	To    Tempo `json:"to"`
	Beats Beat  `json:"beats"`
	Span  Span  `json:"ms"` // for clients; not read
}

type wireSegment struct {
	At    *Time     `json:"at"`
	Beat  *Beat     `json:"beat"`
	Tempo *Tempo    `json:"bpm"`
	Ramp  *wireRamp `json:"ramp,omitempty"`
}

// MarshalJSON writes {"at","beat","bpm"}, and with a ramp {"to","beats","ms"}.
func (s Segment) MarshalJSON() ([]byte, error) {
	w := wireSegment{At: &s.At, Beat: &s.Beat, Tempo: &s.Tempo}
	if s.Ramp > 0 {
		w.Ramp = &wireRamp{To: s.To, Beats: s.Ramp, Span: s.Span()}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Segment) UnmarshalJSON(text []byte) error {
	var w wireSegment
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	if w.At == nil || w.Beat == nil || w.Tempo == nil {
		return refuse(BadPayload, "a segment has at, beat and bpm")
	}
	read := Segment{At: *w.At, Beat: *w.Beat, Tempo: *w.Tempo, To: *w.Tempo}
	if w.Ramp != nil {
		read.To, read.Ramp = w.Ramp.To, w.Ramp.Beats
	}
	if fault := read.fault(); fault != "" {
		return refuse(BadPayload, "%s", fault)
	}
	*s = read
	return nil
}
