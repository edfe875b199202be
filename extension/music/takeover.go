package music

// When the owner of a room's clock is lost, another node goes on with the same
// timeline. Its own clock shows another time, so all times are moved by the
// difference of the two clocks; that is exact, and what is wrong with the
// difference is what clients hear as a jump: the phase error.

// A Bridge is what a node knows of the lost owner's clock.
type Bridge struct {
	Offset   Span // our clock shows so much more
	Bound    Span // the offset is wrong by so much at most, when it was measured
	Measured Time // when, by our clock
	Known    bool // false: nothing was measured, and the clocks are taken for equal
}

const (
	// maxJump is the phase error that is not worth a word: less than any sound
	// card's buffer, and a fifth of what clocks agree to over the Web.
	maxJump = Millisecond

	// maxDrift is by how many parts of a million two servers' clocks may part
	// after they were compared, with their time servers gone.
	maxDrift = 100
)

// A TakeOver is what members are told of a new owner. They add Offset to what
// they believe is the server's time, or measure it anew.
type TakeOver struct {
	State         State `json:"state"`
	Now           Time  `json:"now"`
	Offset        Span  `json:"offset_ms"`
	PhaseError    *Span `json:"phase_error_ms"` // beats have moved by so much at most; null if unknown
	Discontinuity bool  `json:"discontinuity"`  // they may have moved by more than 1 ms
}

// Error returns by how much beats may have moved at a time of our clock.
func (b Bridge) Error(now Time) Span {
	age := max(now.Sub(b.Measured), -now.Sub(b.Measured))
	return b.Bound + Span(ceilMulDiv(uint64(age), maxDrift, 1_000_000))
}

// Take returns the state by our clock. The epoch stays, unless beats may have
// jumped: then it is the new one.
func (b Bridge) Take(s State, epoch string, now Time) TakeOver {
	t := TakeOver{Now: now}
	if b.Known {
		phase := b.Error(now)
		t.Offset, t.PhaseError = b.Offset, &phase
	}
	t.Discontinuity = t.PhaseError == nil || *t.PhaseError > maxJump
	s.Tempo = s.Tempo.shift(t.Offset)
	s.Rev++
	if t.Discontinuity {
		s.Epoch = epoch
	}
	t.State = s
	return t
}

// Take returns the clock of a new owner, and what its members are told.
func (c Clock) Take(b Bridge, epoch string, now Time) (*Clock, TakeOver) {
	t := b.Take(c.State, epoch, now)
	c.State, c.Latest = t.State, max(now, clampTime(c.Latest.Add(t.Offset)))
	answered := make([]Done, len(c.Answered))
	for i, d := range c.Answered {
		if d.Answer.At != nil {
			at := d.Answer.At.Add(t.Offset)
			d.Answer.At = &at
		}
		answered[i] = d
	}
	c.Answered = answered
	return &c, t
}

// Phase returns by how much later other has the beat that l has at t. Between two
// owners' timelines, by one clock, it is the true phase error.
func (l Timeline) Phase(other Timeline, t Time) Span {
	return other.Time(l.Beat(t)).Sub(l.Time(l.Beat(t)))
}

// Compare makes a bridge of one exchange with the other node: when we asked, what
// its clock showed, when we heard. Of several take the one with the least Bound.
func Compare(asked, theirs, heard Time) Bridge {
	middle := asked + (heard-asked)/2
	return Bridge{
		Offset:   middle.Sub(theirs),
		Bound:    (heard.Sub(asked) + 1) / 2,
		Measured: heard,
		Known:    true,
	}
}
