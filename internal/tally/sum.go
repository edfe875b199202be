package tally

// Sum returns how many were counted so far, on all event loops.
func (t *Tenant) Sum(c Count) int64 {
	if t == nil {
		return 0
	}
	var n int64
	for i := range t.lanes {
		n += t.lanes[i].counts[c].Load()
	}
	return n
}

// Failures returns how many errors were counted so far, of all codes.
func (t *Tenant) Failures() int64 {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var n int64
	for _, one := range t.errors {
		n += one
	}
	return n
}
