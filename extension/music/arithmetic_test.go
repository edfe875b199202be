package music

import (
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// An exactRoom is the timeline in numbers of 77 decimal digits: where the last change took place and
// the tempo since. Changes take place at whole beats after ramps are over, so
// that there are no roots.
type exactRoom struct {
	at    *big.Float // ns
	beat  *big.Float // beats
	tempo Tempo
}

// number returns n with 256 bits.
func number(n int64) *big.Float { return new(big.Float).SetPrec(256).SetInt64(n) }

// time returns when a beat is, at so many thousandths of a beat per minute.
func (r *exactRoom) time(beat *big.Float, tempo *big.Float) *big.Float {
	perBeat := number(0).Quo(number(60_000*int64(Second)), tempo)
	d := number(0).Sub(beat, r.beat)
	return d.Add(d.Mul(d, perBeat), r.at)
}

func thousandths(v Tempo) *big.Float { return number(int64(v)) }

func TestBeatsOfTenMinutesAreWhereArithmeticSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		exact := exactRoom{number(int64(noon)), number(0), 120 * BPM}
		now, end := noon, noon.Add(10*Minute)
		free := Beat(0) // no ramp is under way from here on
		for now < end {
			now = now.Add(Span(rapid.Int64Range(int64(Second), int64(2*Minute)).Draw(t, "wait")))
			if now < end && c.State.Tempo.BeatAfter(now) > free+OneBeat {
				tempo := Tempo(rapid.Int32Range(int32(MinTempo), int32(MaxTempo)).Draw(t, "tempo"))
				beats := rapid.Int64Range(0, 16).Draw(t, "ramp")
				b := c.State.Tempo.BeatAfter(now)
				command, err := ParseCommand(SetTempo,
					fmt.Appendf(nil, `{"bpm":%d.%03d,"at":"beat","ramp_beats":%d}`, tempo/1000, tempo%1000, beats))
				if err != nil {
					t.Fatal(err)
				}
				c.Do(command, "teacher", now)
				at := number(int64(b / OneBeat))
				exact.at, exact.beat = exact.time(at, thousandths(exact.tempo)), at
				if beats > 0 {
					mean := number(0).Mul(thousandths(exact.tempo+tempo), big.NewFloat(0.5))
					over := number(0).Add(at, number(beats))
					exact.at, exact.beat = exact.time(over, mean), over
				}
				exact.tempo, free = tempo, b+Beat(beats)*OneBeat
			}
			for b := max(free, c.State.Tempo.BeatAfter(now)); b < free+20*OneBeat; b += OneBeat {
				want := exact.time(number(int64(b/OneBeat)), thousandths(exact.tempo))
				off := want.Sub(want, number(int64(c.State.Tempo.Time(b))))
				if ns, _ := off.Float64(); ns < -1000 || ns > 1000 {
					t.Fatalf("beat %d is off by %v ns after %d changes", b/OneBeat, ns, c.State.Rev)
				}
			}
		}
	})
}

// After a hundred million beats without a change a beat is where one division puts it.
func TestNothingAccumulates(t *testing.T) {
	t.Parallel()
	for _, tempo := range []Tempo{20_000, 96_000, 119_999, 133_333, 399_999} {
		s := NewState("k", noon, tempo, CommonTime)
		for _, k := range []int64{1, 1000, 1_000_000, 100_000_000} {
			want := new(big.Int).Mul(big.NewInt(k), big.NewInt(60_000*int64(Second)))
			want.Add(want, big.NewInt(int64(tempo)-1)).Div(want, big.NewInt(int64(tempo)))
			if got := s.Tempo.Time(Beat(k) * OneBeat).Sub(noon); int64(got) != want.Int64() {
				t.Errorf("at %d/1000 bpm beat %d comes after %d ns, want %v", tempo, k, got, want)
			}
		}
	}
}

// A thousand changes at beats move no beat by more than a microsecond.
func TestAThousandChangesMoveABeatByAMicrosecondAtMost(t *testing.T) {
	t.Parallel()
	l := Timeline{{At: noon, Tempo: 133_333, To: 133_333}}
	exact := exactRoom{number(int64(noon)), number(0), 133_333}
	for k := int64(1); k <= 1000; k++ {
		tempo := Tempo(100_000 + k*7919%200_000)
		l = l.change(Beat(k)*OneBeat, tempo, 0).change(Beat(k)*OneBeat, tempo, 0)
		at := number(k)
		exact.at, exact.beat, exact.tempo = exact.time(at, thousandths(exact.tempo)), at, tempo
	}
	want := exact.time(number(1001), thousandths(exact.tempo))
	off := want.Sub(number(int64(l.Time(1001*OneBeat))), want)
	// -1: the numbers of 77 digits may end beyond the whole nanosecond that is right.
	if ns, _ := off.Float64(); ns < -1 || ns > 1000 {
		t.Errorf("beat 1001 is off by %v ns", ns)
	} else {
		t.Logf("beat 1001 is off by %.1f ns", ns)
	}
}
