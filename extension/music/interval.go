package music

import "encoding/json"

// As in NINJAM, members may record one interval of the timeline and play
// everybody's last one: whoever is far away is then late by exactly one interval,
// which is musical, and not by the network, which is not.

// A Cycle says that from one whole beat on, intervals of so many beats follow
// each other. A length of 0 means none.
type Cycle struct {
	Beat   Beat // whole
	Length int64
	Number int64 // of the interval that begins at Beat
}

// MaxInterval is the longest interval, beats.
const MaxInterval = 512

func (c Cycle) start() Beat { return c.Beat }

func (c Cycle) fault() string {
	switch {
	case c.Beat != c.Beat.Floor() || c.Beat < -MaxBeat || c.Beat > MaxBeat:
		return "beat of an interval is not whole or out of range"
	case c.Length < 0 || c.Length > MaxInterval:
		return "beats are out of range"
	case c.Number < 0 || c.Number > int64(MaxBeat):
		return "interval is out of range"
	}
	return ""
}

// boundary returns where the first interval at or after a whole beat begins, and
// its number. The cycle must have a length.
func (c Cycle) boundary(b Beat) (Beat, int64) {
	length := Beat(c.Length) * OneBeat
	n := max(0, (b-c.Beat+length-1)/length)
	return c.Beat + n*length, c.Number + int64(n)
}

// Cycles is cycles in order, at least one.
type Cycles []Cycle

// An Interval is the announcement of one. While it lasts, members record
// interval Number and hear the recordings of the one before it.
type Interval struct {
	Number int64  `json:"interval"`
	Beat   Beat   `json:"beat"`
	Beats  int64  `json:"beats"`
	At     Time   `json:"at"`
	Until  Time   `json:"until"`
	Rev    uint64 `json:"rev"` // the greater one counts when the same interval is announced again
}

// Intervals returns what begins from a time up to and without another, while the
// music plays. After a change the running interval may end elsewhere: Running
// says where.
func (s State) Intervals(begin, end Time) []Interval {
	var found []Interval
	end = min(end, MaxTime)
	for b := s.Tempo.BeatAfter(begin); s.Tempo.Time(b) < end; {
		c, limit := s.cycleAt(b)
		next, n := limit, int64(0)
		if c.Length > 0 {
			next, n = c.boundary(b)
		}
		if next >= limit {
			if limit == MaxBeat {
				break
			}
			b = limit
			continue
		}
		if s.Transport.Mode(next) == Playing && s.Tempo.Time(next) < end {
			found = append(found, s.interval(c, next, n, limit))
		}
		b = next + OneBeat
	}
	return found
}

// Running returns the interval that contains t, if any does.
func (s State) Running(t Time) (Interval, bool) {
	b := s.Tempo.Beat(t).Floor()
	c, limit := s.cycleAt(b)
	if c.Length == 0 || b < c.Beat || s.Transport.Mode(b) != Playing {
		return Interval{}, false
	}
	past := int64((b - c.Beat) / OneBeat / Beat(c.Length))
	return s.interval(c, c.Beat+Beat(past*c.Length)*OneBeat, c.Number+past, limit), true
}

// cycleAt returns the cycle in force at b, and where the next begins.
func (s State) cycleAt(b Beat) (c Cycle, limit Beat) {
	i := inForce(s.Cycles, b)
	if i+1 < len(s.Cycles) {
		return s.Cycles[i], s.Cycles[i+1].Beat
	}
	return s.Cycles[i], MaxBeat
}

func (s State) interval(c Cycle, b Beat, n int64, limit Beat) Interval {
	end := min(b+Beat(c.Length)*OneBeat, limit)
	return Interval{n, b, int64((end - b) / OneBeat), s.Tempo.Time(b), s.Tempo.Time(end), s.Rev}
}

type wireCycle struct {
	Beat   *Beat  `json:"beat"`
	Length *int64 `json:"beats"`
	Number int64  `json:"interval"`
}

// MarshalJSON writes {"beat","beats","interval"}.
func (c Cycle) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireCycle{&c.Beat, &c.Length, c.Number})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Cycle) UnmarshalJSON(text []byte) error {
	var w wireCycle
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	if w.Beat == nil || w.Length == nil {
		return refuse(BadPayload, "an interval has beat and beats")
	}
	read := Cycle{*w.Beat, *w.Length, w.Number}
	if fault := read.fault(); fault != "" {
		return refuse(BadPayload, "%s", fault)
	}
	*c = read
	return nil
}
