package music

import "sort"

// A Timeline says which beat is when: segments in order of their beats, at least
// one. It has no end and no beginning: the first segment holds for all that was
// before it.
//
// Beat and Time are inverse to each other as far as whole units can be. Beat
// rounds down and Time rounds up, which makes one the exact adjoint of the other
// (b <= Beat(t) just when Time(b) <= t), so that
//
//	0 <= Beat(Time(b)) - b <= 8 billionths of a beat (there are 7 in a ns at 400 bpm)
//	0 <= t - Time(Beat(t)) <= 8 ns                   (a billionth takes 3 ns at 20 bpm)
//
// at any distance from the segment's origin, as all of it is exact arithmetic in
// 128 bits. Where segments meet, the position makes no jump that is larger.
type Timeline []Segment

// Beat returns the position at t. It never falls, and rises within any 8 ns.
func (l Timeline) Beat(t Time) Beat { return l[l.at(t)].beatAt(t) }

// Time returns the first moment at which b is reached.
func (l Timeline) Time(b Beat) Time { return l[inForce(l, b)].timeOf(b) }

// Tempo returns the tempo at t.
func (l Timeline) Tempo(t Time) Tempo { return l[l.at(t)].tempoAt(t) }

// at returns the index of the segment that holds at t.
func (l Timeline) at(t Time) int {
	next := sort.Search(len(l), func(i int) bool { return l[i].At > t })
	return max(0, next-1)
}

// BeatAfter returns the first whole beat whose time is t or later: the one after
// what is reached a nanosecond before.
func (l Timeline) BeatAfter(t Time) Beat { return l.Beat(clampTime(t)-1).Floor() + OneBeat }

// soon returns the position that is reached at t, or within the 8 ns after it if
// none is: of all whose time is the same nanosecond the last, which is the nearest.
func (l Timeline) soon(t Time) Beat { return l.Beat(l.Time(l.Beat(clampTime(t)-1) + 1)) }

// change returns the timeline with another tempo from b on, by way of a ramp of
// so many beats. The time is Time(b), which keeps Beat and Time adjoint.
func (l Timeline) change(b Beat, to Tempo, ramp Beat) Timeline {
	t, last := l.Time(b), l[len(l)-1]
	if to == last.To && t >= last.At.Add(last.Span()) {
		return l // it is so already
	}
	s := Segment{At: t, Beat: b, Tempo: l.Tempo(t), To: to, Ramp: ramp}
	if ramp == 0 || s.Tempo == to {
		s.Tempo, s.Ramp = to, 0
	}
	return from(l, b, s)
}

// shift returns the timeline by another clock that shows d more.
func (l Timeline) shift(d Span) Timeline {
	shifted := make(Timeline, len(l))
	for i, s := range l {
		s.At = clampTime(s.At.Add(d))
		shifted[i] = s
	}
	return shifted
}

// ordered reports whether a timeline that was read can be one: times rise too,
// and each segment begins where its predecessor has just got to.
func (l Timeline) ordered() bool {
	if !ordered(l) {
		return false
	}
	for i := 1; i < len(l); i++ {
		before, s := l[i-1], l[i]
		if s.At <= before.At || before.beatAt(s.At-1) > s.Beat || before.beatAt(s.At) < s.Beat {
			return false
		}
	}
	return true
}
