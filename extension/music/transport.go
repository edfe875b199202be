package music

import (
	"encoding/json"
	"fmt"
)

// A Mode is whether beats are heard.
type Mode uint8

// Modes.
const (
	Stopped  Mode = iota
	Counting      // heard, and the music has not begun
	Playing
)

// MarshalText writes the mode's name.
func (m Mode) MarshalText() ([]byte, error) {
	switch m {
	case Counting:
		return []byte("counting"), nil
	case Playing:
		return []byte("playing"), nil
	}
	return []byte("stopped"), nil
}

// UnmarshalText reads the mode's name.
func (m *Mode) UnmarshalText(text []byte) error {
	for _, known := range []Mode{Stopped, Counting, Playing} {
		if name, _ := known.MarshalText(); string(name) == string(text) {
			*m = known
			return nil
		}
	}
	return fmt.Errorf("there is no mode %q", text)
}

// A Turn sets the mode from one beat on. When it stops, it keeps where the music
// is to go on.
type Turn struct {
	Beat  Beat
	Mode  Mode
	Bar   int64 // of a stop: the bar of the first beat that is not heard
	InBar int   // of a stop: and its number in that bar
}

func (t Turn) start() Beat { return t.Beat }

func (t Turn) fault() string {
	stopped := t.Mode == Stopped
	switch {
	case t.Beat < -MaxBeat || t.Beat > MaxBeat:
		return "beat is out of range"
	case stopped && (t.Bar < -lastBar || t.Bar > lastBar || t.InBar < 1 || t.InBar > maxBeats):
		return "a stop says at which bar and beat_in_bar the music goes on"
	case !stopped && (t.Bar != 0 || t.InBar != 0):
		return "only a stop has bar and beat_in_bar"
	}
	return ""
}

// Transport is turns in order, at least one.
type Transport []Turn

// Mode returns the mode at a beat. A stop silences the beat that it stands at.
func (l Transport) Mode(b Beat) Mode { return l[inForce(l, b)].Mode }

// sounds returns the first whole beat at or after b that is heard, if any is.
func (l Transport) sounds(b Beat) (Beat, bool) {
	for i := inForce(l, b); i < len(l); i++ {
		candidate := max(b, l[i].Beat).Ceil()
		if i == 0 { // the first turn holds for all that was before it
			candidate = b.Ceil()
		}
		over := i+1 < len(l) && l[i+1].Beat <= candidate
		if l[i].Mode != Stopped && !over {
			return candidate, true
		}
	}
	return 0, false
}

type wireTurn struct {
	Beat  *Beat `json:"beat"`
	Mode  *Mode `json:"state"`
	Bar   int64 `json:"bar,omitempty"`
	InBar int   `json:"beat_in_bar,omitempty"`
}

// MarshalJSON writes {"beat","state","bar","beat_in_bar"}.
func (t Turn) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireTurn{&t.Beat, &t.Mode, t.Bar, t.InBar})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Turn) UnmarshalJSON(text []byte) error {
	var w wireTurn
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	if w.Beat == nil || w.Mode == nil {
		return refuse(BadPayload, "a turn has beat and state")
	}
	read := Turn{*w.Beat, *w.Mode, w.Bar, w.InBar}
	if fault := read.fault(); fault != "" {
		return refuse(BadPayload, "%s", fault)
	}
	*t = read
	return nil
}
