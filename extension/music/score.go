package music

import (
	"cmp"
	"math"
	"slices"
)

// A Score says how a student played. Means and deviations are told apart, as
// people do: most play ahead of the beat by habit, and by how much is a matter of
// ears and cables; how evenly they play, and whether they run away, is not.
type Score struct {
	Take     string  `json:"take"`
	Student  string  `json:"student_id"`
	Grading  Grading `json:"grading"`
	Expected int     `json:"expected"` // points of the grid while the music played
	Hit      int     `json:"hit"`
	Missed   int     `json:"missed"`           // points without an onset
	Extra    int     `json:"extra"`            // onsets without a point
	Outside  int     `json:"outside"`          // onsets before or after the take
	Mean     *Span   `json:"mean_ms"`          // of the hits: late is positive; null without any
	Spread   *Span   `json:"sd_ms"`            // standard deviation of the sample; null below 2 hits
	Drift    *Span   `json:"drift_ms_per_min"` // slope of lateness; null below 3 hits
	Tempo    *Tempo  `json:"bpm"`              // that the student kept; null below 3 hits
	Asked    *Tempo  `json:"asked_bpm"`        // the room's, between the same points
	Dots     []Dot   `json:"dots,omitempty"`   // in order of time
}

// Summary returns the score without its dots, each of which has some 100 bytes of
// JSON: too many for one message after ten minutes of sixteenths.
func (s Score) Summary() Score {
	s.Dots = nil
	return s
}

// A Dot is one mark of the picture of a take.
type Dot struct {
	Kind     string `json:"kind"` // hit, missed or extra
	Beat     Beat   `json:"beat"` // of the point; of an extra onset, where it was
	At       Time   `json:"at"`   // of the onset, calibrated; of a missed one, of the point
	Late     *Span  `json:"late_ms,omitempty"`
	Midi     *uint8 `json:"midi,omitempty"`
	Velocity *uint8 `json:"velocity,omitempty"`
}

// A hit is an onset with its point.
type hit struct {
	beat Beat
	at   Time // of the point
	late Span
}

// Score computes the score. The same recording gives the same bytes on every
// machine, and moving all its times by the same span moves the dots and nothing
// else.
func (r Recording) Score() Score {
	g := r.Grading
	beats, times := r.points()
	onsets, outside := r.onsets()
	played := make([]Time, len(onsets))
	for i, o := range onsets {
		played[i] = o.At
	}
	s := Score{Take: r.Take, Student: r.Student, Grading: g, Expected: len(beats), Outside: outside}
	hits := make([]hit, 0, len(onsets))
	taken := make([]bool, len(beats))
	s.Dots = make([]Dot, 0, len(beats)+len(onsets))
	for i, p := range match(times, played, g.Tolerance) {
		o := onsets[i]
		if p < 0 {
			s.Dots = append(s.Dots, Dot{Kind: "extra", Beat: r.State.Tempo.Beat(o.At), At: o.At, Midi: &o.Midi, Velocity: &o.Velocity})
			continue
		}
		h := hit{beats[p], times[p], o.At.Sub(times[p])}
		hits, taken[p] = append(hits, h), true
		s.Dots = append(s.Dots, Dot{"hit", h.beat, o.At, &h.late, &o.Midi, &o.Velocity})
	}
	for p, hit := range taken {
		if !hit {
			s.Dots = append(s.Dots, Dot{Kind: "missed", Beat: beats[p], At: times[p]})
		}
	}
	slices.SortStableFunc(s.Dots, func(a, b Dot) int { return cmp.Compare(a.At, b.At) })
	s.Hit, s.Missed, s.Extra = len(hits), len(beats)-len(hits), len(onsets)-len(hits)
	s.judge(hits)
	return s
}

// points returns the grid's beats that are played, and their times.
func (r Recording) points() ([]Beat, []Time) {
	var beats []Beat
	var times []Time
	for _, b := range r.Grading.Points(r.Begin, r.End) {
		if r.State.Transport.Mode(b) == Playing {
			beats, times = append(beats, b), append(times, r.State.Tempo.Time(b))
		}
	}
	return beats, times
}

// onsets returns the calibrated onsets in the take, and how many are not in it.
func (r Recording) onsets() (inside []Onset, outside int) {
	first := r.State.Tempo.Time(r.Begin).Add(-r.Grading.Tolerance)
	last := r.State.Tempo.Time(r.End).Add(r.Grading.Tolerance)
	for _, o := range sortOnsets(r.Onsets, r.Grading.Chord) {
		o.At = clampTime(o.At.Add(-r.Grading.Calibration))
		if o.At < first || o.At > last {
			outside++
			continue
		}
		inside = append(inside, o)
	}
	return inside, outside
}

// judge computes the figures. Products of floats are converted where they stand,
// which forbids to fuse them with a sum: some processors would, and differ in the
// last bit.
func (s *Score) judge(hits []hit) {
	n := len(hits)
	if n == 0 {
		return
	}
	var sum, elapsed float64
	for _, h := range hits {
		sum += float64(h.late)
		elapsed += float64(h.at.Sub(hits[0].at))
	}
	mean, middle := sum/float64(n), elapsed/float64(n)
	s.Mean = micros(mean)
	if n < 2 {
		return
	}
	var square, along, across float64
	for _, h := range hits {
		late, time := float64(h.late)-mean, float64(h.at.Sub(hits[0].at))-middle
		square += float64(late * late)
		along += float64(time * time)
		across += float64(time * late)
	}
	s.Spread = micros(math.Sqrt(square / float64(n-1)))
	if n < 3 {
		return
	}
	s.tempo(hits[0], hits[n-1], across/along)
}

// tempo sets what follows from the slope of lateness: who is later by a tenth of
// the time that passes plays at ten elevenths of the tempo.
func (s *Score) tempo(first, last hit, slope float64) {
	s.Drift = micros(slope * float64(Minute))
	asked := float64(last.beat-first.beat) * perMinute / float64(last.at.Sub(first.at))
	const standstill = 0.01 // all onsets at one moment have no tempo
	if 1+slope > standstill {
		kept := Tempo(math.Round(asked / (1 + slope)))
		s.Tempo = &kept
	}
	mean := Tempo(math.Round(asked))
	s.Asked = &mean
}

// micros returns nanoseconds as a span, rounded to microseconds.
func micros(ns float64) *Span {
	span := Span(math.Round(ns/1000)) * 1000
	return &span
}
