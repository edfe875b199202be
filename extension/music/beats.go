package music

import "encoding/json"

// A BeatEvent tells clients of one beat before it is due, so that they can sound
// it exactly at At.
type BeatEvent struct {
	Beat    int64  // counts from the room's beginning and never jumps; names the event
	Place   Place  // what musicians call it
	Tempo   Tempo  // at the beat
	At      Time   //
	Rev     uint64 // of the state that it was computed from
	Accent  Accent //
	CountIn bool   // the music has not begun
	Off     bool   // the beat was announced and is not to be heard after all
}

type wireBeat struct {
	Beat    int64  `json:"beat"`
	Bar     int64  `json:"bar"`
	InBar   int    `json:"beat_in_bar"`
	Tempo   Tempo  `json:"bpm"`
	At      Time   `json:"at"`
	Rev     uint64 `json:"rev"`
	Accent  Accent `json:"accent"`
	CountIn bool   `json:"count_in,omitempty"`
	Off     bool   `json:"off,omitempty"`
}

// MarshalJSON writes the payload of a beat.
func (e BeatEvent) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireBeat{
		e.Beat, e.Place.Bar, e.Place.InBar, e.Tempo, e.At, e.Rev, e.Accent, e.CountIn, e.Off,
	})
}

// Event returns what is to be said of a whole beat. It is off when it is not
// heard.
func (s State) Event(b Beat) BeatEvent {
	mode, place, at := s.Transport.Mode(b), s.Bars.Place(b), s.Tempo.Time(b)
	return BeatEvent{
		Beat:    int64(b / OneBeat),
		Place:   place,
		Tempo:   s.Tempo.Tempo(at),
		At:      at,
		Rev:     s.Rev,
		Accent:  place.Meter.Accent(place.InBar),
		CountIn: mode == Counting,
		Off:     mode == Stopped,
	}
}

// Beats returns the beats that are heard from a time up to and without another,
// limit of them at most.
func (s State) Beats(begin, end Time, limit int) []BeatEvent {
	var events []BeatEvent
	end = min(end, MaxTime) // where time ends, beats are not to pile up
	for next := s.Tempo.BeatAfter(begin); len(events) < limit; next += OneBeat {
		b, any := s.Transport.sounds(next)
		if !any || s.Tempo.Time(b) >= end {
			break
		}
		events = append(events, s.Event(b))
		next = b
	}
	return events
}

// An Announcer says which beats of a room are to be announced, each once. It
// belongs to who runs the room.
//
// When the state changes after beats were announced, those that are now at
// another time, called otherwise, at another tempo or silent are announced again
// with the greater revision, and no others. For a client the rule is: of one
// beat, the event with the greatest rev counts, and one that is off is not
// sounded. We do not hold changes back until the announced beats are over,
// because then "now" would mean "after the look-ahead"; a room that prefers that
// sets Clock.Lead to its look-ahead, and no beat is announced twice.
type Announcer struct {
	state State
	next  Beat // whole; no beat from here on was announced
	heard Time // of the last Advance: beats before it have been sounded
}

// maxLate is how long after its time a beat is still announced. A node that was
// paused for an hour does not send an hour of beats.
const maxLate = 1 * Second

// NewAnnouncer announces from now on. After a take-over that means once more what
// the lost owner may have announced, with the new state's revision.
func NewAnnouncer(s State, now Time) *Announcer {
	return &Announcer{state: s, next: s.Tempo.BeatAfter(now), heard: now}
}

// Advance returns the beats that are to be announced at now: first what a change
// of state made of those that were, then those that are due by the end of the
// look-ahead and were not. To send beats at their instant, look ahead by zero.
func (a *Announcer) Advance(s State, now Time, ahead Span) []BeatEvent {
	now = clampTime(now)
	events := a.again(s)
	a.state = s
	a.next = max(a.next, s.Tempo.BeatAfter(now.Add(-maxLate)))
	end := min(now.Add(max(0, ahead)), MaxTime-1)
	for s.Tempo.Time(a.next) <= end {
		b, any := s.Transport.sounds(a.next)
		if !any || s.Tempo.Time(b) > end {
			break
		}
		events = append(events, s.Event(b))
		a.next = b + OneBeat
	}
	a.heard = max(a.heard, now)
	return events
}

// again returns the announced beats of which something else is to be said.
func (a *Announcer) again(s State) []BeatEvent {
	if s.Rev == a.state.Rev && s.Epoch == a.state.Epoch {
		return nil
	}
	var events []BeatEvent
	// No change alters what was before it was made, so both states have this beat.
	for b := s.Tempo.BeatAfter(a.heard); b < a.next; b += OneBeat {
		was, is := a.state.Event(b), s.Event(b)
		was.Rev = is.Rev
		if was != is && (!was.Off || !is.Off) {
			events = append(events, is)
		}
	}
	return events
}

// Wake returns when Advance has something to say next, unless the state changes.
// There is no such time while the music is stopped.
func (a *Announcer) Wake(ahead Span) (Time, bool) {
	b, any := a.state.Transport.sounds(a.next)
	if !any {
		return 0, false
	}
	return a.state.Tempo.Time(b).Add(-max(0, ahead)), true
}
