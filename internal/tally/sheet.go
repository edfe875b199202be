package tally

// A Sheet is all that was counted of a tenant up to some time, or the sum of
// several.
type Sheet struct {
	Counts   [Counts]int64
	Measures [Measures]Sample
	Errors   map[string]int64 // by code; nil for none
}

// AddTo adds what was counted of the tenant to a sheet.
func (t *Tenant) AddTo(s *Sheet) {
	for i := range t.lanes {
		l := &t.lanes[i]
		for c := range l.counts {
			s.Counts[c] += l.counts[c].Load()
		}
		for m := range l.measures {
			s.Measures[m].Add(l.measures[m].Load())
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for code, n := range t.errors {
		s.fail(code, n)
	}
}

// Merge adds another sheet so many times, -1 to take it away.
func (s *Sheet) Merge(other *Sheet, times int64) {
	for c := range s.Counts {
		s.Counts[c] += times * other.Counts[c]
	}
	for m := range s.Measures {
		s.Measures[m].Merge(&other.Measures[m], times)
	}
	for code, n := range other.Errors {
		s.fail(code, times*n)
	}
}

func (s *Sheet) fail(code string, n int64) {
	if s.Errors == nil {
		s.Errors = map[string]int64{}
	}
	s.Errors[code] += n
}
