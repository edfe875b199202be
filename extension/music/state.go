package music

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A State is all of a room's musical time. It is what a late joiner gets, and
// needs nothing before it.
type State struct {
	Epoch     string    `json:"epoch"` // another one means: forget what you knew, the clock has jumped
	Rev       uint64    `json:"rev"`   // counts the changes
	Tempo     Timeline  `json:"tempo"`
	Bars      Bars      `json:"bars"`
	Transport Transport `json:"transport"`
	Cycles    Cycles    `json:"intervals"`
}

// NewState returns a room's time before anything was done: stopped before the
// first beat of bar 1. The tempo and the meter must be in bounds.
func NewState(epoch string, now Time, tempo Tempo, meter Meter) State {
	return State{
		Epoch:     epoch,
		Rev:       1,
		Tempo:     Timeline{{At: clampTime(now), Tempo: tempo, To: tempo}},
		Bars:      Bars{{Bar: 1, InBar: 1, Meter: meter}},
		Transport: Transport{{Bar: 1, InBar: 1}},
		Cycles:    Cycles{{}},
	}
}

// maxRead is the most entries of a list that is read: some more than a Clock
// keeps, as those who follow changes need not prune when it does.
const maxRead = 8 * maxKept

// UnmarshalJSON reads a state. Whatever it accepts can be computed with.
func (s *State) UnmarshalJSON(text []byte) error {
	type plain State
	var read plain
	if err := json.Unmarshal(text, &read); err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	if read.Rev == 0 || !read.Tempo.ordered() || !ordered(read.Bars) || !ordered(read.Transport) || !ordered(read.Cycles) {
		return errors.New("read state: rev is 0, or a list is empty, too long or out of order")
	}
	*s = State(read)
	return nil
}

// Prune returns the state without what was over at t. All that it says of t and
// later stays as it was.
func (s State) Prune(t Time) State {
	b := s.Tempo.Beat(t)
	s.Tempo = s.Tempo[s.Tempo.at(t):]
	s.Bars = pruned(s.Bars, b.Floor())
	s.Transport = pruned(s.Transport, b)
	s.Cycles = pruned(s.Cycles, b.Floor())
	return s
}

// size returns the entries of the longest list.
func (s State) size() int {
	return max(len(s.Tempo), len(s.Bars), len(s.Transport), len(s.Cycles))
}

// A Change is what one command made of a state.
type Change struct {
	Event     string          `json:"event"` // one of the names below
	Rev       uint64          `json:"rev"`   // of the state with the change
	By        string          `json:"by,omitempty"`
	Key       string          `json:"key,omitempty"`
	At        Time            `json:"at"` // when it takes effect
	Beat      Beat            `json:"beat"`
	Tempo     *Patch[Segment] `json:"tempo,omitempty"`
	Bars      *Patch[Mark]    `json:"bars,omitempty"`
	Transport *Patch[Turn]    `json:"transport,omitempty"`
	Cycles    *Patch[Cycle]   `json:"intervals,omitempty"`
}

// Names of changes.
const (
	TempoChanged     = "tempo_changed"
	MeterChanged     = "meter_changed"
	TransportChanged = "transport_changed"
	IntervalChanged  = "interval_changed"
)

// changeTo returns what makes after of s.
func (s State) changeTo(after State) Change {
	return Change{
		Rev:       after.Rev,
		Tempo:     difference(s.Tempo, after.Tempo),
		Bars:      difference(s.Bars, after.Bars),
		Transport: difference(s.Transport, after.Transport),
		Cycles:    difference(s.Cycles, after.Cycles),
	}
}

// Follow returns the state with a change, and whether the change was the next
// one. If it was not, one is missing: get the whole state.
func (s State) Follow(c Change) (State, bool) {
	if c.Rev != s.Rev+1 {
		return s, false
	}
	s.Rev = c.Rev
	s.Tempo = c.Tempo.apply(s.Tempo)
	s.Bars = c.Bars.apply(s.Bars)
	s.Transport = c.Transport.apply(s.Transport)
	s.Cycles = c.Cycles.apply(s.Cycles)
	return s, true
}

// A Greeting is what a late joiner gets: the state, and the server's time when it
// was sent.
type Greeting struct {
	Now   Time  `json:"now"`
	State State `json:"state"`
}
