package music

import "encoding/json"

// A Mark says what beats are called from one whole beat on: this one is the
// InBar'th of bar Bar, and the others follow in its meter. A seek and a change of
// meter each set one.
type Mark struct {
	Beat  Beat // whole
	Bar   int64
	InBar int // from 1 to the meter's beats
	Meter Meter
}

// MaxBar is the highest bar that may be sought, and with a minus the lowest.
const MaxBar = 1_000_000

// lastBar is more than a room can get to by playing on.
const lastBar = MaxBar + int64(MaxBeat/OneBeat)

func (m Mark) start() Beat { return m.Beat }

func (m Mark) fault() string {
	switch {
	case m.Beat != m.Beat.Floor() || m.Beat < -MaxBeat || m.Beat > MaxBeat:
		return "beat of a mark is not whole or out of range"
	case m.Bar < -lastBar || m.Bar > lastBar:
		return "bar is out of range"
	case m.Meter.Beats == 0 || m.InBar < 1 || m.InBar > int(m.Meter.Beats):
		return "beat_in_bar is not in the bar"
	}
	return ""
}

// A Place is what a beat is called.
type Place struct {
	Bar   int64 // 1 is the first; a count-in before it is in bar 0 and below
	InBar int   // 1 is the first
	Meter Meter
}

// Bars names beats: marks in order, at least one. What was before the first mark
// is counted back from it.
type Bars []Mark

// Place returns what the whole beat at or before b is called.
func (l Bars) Place(b Beat) Place {
	m := l[inForce(l, b.Floor())]
	n := m.Meter.length()
	k := int64((b.Floor()-m.Beat)/OneBeat) + int64(m.InBar) - 1
	bar, in := k/n, k%n
	if in < 0 {
		bar, in = bar-1, in+n
	}
	return Place{m.Bar + bar, int(in) + 1, m.Meter}
}

// Line returns the first bar line at or after a whole beat.
func (l Bars) Line(b Beat) Beat {
	for {
		p := l.Place(b)
		if p.InBar == 1 {
			return b
		}
		line := b + Beat(int64(p.Meter.Beats)-int64(p.InBar)+1)*OneBeat
		now := inForce(l, b)
		if inForce(l, line) == now {
			return line
		}
		b = l[now+1].Beat // a seek comes first, perhaps into the midst of a bar
	}
}

// relabel returns the bars with a beat called anew.
func (l Bars) relabel(b Beat, p Place) Bars {
	return from(l, b, Mark{b, p.Bar, p.InBar, p.Meter})
}

type wireMark struct {
	Beat  *Beat  `json:"beat"`
	Bar   *int64 `json:"bar"`
	InBar *int   `json:"beat_in_bar"`
	wireMeter
}

// MarshalJSON writes {"beat","bar","beat_in_bar","meter","groups"}.
func (m Mark) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireMark{&m.Beat, &m.Bar, &m.InBar, m.Meter.wire()})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Mark) UnmarshalJSON(text []byte) error {
	var w wireMark
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	if w.Beat == nil || w.Bar == nil || w.InBar == nil {
		return refuse(BadPayload, "a mark has beat, bar and beat_in_bar")
	}
	meter, err := ParseMeter(w.Signature, w.Groups)
	if err != nil {
		return err
	}
	read := Mark{*w.Beat, *w.Bar, *w.InBar, meter}
	if fault := read.fault(); fault != "" {
		return refuse(BadPayload, "%s", fault)
	}
	*m = read
	return nil
}
