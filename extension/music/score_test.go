package music

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// playing returns a room that plays since noon at 120 bpm, and a take of its
// first 16 beats.
func playing(t rapid.TB, grading string) *Take {
	c := newClock()
	do(t, c, noon, Start, `{}`)
	g, err := ParseGrading([]byte(grading))
	if err != nil {
		t.Fatal(err)
	}
	return &Take{ID: "t5", Grading: g, End: 16 * OneBeat, State: c.State}
}

// play adds an onset for each whole beat, late by what late says, in ms.
func play(t rapid.TB, take *Take, late func(k int) float64) {
	var b Batch
	for k := range 16 {
		if ms := late(k); !math.IsNaN(ms) {
			b.Onsets = append(b.Onsets, Onset{seconds(float64(k) / 2).Add(Span(ms * 1e6)), 38, 97})
		}
	}
	if err := take.Add("anna", b); err != nil {
		t.Fatal(err)
	}
}

// figures writes a score's numbers.
func figures(s Score) string {
	text := fmt.Sprintf("%d hit, %d missed, %d extra, %d outside", s.Hit, s.Missed, s.Extra, s.Outside)
	for _, f := range []struct {
		name  string
		value any
		there bool
	}{{"mean", s.Mean, s.Mean != nil}, {"sd", s.Spread, s.Spread != nil}, {"drift", s.Drift, s.Drift != nil},
		{"bpm", s.Tempo, s.Tempo != nil}} {
		if f.there {
			value, _ := json.Marshal(f.value)
			text += fmt.Sprintf(", %s %s", f.name, value)
		}
	}
	return text
}

func TestScores(t *testing.T) {
	t.Parallel()
	none := math.NaN()
	for name, tt := range map[string]struct {
		grading string
		late    func(k int) float64
		want    string
	}{
		"nobody plays":        {`{}`, func(int) float64 { return none }, "0 hit, 16 missed, 0 extra, 0 outside"},
		"a machine":           {`{}`, func(int) float64 { return 0 }, "16 hit, 0 missed, 0 extra, 0 outside, mean 0, sd 0, drift 0, bpm 120"},
		"always early":        {`{}`, func(int) float64 { return -12.5 }, "16 hit, 0 missed, 0 extra, 0 outside, mean -12.5, sd 0, drift 0, bpm 120"},
		"calibrated":          {`{"calibration_ms":-12.5}`, func(int) float64 { return -12.5 }, "16 hit, 0 missed, 0 extra, 0 outside, mean 0, sd 0, drift 0, bpm 120"},
		"left and right":      {`{}`, func(k int) float64 { return float64(k%2*2-1) * 10 }, "16 hit, 0 missed, 0 extra, 0 outside, mean 0, sd 10.328, drift 28.235, bpm 119.944"},
		"a dragger":           {`{}`, func(k int) float64 { return float64(k) * 5 }, "16 hit, 0 missed, 0 extra, 0 outside, mean 37.5, sd 23.805, drift 600, bpm 118.812"},
		"a rusher":            {`{}`, func(k int) float64 { return float64(k) * -5 }, "16 hit, 0 missed, 0 extra, 0 outside, mean -37.5, sd 23.805, drift -600, bpm 121.212"},
		"one":                 {`{}`, func(k int) float64 { return []float64{7, none}[min(k, 1)] }, "1 hit, 15 missed, 0 extra, 0 outside, mean 7"},
		"two":                 {`{}`, func(k int) float64 { return []float64{7, 9, none}[min(k, 2)] }, "2 hit, 14 missed, 0 extra, 0 outside, mean 8, sd 1.414"},
		"too late":            {`{"tolerance_ms":50}`, func(k int) float64 { return 60 }, "0 hit, 16 missed, 16 extra, 0 outside"},
		"eighths are missing": {`{"subdivision":2}`, func(k int) float64 { return 0 }, "16 hit, 16 missed, 0 extra, 0 outside, mean 0, sd 0, drift 0, bpm 120"},
		"before the take":     {`{}`, func(k int) float64 { return -300 }, "0 hit, 16 missed, 15 extra, 1 outside"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			take := playing(t, tt.grading)
			play(t, take, tt.late)
			s := take.Recording("anna").Score()
			if got := figures(s); got != tt.want {
				t.Errorf("scored %q, want %q", got, tt.want)
			}
			if len(s.Dots) != s.Hit+s.Missed+s.Extra || s.Expected != s.Hit+s.Missed {
				t.Errorf("%d dots, %d expected", len(s.Dots), s.Expected)
			}
		})
	}
}

