package music

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPairing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		points, onsets []Time
		want           []int
	}{
		"nothing":                              {nil, nil, []int{}},
		"nothing played":                       {[]Time{10}, nil, []int{}},
		"nothing expected":                     {nil, []Time{10}, []int{-1}},
		"at the edge of the tolerance":         {[]Time{100, 200}, []Time{90, 211}, []int{0, -1}},
		"the nearer of two":                    {[]Time{100}, []Time{95, 104}, []int{-1, 0}},
		"of two as near the earlier onset":     {[]Time{100}, []Time{95, 105}, []int{0, -1}},
		"of two as near the earlier point":     {[]Time{100, 110}, []Time{105}, []int{0}},
		"a late one does not lose to the next": {[]Time{100, 110}, []Time{108, 112}, []int{0, 1}},
		"more pairs are better than near ones": {[]Time{100, 110, 120}, []Time{109, 119, 129}, []int{0, 1, 2}},
		"at one moment one counts":             {[]Time{100}, []Time{100, 100, 100}, []int{0, -1, -1}},
		"far apart":                            {[]Time{0, 1000, 2000}, []Time{1001, 5000}, []int{1, -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := match(tt.points, tt.onsets, 10); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("paired %v, want %v", got, tt.want)
			}
		})
	}
}

// exhaustive tries all pairings.
func exhaustive(points, onsets []Time, tolerance Span) worth {
	if len(onsets) == 0 {
		return worth{}
	}
	best := exhaustive(points, onsets[1:], tolerance)
	for i, p := range points {
		apart := distance(p, onsets[0])
		if apart > tolerance {
			continue
		}
		rest := exhaustive(slices.Delete(slices.Clone(points), i, i+1), onsets[1:], tolerance)
		if w := (worth{rest.pairs + 1, rest.apart + apart}); w.better(best) {
			best = w
		}
	}
	return best
}

func TestNoPairingIsBetter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := func(name string, most int) []Time {
			some := rapid.SliceOfN(rapid.Int64Range(0, 60), 0, most).Draw(t, name)
			slices.Sort(some)
			list := make([]Time, len(some))
			for i, at := range some {
				list[i] = Time(at)
			}
			return list
		}
		points, onsets := slices.Compact(times("points", 7)), times("onsets", 6)
		tolerance := Span(rapid.Int64Range(0, 30).Draw(t, "tolerance"))
		got, used := worth{}, map[int]bool{}
		for i, p := range match(points, onsets, tolerance) {
			if p < 0 {
				continue
			}
			apart := distance(points[p], onsets[i])
			if used[p] || apart > tolerance {
				t.Fatalf("onset %d is paired with point %d", i, p)
			}
			used[p] = true
			got.pairs, got.apart = got.pairs+1, got.apart+apart
		}
		if want := exhaustive(points, onsets, tolerance); got != want {
			t.Fatalf("the pairing is worth %+v, and one is worth %+v", got, want)
		}
	})
}

func TestGrids(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		grid Grid
		want string // thousandths of a beat
	}{
		"quarters":                {Grid{Subdivision: 1}, "[0]"},
		"sixteenths":              {Grid{Subdivision: 4}, "[0 250 500 750]"},
		"triplets":                {Grid{Feel: Triplet, Subdivision: 3}, "[0 333 667]"},
		"swing like triplets":     {Grid{Feel: Swing, Subdivision: 2, Ratio: 2000}, "[0 667]"},
		"swing of no swing":       {Grid{Feel: Swing, Subdivision: 2, Ratio: 1000}, "[0 500]"},
		"swing of dotted notes":   {Grid{Feel: Swing, Subdivision: 2, Ratio: 3000}, "[0 750]"},
		"swing of 3 to 2":         {Grid{Feel: Swing, Subdivision: 2, Ratio: 1500}, "[0 600]"},
		"swing of sixteenths":     {Grid{Feel: Swing, Subdivision: 4, Ratio: 2000}, "[0 333 500 833]"},
		"the finest":              {Grid{Feel: Triplet, Subdivision: 12}, "[0 83 167 250 333 417 500 583 667 750 833 917]"},
		"the sharpest and finest": {Grid{Feel: Swing, Subdivision: 12, Ratio: 7000}, "[0 146 167 313 333 479 500 646 667 813 833 979]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := tt.grid.check(); err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, b := range tt.grid.Points(OneBeat, 2*OneBeat) {
				got = append(got, roundDiv(int64(b-OneBeat), 1_000_000))
			}
			if fmt.Sprint(got) != tt.want {
				t.Errorf("points at %v, want %s", got, tt.want)
			}
			if n := len(tt.grid.Points(OneBeat/2, 5*OneBeat/2)); n != 2*tt.grid.Subdivision {
				t.Errorf("two beats from the midst of one have %d points", n)
			}
		})
	}
	for name, grid := range map[string]Grid{
		"no part": {}, "too many": {Subdivision: 13}, "triplets of four": {Feel: Triplet, Subdivision: 4},
		"swing of three": {Feel: Swing, Subdivision: 3, Ratio: 2000}, "swing without a ratio": {Feel: Swing, Subdivision: 2},
	} {
		if grid.check() == nil {
			t.Errorf("%s is a grid", name)
		}
	}
}
