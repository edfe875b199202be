package music

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	got, err := ParseBatch([]byte(`{"take":"t5","seq":12,"ev":[[1790000000160.25,38,97],[1790000000923,42]]}`))
	want := Batch{"t5", 12, []Onset{{1_790_000_000_160_250_000, 38, 97}, {1_790_000_000_923_000_000, 42, usualVelocity}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
	for payload, want := range map[string]string{
		`{"seq":1,"ev":[]}`:                                                        "take is missing",
		`{"take":"t","ev":[]}`:                                                     "seq is missing",
		`{"take":"t","seq":1}`:                                                     "ev is missing",
		`{"take":"t","seq":1,"ev":{}}`:                                             "ev must be a list of [ms, midi, velocity]",
		`{"take":"t","seq":1,"ev":[1]}`:                                            "ev[0]: an onset is [ms, midi, velocity]",
		`{"take":"t","seq":1,"ev":[[1,2,3],[1]]}`:                                  "ev[1]: an onset is [ms, midi, velocity]",
		`{"take":"t","seq":1,"ev":[[1,2,3,4]]}`:                                    "ev[0]: an onset is [ms, midi, velocity]",
		`{"take":"t","seq":1,"ev":[[1,128]]}`:                                      "ev[0]: midi must be from 0 to 127",
		`{"take":"t","seq":1,"ev":[[1,60,0.5]]}`:                                   "ev[0]: velocity must be a whole number, not 0.5",
		`{"take":"t","seq":1,"ev":[["1",60]]}`:                                     "ev[0]: at must be a number",
		`{"take":"t","seq":1,"ev":[[null,60]]}`:                                    "ev[0]: at is missing",
		`{"take":"t","seq":1,"ev":[[1e300,60]]}`:                                   "ev[0]: at must be from -4611686018427.387903 to 4611686018427.387903",
		`{"take":"t","seq":1,"ev":[` + strings.Repeat("[1,60],", 500) + `[1,60]]}`: "a batch has 500 onsets at most, not 501: send more batches",
	} {
		if got, err := ParseBatch([]byte(payload)); err == nil || err.Error() != "bad_payload: "+want {
			t.Errorf("%.60s is read as %+v, %v, want %s", payload, got, err, want)
		}
	}
}

func TestATakeHasAnEnd(t *testing.T) {
	t.Parallel()
	take := playing(t, `{}`)
	full := make([]Onset, maxBatch)
	for seq := range int64(maxOnsets / maxBatch) {
		if err := take.Add("anna", Batch{Seq: seq, Onsets: full}); err != nil {
			t.Fatal(err)
		}
	}
	err := take.Add("anna", Batch{Seq: 1000, Onsets: full[:1]})
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != TakeFull {
		t.Errorf("one too many: %v", err)
	}
	if err := take.Add("anna", Batch{Seq: 0, Onsets: full}); err != nil {
		t.Errorf("a repeated batch: %v", err)
	}
	if err := take.Add("ben", Batch{Onsets: full}); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	take.End = MaxBeat
	if s := take.Recording("ben").Score(); s.Expected != int(MaxTake/OneBeat) {
		t.Errorf("an endless take expects %d", s.Expected)
	}
}

func TestGradings(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]Grading{
		`{}`:                 {Grid{Straight, 1, 0}, defaultTolerance, 0, 0},
		`{"feel":"triplet"}`: {Grid{Triplet, 3, 0}, defaultTolerance, 0, 0},
		`{"feel":"swing","swing_ratio":1.618,"subdivision":4,"tolerance_ms":80,"calibration_ms":-20.5,"chord_ms":30}`: {
			Grid{Swing, 4, 1618}, 80 * Millisecond, -20500 * Millisecond / 1000, 30 * Millisecond,
		},
	} {
		got, err := ParseGrading([]byte(payload))
		if err != nil || got != want {
			t.Errorf("%s is read as %+v, %v", payload, got, err)
		}
		if again := wired(t, got); again != got {
			t.Errorf("%+v comes back as %+v", got, again)
		}
	}
	for _, payload := range []string{
		`[]`, `{"feel":"shuffle"}`, `{"feel":5}`, `{"subdivision":0}`, `{"subdivision":13}`, `{"feel":"triplet","subdivision":4}`,
		`{"feel":"swing","subdivision":3}`, `{"feel":"swing","swing_ratio":0.9}`, `{"feel":"swing","swing_ratio":8}`,
		`{"tolerance_ms":0}`, `{"tolerance_ms":251}`, `{"calibration_ms":501}`, `{"chord_ms":-1}`,
	} {
		if got, err := ParseGrading([]byte(payload)); err == nil {
			t.Errorf("%s is read as %+v", payload, got)
		} else if _, ok := errors.AsType[*Refusal](err); !ok {
			t.Errorf("%s: the error is a %T", payload, err)
		}
	}
}

func TestRecordingsThatMakeNoSenseAreNotRead(t *testing.T) {
	t.Parallel()
	take := playing(t, `{}`)
	text, err := json.Marshal(take.Recording("anna"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRecording(text); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"without a state":   {`"state":`, `"past":`},
		"without a grading": {`"grading":`, `"grade":`},
		"too long":          {`"end":16`, fmt.Sprintf(`"end":%d`, 1+MaxTake/OneBeat)},
		"a bad onset":       {`"onsets":[]`, `"onsets":[[1]]`},
		"no JSON":           {`{`, `[`},
	} {
		if r, err := ReadRecording([]byte(strings.Replace(string(text), change[0], change[1], 1))); err == nil {
			t.Errorf("%s: read %+v", name, r)
		}
	}
}