func TestSwingIsJudgedAsSwing(t *testing.T) {
	t.Parallel()
	for feel, want := range map[string]string{
		`{"feel":"swing"}`:                    "32 hit, 0 missed, 0 extra, 0 outside, mean 0, sd 0, drift 0, bpm 120",
		`{"feel":"swing","swing_ratio":3}`:    "32 hit, 0 missed, 0 extra, 0 outside, mean -20.833, sd 21.167",
		`{"feel":"straight","subdivision":2}`: "32 hit, 0 missed, 0 extra, 0 outside, mean 41.667, sd 42.333",
		`{"feel":"triplet"}`:                  "32 hit, 16 missed, 0 extra, 0 outside, mean 0, sd 0, drift 0, bpm 120",
	} {
		take := playing(t, feel)
		var b Batch
		for k := range 16 {
			on := seconds(float64(k) / 2)
			b.Onsets = append(b.Onsets, Onset{on, 38, 97}, Onset{on.Add(333_333_334), 38, 60})
		}
		if err := take.Add("anna", b); err != nil {
			t.Fatal(err)
		}
		got := figures(take.Recording("anna").Score())
		if feel == `{"feel":"swing"}` || feel == `{"feel":"triplet"}` {
			if got != want {
				t.Errorf("%s scored %q, want %q", feel, got, want)
			}
		} else if !strings.HasPrefix(got, want) {
			t.Errorf("%s scored %q, want %q", feel, got, want)
		}
	}
}

func TestChordsAreOneOnsetIfWanted(t *testing.T) {
	t.Parallel()
	for grading, want := range map[string]int{`{}`: 32, `{"chord_ms":30}`: 0} {
		take := playing(t, grading)
		for i := range 3 {
			var b Batch
			b.Seq = int64(i)
			for k := range 16 {
				b.Onsets = append(b.Onsets, Onset{seconds(float64(k) / 2).Add(Span(i) * 10 * Millisecond), uint8(60 + i), 97})
			}
			if err := take.Add("anna", b); err != nil {
				t.Fatal(err)
			}
		}
		if s := take.Recording("anna").Score(); s.Extra != want || s.Hit != 16 || *s.Mean != 0 {
			t.Errorf("%s: %s", grading, figures(s))
		}
	}
}

// drawTake plays a take, unevenly, over changes of tempo and transport.
func drawTake(t *rapid.T, shift Span) (*Take, []Batch) {
	c := newClock()
	c.State.Tempo = c.State.Tempo.shift(shift)
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	do(t, c, noon.Add(shift), Start, `{}`)
	gradings := []string{`{}`, `{"subdivision":4,"tolerance_ms":60}`, `{"feel":"swing","swing_ratio":1.7}`,
		`{"feel":"triplet","subdivision":6,"tolerance_ms":250,"calibration_ms":23.4}`, `{"chord_ms":20}`}
	g, err := ParseGrading([]byte(gradings[random.IntN(len(gradings))]))
	if err != nil {
		t.Fatal(err)
	}
	take := &Take{ID: "t", Grading: g, Begin: 2 * OneBeat, End: MaxBeat, State: c.State}
	now := noon.Add(shift)
	for range random.IntN(8) {
		now = now.Add(Span(random.Int64N(int64(3 * Second))))
		command := parse(t, SetTempo, fmt.Sprintf(`{"bpm":%d,"ramp_beats":%d}`, 60+random.IntN(120), random.IntN(5)))
		if _, change := c.Do(command, "teacher", now); change != nil && !take.Follow(*change) {
			t.Fatal("a change is missing")
		}
	}
	take.End = c.State.Tempo.BeatAfter(now.Add(5 * Second))
	var batches []Batch
	for b := take.Begin - OneBeat; b < take.End+OneBeat; b += OneBeat / 4 {
		if random.IntN(4) == 0 {
			continue
		}
		if len(batches) == 0 || random.IntN(5) == 0 {
			batches = append(batches, Batch{Take: "t", Seq: int64(len(batches))})
		}
		last := &batches[len(batches)-1]
		late := Span(random.NormFloat64() * float64(30*Millisecond))
		last.Onsets = append(last.Onsets, Onset{c.State.Tempo.Time(b).Add(late), uint8(random.IntN(128)), uint8(random.IntN(128))})
	}
	return take, batches
}

