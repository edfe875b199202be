package music

import "encoding/json"

// A Quantum is when a command takes effect. What starts beats or names them does so
// at a whole beat, so there "now" is the next beat too.
type Quantum uint8

// Quanta.
const (
	AtBeat Quantum = iota // at the next whole beat; when nothing else is said
	AtNow
	AtBar
)

// A Command asks for a change of a room's time. Two are the same just when they
// are equal.
type Command struct {
	Name string  `json:"name"`
	Key  string  `json:"key,omitempty"` // equal commands with equal keys are done once; "" for none
	Rev  uint64  `json:"rev,omitempty"` // what its sender believes is the state's; 0 for whatever it is
	At   Quantum `json:"at,omitempty"`

	Tempo Tempo `json:"bpm,omitzero"`        // of set_tempo
	Ramp  Beat  `json:"ramp_beats,omitzero"` // of set_tempo
	Meter Meter `json:"meter,omitzero"`      // of set_meter
	Bar   int64 `json:"bar,omitempty"`       // of seek and start
	InBar int   `json:"beat,omitempty"`      // of seek and start; 0 when no place was given
	Bars  int64 `json:"bars,omitempty"`      // of start and count_in: bars of count-in
	Beats int64 `json:"beats,omitempty"`     // of set_interval; 0 for none
}

// Names of the commands that change a room's time.
const (
	SetTempo    = "set_tempo"    // {bpm, at?, ramp_beats?}
	SetMeter    = "set_meter"    // {meter: "7/8", groups?: [2,2,3]}, always at a bar line
	Start       = "start"        // {at?, bar?, beat?, count_in_bars?}; bars go on silently before it
	CountIn     = "count_in"     // {bars?, at?, bar?, beat?}: start with a count-in
	Stop        = "stop"         // {at?}
	Seek        = "seek"         // {bar, beat?, at?}
	SetInterval = "set_interval" // {beats}, at the next interval or bar
)

const (
	maxKey     = 64 // characters
	maxCountIn = 8  // bars
)

// ParseCommand reads the payload of a command. The error is a *Refusal.
func ParseCommand(name string, payload []byte) (Command, error) {
	f := readFields(payload)
	c := Command{Name: name, Key: f.text("key", maxKey), Rev: uint64(f.whole("rev", 0, 1<<40, 0)), At: f.quantum()}
	switch name {
	case SetTempo:
		f.need("bpm")
		c.Tempo = Tempo(f.fixed("bpm", tempoDigits, int64(MinTempo), int64(MaxTempo), 0))
		c.Ramp = Beat(f.fixed("ramp_beats", beatDigits, 0, int64(MaxRamp), 0))
	case SetMeter:
		f.need("meter")
		c.Meter = f.meter()
	case Start:
		c.Bar, c.InBar = f.place()
		c.Bars = f.whole("count_in_bars", 0, maxCountIn, 0)
	case CountIn:
		c.Bar, c.InBar = f.place()
		c.Bars = f.whole("bars", 1, maxCountIn, 1)
	case Stop:
	case Seek:
		f.need("bar")
		c.Bar, c.InBar = f.place()
	case SetInterval:
		f.need("beats")
		c.Beats = f.whole("beats", 0, MaxInterval, 0)
	default:
		return Command{}, refuse(UnknownCommand, "there is no command %.40q", name)
	}
	if err := f.err(); err != nil {
		return Command{}, err
	}
	return c, nil
}

// quantum reads at.
func (f *fields) quantum() Quantum {
	switch f.text("at", maxKey) {
	case "", "beat":
		return AtBeat
	case "now":
		return AtNow
	case "bar":
		return AtBar
	}
	f.wrong(`at must be "now", "beat" or "bar"`)
	return AtBeat
}

// place reads bar and beat, both counted from 1. The beat is 0 when there is no
// bar.
func (f *fields) place() (bar int64, inBar int) {
	if _, there := f.get("bar"); !there {
		if _, there := f.get("beat"); there {
			f.wrong("beat is the beat of a bar: bar is missing")
		}
		return 0, 0
	}
	return f.whole("bar", -MaxBar, MaxBar, 1), int(f.whole("beat", 1, maxBeats, 1))
}

// meter reads meter and groups.
func (f *fields) meter() Meter {
	var groups []int
	if raw, there := f.get("groups"); there && json.Unmarshal(raw, &groups) != nil {
		f.wrong("groups must be a list of whole numbers")
	}
	m, err := ParseMeter(f.text("meter", maxKey), groups)
	if err != nil && f.fault == nil {
		f.wrong("%s", refusal(err).Reason)
	}
	return m
}
