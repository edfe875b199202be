package music

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// A Grading says how a take is scored.
type Grading struct {
	Grid
	Tolerance   Span // an onset belongs to a point no further away
	Calibration Span // by how much the student's instrument is late; subtracted first
	Chord       Span // onsets so close together are one; 0 when each counts
}

// Bounds of a grading.
const (
	defaultTolerance = 100 * Millisecond
	minTolerance     = 1 * Millisecond
	maxTolerance     = 250 * Millisecond
	maxCalibration   = 500 * Millisecond // Bluetooth is late by up to 300 ms
	maxChord         = 60 * Millisecond
)

// ParseGrading reads {feel?, subdivision?, swing_ratio?, tolerance_ms?,
// calibration_ms?, chord_ms?}. The error is a *Refusal.
func ParseGrading(payload []byte) (Grading, error) {
	f := readFields(payload)
	g := Grading{
		Tolerance:   Span(f.fixed("tolerance_ms", timeDigits, int64(minTolerance), int64(maxTolerance), int64(defaultTolerance))),
		Calibration: Span(f.fixed("calibration_ms", timeDigits, -int64(maxCalibration), int64(maxCalibration), 0)),
		Chord:       Span(f.fixed("chord_ms", timeDigits, 0, int64(maxChord), 0)),
	}
	if _, there := f.get("feel"); there && g.Feel.UnmarshalText([]byte(f.text("feel", maxKey))) != nil {
		f.wrong(`feel must be "straight", "triplet" or "swing"`)
	}
	usual := map[Feel]int64{Straight: 1, Triplet: 3, Swing: 2}[g.Feel]
	g.Subdivision = int(f.whole("subdivision", 1, maxSubdivision, usual))
	if g.Feel == Swing {
		g.Ratio = f.fixed("swing_ratio", 3, minRatio, maxRatio, 2000)
	}
	if err := f.err(); err != nil {
		return Grading{}, err
	}
	return g, g.check()
}

type wireGrading struct {
	Feel        Feel   `json:"feel"`
	Subdivision int    `json:"subdivision"`
	Ratio       *Tempo `json:"swing_ratio,omitempty"` // has a tempo's decimals
	Tolerance   Span   `json:"tolerance_ms"`
	Calibration Span   `json:"calibration_ms,omitempty"`
	Chord       Span   `json:"chord_ms,omitempty"`
}

// MarshalJSON writes what ParseGrading reads.
func (g Grading) MarshalJSON() ([]byte, error) {
	w := wireGrading{g.Feel, g.Subdivision, nil, g.Tolerance, g.Calibration, g.Chord}
	if g.Feel == Swing {
		ratio := Tempo(g.Ratio)
		w.Ratio = &ratio
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (g *Grading) UnmarshalJSON(text []byte) error {
	read, err := ParseGrading(text)
	if err == nil {
		*g = read
	}
	return err
}

// A Take is what students play between two beats, to be scored.
type Take struct {
	ID      string
	Grading Grading
	Begin   Beat
	End     Beat  // MaxBeat while it runs
	State   State // since its beginning: let it Follow each change, and prune nothing

	parts map[string]*part // by student
}

type part struct {
	batches map[int64]struct{}
	onsets  []Onset
}

// MaxTake is the longest take that is scored.
const MaxTake = 8192 * OneBeat

// Follow keeps the take's timeline up to date. It reports false when a change is
// missing: then the take can no longer be scored.
func (t *Take) Follow(c Change) (ok bool) {
	t.State, ok = t.State.Follow(c)
	return ok
}

// Add takes a batch of a student. The same batch again changes nothing. The
// error is a *Refusal.
func (t *Take) Add(student string, b Batch) error {
	p := t.parts[student]
	if p == nil {
		p = &part{batches: map[int64]struct{}{}}
		if t.parts == nil {
			t.parts = map[string]*part{}
		}
		t.parts[student] = p
	}
	if _, again := p.batches[b.Seq]; again {
		return nil
	}
	// Batches without onsets are bounded by this too.
	if len(p.onsets)+len(b.Onsets) > maxOnsets || len(p.batches) >= maxOnsets {
		return refuse(TakeFull, "a take keeps %d onsets of a student", maxOnsets)
	}
	p.batches[b.Seq] = struct{}{}
	p.onsets = append(p.onsets, b.Onsets...)
	return nil
}

// Students returns who sent batches, in order.
func (t *Take) Students() []string {
	names := make([]string, 0, len(t.parts))
	for name := range t.parts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Recording returns what a student played.
func (t *Take) Recording(student string) Recording {
	const margin = Second // of onsets before the take that still count
	state := t.State.Prune(t.State.Tempo.Time(t.Begin).Add(-margin))
	r := Recording{t.ID, student, t.Grading, t.Begin, min(t.End, t.Begin+MaxTake), state, []Onset{}}
	if p := t.parts[student]; p != nil {
		r.Onsets = sortOnsets(p.onsets, 0)
	}
	return r
}

// A Recording is all that the score of one student's take is computed from. It
// can be kept, and scored again elsewhere with the same result.
type Recording struct {
	Take    string  `json:"take"`
	Student string  `json:"student_id"`
	Grading Grading `json:"grading"`
	Begin   Beat    `json:"begin"`
	End     Beat    `json:"end"`
	State   State   `json:"state"`
	Onsets  []Onset `json:"onsets"`
}

// ReadRecording reads a recording's JSON.
func ReadRecording(text []byte) (Recording, error) {
	var r Recording
	if err := json.Unmarshal(text, &r); err != nil {
		return Recording{}, fmt.Errorf("read recording: %w", err)
	}
	if r.State.Rev == 0 || r.Grading.Subdivision == 0 || r.End > r.Begin+MaxTake || len(r.Onsets) > maxOnsets {
		return Recording{}, errors.New("read recording: it has no state, no grading, or is too long")
	}
	return r, nil
}
