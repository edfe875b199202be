package music

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// A Meter is beats in a bar, the note that is one beat, and how beats are
// grouped, as 2+2+3 in 7/8.
//
// The beat is always the lower number's note, and a tempo counts these: it is
// what a metronome clicks, every bar begins on a whole beat, and k means the same
// in all events. So from 4/4 to 7/8 the click goes on at its pace; a teacher who
// wants the quarter to stay sets twice the tempo with it.
type Meter struct {
	Beats  uint8            // in a bar, 1 to 32
	Unit   uint8            // 1, 2, 4, 8, 16 or 32
	Groups [maxGroups]uint8 // lengths, which sum up to Beats; all zero for no grouping
}

const (
	maxGroups = 16
	maxBeats  = 32
)

// CommonTime is 4/4.
var CommonTime = Meter{Beats: 4, Unit: 4}

// String returns the signature, such as "7/8".
func (m Meter) String() string { return fmt.Sprintf("%d/%d", m.Beats, m.Unit) }

// length returns the beats of a bar.
func (m Meter) length() int64 { return int64(m.Beats) }

// groups returns the lengths that are there.
func (m Meter) groups() []int {
	var lengths []int
	for _, n := range m.Groups {
		if n > 0 {
			lengths = append(lengths, int(n))
		}
	}
	return lengths
}

// ParseMeter reads a signature such as "7/8" and the lengths of its groups, which
// may be none.
func ParseMeter(signature string, groups []int) (Meter, error) {
	upper, lower, _ := strings.Cut(signature, "/")
	beats, beatsErr := strconv.ParseUint(upper, 10, 8)
	unit, unitErr := strconv.ParseUint(lower, 10, 8)
	known := unit > 0 && unit <= 32 && unit&(unit-1) == 0
	if beatsErr != nil || unitErr != nil || beats < 1 || beats > maxBeats || !known {
		return Meter{}, refuse(BadPayload,
			"meter is two numbers such as \"3/4\": 1 to %d beats, of a note that is 1, 2, 4, 8, 16 or 32", maxBeats)
	}
	m, sum := Meter{Beats: uint8(beats), Unit: uint8(unit)}, 0
	if len(groups) > maxGroups {
		return Meter{}, refuse(BadPayload, "groups are %d at most", maxGroups)
	}
	for i, n := range groups {
		if n < 1 || n > maxBeats {
			return Meter{}, refuse(BadPayload, "a group has 1 to %d beats", maxBeats)
		}
		m.Groups[i], sum = uint8(n), sum+n
	}
	if len(groups) > 0 && sum != int(beats) {
		return Meter{}, refuse(BadPayload, "groups have %d beats together, the bar has %d", sum, beats)
	}
	return m, nil
}

// An Accent is how much weight a beat has.
type Accent int8

// Accents.
const (
	Weak   Accent = iota
	Medium        // the first of a group
	Strong        // the first of a bar
)

// Accent returns the weight of a beat of the bar, counted from 1.
func (m Meter) Accent(inBar int) Accent {
	if inBar == 1 {
		return Strong
	}
	first := 1
	for _, n := range m.groups() {
		if first += n; first == inBar && inBar <= int(m.Beats) {
			return Medium
		}
	}
	return Weak
}

type wireMeter struct {
	Signature string `json:"meter"`
	Groups    []int  `json:"groups,omitempty"`
}

func (m Meter) wire() wireMeter { return wireMeter{m.String(), m.groups()} }

// MarshalJSON writes {"meter":"7/8","groups":[2,2,3]}.
func (m Meter) MarshalJSON() ([]byte, error) { return json.Marshal(m.wire()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Meter) UnmarshalJSON(text []byte) error {
	var w wireMeter
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	read, err := ParseMeter(w.Signature, w.Groups)
	if err == nil {
		*m = read
	}
	return err
}
