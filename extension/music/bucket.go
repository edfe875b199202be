package music

// A Rate is how often something may happen: so many per second in the long run,
// and so many at once after a pause.
type Rate struct {
	PerSecond int64 // at least 1
	Burst     int64 // at least 1
}

// NoteRate lets a pianist play: thirty notes a second is faster than anybody
// does for long, and ten fingers may strike twice at once.
var NoteRate = Rate{PerSecond: 30, Burst: 20}

// A Bucket counts how often something happened, on times that it is given. It is
// the generic cell rate algorithm: one number says when the bucket would be full
// again, so nothing needs refilling.
type Bucket struct {
	full Time
}

// Take lets one through, or says how long to wait for it.
func (b *Bucket) Take(r Rate, now Time) (wait Span, ok bool) {
	each := Second / Span(r.PerSecond)
	most := each * Span(r.Burst)
	// A clock that stepped back by an hour must not lock anybody out for one.
	b.full = min(max(b.full, now), now.Add(most))
	if wait = b.full.Add(each).Sub(now) - most; wait > 0 {
		return wait, false
	}
	b.full = b.full.Add(each)
	return 0, true
}