func scored(t rapid.TB, r Recording) string {
	text, err := json.Marshal(r.Score())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAReplayedTakeScoresTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		take, batches := drawTake(t, 0)
		for _, b := range batches {
			if err := take.Add("anna", b); err != nil {
				t.Fatal(err)
			}
		}
		recording := take.Recording("anna")
		want := scored(t, recording)
		// In another order, and twice.
		again := *take
		again.parts = nil
		for _, b := range append(rapid.Permutation(batches).Draw(t, "order"), batches...) {
			if err := again.Add("anna", b); err != nil {
				t.Fatal(err)
			}
		}
		if got := scored(t, again.Recording("anna")); got != want {
			t.Fatalf("in another order scored\n%s, want\n%s", got, want)
		}
		// From what was kept.
		text, err := json.Marshal(recording)
		if err != nil {
			t.Fatal(err)
		}
		read, err := ReadRecording(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := scored(t, read); got != want {
			t.Fatalf("kept, scored\n%s, want\n%s", got, want)
		}
	})
}

func TestAScoreDoesNotDependOnTheTimeOfDay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		shift := Span(rapid.Int64Range(-int64(1e18), int64(1e18)).Draw(t, "shift"))
		take, batches := drawTake(t, 0)
		for _, b := range batches {
			if err := take.Add("anna", b); err != nil {
				t.Fatal(err)
			}
		}
		recording := take.Recording("anna")
		want := recording.Score()
		recording.State.Tempo = recording.State.Tempo.shift(shift)
		for i := range recording.Onsets {
			recording.Onsets[i].At = recording.Onsets[i].At.Add(shift)
		}
		got := recording.Score()
		for i := range got.Dots {
			got.Dots[i].At = got.Dots[i].At.Add(-shift)
		}
		a, _ := json.Marshal(got)
		if b, _ := json.Marshal(want); string(a) != string(b) {
			t.Fatalf("moved by %d scored\n%s, want\n%s", shift, a, b)
		}
	})
}

func TestAScoreOnTheWire(t *testing.T) {
	t.Parallel()
	take := playing(t, `{"feel":"swing","swing_ratio":2.5}`)
	take.End = OneBeat
	if err := take.Add("anna", Batch{Onsets: []Onset{{seconds(-0.0125), 60, 80}, {seconds(0.2), 62, 81}}}); err != nil {
		t.Fatal(err)
	}
	const want = `{"take":"t5","student_id":"anna","grading":{"feel":"swing","subdivision":2,"swing_ratio":2.5,"tolerance_ms":100},` +
		`"expected":2,"hit":1,"missed":1,"extra":1,"outside":0,"mean_ms":-12.5,"sd_ms":null,"drift_ms_per_min":null,"bpm":null,"asked_bpm":null,` +
		`"dots":[{"kind":"hit","beat":0,"at":1789999999987.500123,"late_ms":-12.5,"midi":60,"velocity":80},` +
		`{"kind":"extra","beat":0.4,"at":1790000000200.000123,"midi":62,"velocity":81},` +
		`{"kind":"missed","beat":0.714285714,"at":1790000000357.14298}]}`
	if got := scored(t, take.Recording("anna")); got != want {
		t.Errorf("sent\n%s, want\n%s", got, want)
	}
	summary, _ := json.Marshal(take.Recording("anna").Score().Summary())
	if before, _, _ := strings.Cut(want, `,"dots"`); string(summary) != before+"}" {
		t.Errorf("the summary is %s", summary)
	}
	if got := take.Recording("nobody").Score(); got.Missed != 2 || len(take.Students()) != 1 {
		t.Errorf("of nobody %+v", got)
	}
}

func TestWhileNothingPlaysNothingIsExpected(t *testing.T) {
	t.Parallel()
	c := newClock()
	do(t, c, noon, CountIn, `{}`)
	do(t, c, seconds(6), Stop, `{"at":"now"}`)
	take := &Take{Grading: Grading{Grid: Grid{Subdivision: 1}, Tolerance: Millisecond}, End: 100 * OneBeat, State: c.State}
	if s := take.Recording("anna").Score(); s.Expected != 8 { // from 2 s to 6 s
		t.Errorf("%d onsets are expected", s.Expected)
	}
}
