package music

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestNumbersAreReadDigitByDigit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "1": 1000, "1.5": 1500, "-1.5": -1500, "0.0005": 1, "0.00049": 0, "-0.0005": -1,
		"1e3": 1000000, "1.5E+1": 15000, "12345e-3": 12345, "4e-4": 0, "5e-4": 1, "1e-999999": 0, "0e999999": 0,
		"9007199254740993.001": 9007199254740993001, // a float would lose the last digits
	} {
		if got, err := parseFixed(text, 3, math.MaxInt64); err != nil || got != want {
			t.Errorf("%s is read as %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", "x", `"1"`, "1.", ".5", "1e", "1e1.5", "null", "--1", "0x10", "1 "} {
		if got, err := parseFixed(text, 3, math.MaxInt64); err != errNotNumber {
			t.Errorf("%q is read as %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"1e30", "10.0005", "-10.001", "1e999999999", "99999999999999999999"} {
		if got, err := parseFixed(text, 3, 10_000); err != errTooLarge {
			t.Errorf("%s is read as %d, %v, though 10 is the limit", text, got, err)
		}
	}
}

func TestUnitsSurviveJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type all struct {
			At    Time
			Span  Span
			Beat  Beat
			Tempo Tempo
		}
		want := all{
			Time(rapid.Int64Range(-int64(MaxTime), int64(MaxTime)).Draw(t, "at")),
			Span(rapid.Int64Range(-int64(MaxTime), int64(MaxTime)).Draw(t, "span")),
			Beat(rapid.Int64Range(-int64(MaxBeat), int64(MaxBeat)).Draw(t, "beat")),
			Tempo(rapid.Int32Range(0, int32(MaxTempo)).Draw(t, "tempo")),
		}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got all
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Fatalf("%s is read as %+v, %v, want %+v", text, got, err, want)
		}
		// What a browser makes of a time of today is within a quarter of a microsecond.
		var browser float64
		today := Time(1_790_000_000_000_000_000) + want.At%Time(Minute)
		text, _ = today.MarshalJSON()
		if err := json.Unmarshal(text, &browser); err != nil {
			t.Fatal(err)
		}
		exact := new(big.Float).SetInt64(int64(today))
		lost, _ := exact.Sub(exact, new(big.Float).Mul(big.NewFloat(browser), big.NewFloat(1e6))).Float64()
		if math.Abs(lost) > 250 {
			t.Fatalf("%s loses %v ns", text, lost)
		}
	})
}

func TestWholeBeats(t *testing.T) {
	t.Parallel()
	for b, want := range map[Beat][2]Beat{
		0: {0, 0}, 1: {0, OneBeat}, -1: {-OneBeat, 0}, OneBeat: {OneBeat, OneBeat}, -OneBeat: {-OneBeat, -OneBeat},
	} {
		if b.Floor() != want[0] || b.Ceil() != want[1] {
			t.Errorf("%d lies between %d and %d", b, b.Floor(), b.Ceil())
		}
	}
}
