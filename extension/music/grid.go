package music

import "fmt"

// A Feel is how a beat is divided.
type Feel uint8

// Feels.
const (
	Straight Feel = iota // equal parts
	Triplet              // equal parts, a multiple of three
	Swing                // pairs of a long and a short part
)

// A Grid is the moments at which onsets are expected, the same in each beat.
type Grid struct {
	Feel        Feel
	Subdivision int   // parts of a beat, 1 to 12
	Ratio       int64 // of swing: thousandths of long to short; 2000 is the triplet's
}

const maxSubdivision = 12

// Bounds of the ratio of swing: equal, and as sharp as a double-dotted note.
const (
	minRatio = 1000
	maxRatio = 7000
)

// MarshalText writes the feel's name.
func (f Feel) MarshalText() ([]byte, error) {
	return []byte([...]string{"straight", "triplet", "swing"}[min(f, Swing)]), nil
}

// UnmarshalText reads the feel's name.
func (f *Feel) UnmarshalText(text []byte) error {
	for _, known := range []Feel{Straight, Triplet, Swing} {
		if name, _ := known.MarshalText(); string(name) == string(text) {
			*f = known
			return nil
		}
	}
	return fmt.Errorf("there is no feel %q", text)
}

// check refuses grids that make no sense.
func (g Grid) check() error {
	switch {
	case g.Subdivision < 1 || g.Subdivision > maxSubdivision:
		return refuse(BadPayload, "subdivision must be from 1 to %d", maxSubdivision)
	case g.Feel == Triplet && g.Subdivision%3 != 0:
		return refuse(BadPayload, "subdivision of triplets must be 3, 6, 9 or 12")
	case g.Feel == Swing && g.Subdivision%2 != 0:
		return refuse(BadPayload, "subdivision of swing must be even: it makes pairs")
	case g.Feel == Swing && (g.Ratio < minRatio || g.Ratio > maxRatio):
		return refuse(BadPayload, "swing_ratio must be from %d to %d, long to short", minRatio/1000, maxRatio/1000)
	}
	return nil
}

// Position returns where the i'th part of a beat begins, counted from 0.
func (g Grid) Position(i int) Beat {
	n := int64(g.Subdivision)
	if g.Feel != Swing || i%2 == 0 {
		return Beat(roundDiv(int64(i)*int64(OneBeat), n))
	}
	// The long part is ratio/(ratio+1) of the pair, which is 2/n of a beat.
	pair := int64(i - 1)
	whole := n * (g.Ratio + 1000)
	return Beat(roundDiv(int64(OneBeat)*(pair*(g.Ratio+1000)+2*g.Ratio), whole))
}

// roundDiv returns a/b, rounded half up. Neither is negative.
func roundDiv(a, b int64) int64 { return (a + b/2) / b }

// Points returns the positions from one up to and without another, in order.
func (g Grid) Points(begin, end Beat) []Beat {
	var points []Beat
	for whole := begin.Floor(); whole < end; whole += OneBeat {
		for i := range g.Subdivision {
			if b := whole + g.Position(i); b >= begin && b < end {
				points = append(points, b)
			}
		}
	}
	return points
}
