package music

// match pairs onsets with points of a grid, one to one, none further apart than
// the tolerance: as many pairs as can be, and of all such pairings the one with
// the least sum of distances. Both lists are in order. It returns the point of
// each onset, or -1.
//
// A greedy nearest pairing would call a late note "extra" when the next one is
// early and takes its point. Pairs of a best pairing need not cross, so this is
// the alignment of two sequences, within the band that the tolerance leaves.
// Where two pairings are equally good, earlier onsets and earlier points win.
func match(points, onsets []Time, tolerance Span) []int {
	a := alignment{points: points, onsets: onsets, rows: make([]row, len(onsets))}
	var before row
	low, high := 0, 0
	for i, onset := range onsets {
		for low < len(points) && points[low] < onset.Add(-tolerance) {
			low++
		}
		high = max(high, low)
		for high < len(points) && points[high] <= onset.Add(tolerance) {
			high++
		}
		before = a.add(i, low, high, before)
	}
	return a.trace()
}

// A choice is how the best pairing of a cell is made.
type choice uint8

const (
	leaveOnset choice = iota
	leavePoint
	pairBoth
)

// A worth is how good a pairing is.
type worth struct {
	pairs int
	apart Span // sum of distances
}

func (w worth) better(than worth) bool {
	return w.pairs > than.pairs || w.pairs == than.pairs && w.apart < than.apart
}

// A row is the cells of one onset: cell k pairs it and the onsets before it with
// points before low+k only.
type row struct {
	low     int // the first point in reach
	worths  []worth
	choices []choice
}

// at returns the worth with points before j.
func (r row) at(j int) worth {
	if len(r.worths) == 0 {
		return worth{}
	}
	return r.worths[max(0, min(j-r.low, len(r.worths)-1))]
}

type alignment struct {
	points, onsets []Time
	rows           []row
}

// add fills in the row of an onset that reaches the points from low up to and
// without high.
func (a *alignment) add(i, low, high int, before row) row {
	r := row{low: low, worths: make([]worth, high-low+1), choices: make([]choice, high-low+1)}
	r.worths[0] = before.at(low)
	for j := low + 1; j <= high; j++ {
		best, how := before.at(j), leaveOnset
		if w := r.worths[j-1-low]; w.better(best) {
			best, how = w, leavePoint
		}
		w := before.at(j - 1)
		w.pairs, w.apart = w.pairs+1, w.apart+distance(a.points[j-1], a.onsets[i])
		if w.better(best) {
			best, how = w, pairBoth
		}
		r.worths[j-low], r.choices[j-low] = best, how
	}
	a.rows[i] = r
	a.rows[i].worths = nil // only the next row needs them
	return r
}

// trace goes back from the last cell.
func (a *alignment) trace() []int {
	pairs := make([]int, len(a.onsets))
	j := len(a.points)
	for i := len(a.onsets) - 1; i >= 0; {
		r := a.rows[i]
		pairs[i] = -1
		j = min(j, r.low+len(r.choices)-1)
		if j <= r.low {
			i--
			continue
		}
		switch r.choices[j-r.low] {
		case leaveOnset:
			i--
		case leavePoint:
			j--
		case pairBoth:
			j--
			pairs[i] = j
			i--
		}
	}
	return pairs
}

func distance(a, b Time) Span {
	return max(a.Sub(b), b.Sub(a))
}
