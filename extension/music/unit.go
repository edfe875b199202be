package music

// Nanoseconds and not microseconds, for three reasons. Where a tempo changes the
// time of a beat is rounded up to the unit and all later beats inherit that: with
// nanoseconds a thousand changes may move a beat by one microsecond, with
// microseconds by a millisecond. They are what Go's clocks give. And a browser
// does not mind: on the wire times are milliseconds with decimals, of which
// JavaScript keeps a quarter of a microsecond.

// A Time is a moment of the server's clock, nanoseconds since any zero that all
// times of a room share, such as 1970. In JSON it is milliseconds.
type Time int64

// A Span is nanoseconds between two times. In JSON it is milliseconds.
type Span int64

// A Beat is a position on a timeline, billionths of a beat. What one beat is the
// meter says: the note of its lower number. In JSON it is beats.
type Beat int64

// A Tempo is thousandths of a beat per minute. In JSON it is beats per minute.
type Tempo int32

// Units.
const (
	Millisecond Span  = 1_000_000
	Second      Span  = 1_000_000_000
	Minute      Span  = 60 * Second
	OneBeat     Beat  = 1_000_000_000
	BPM         Tempo = 1000
)

// Bounds of what is computed with. Times end in the year 2116, beats after
// 1,700 days at the fastest tempo.
const (
	MaxTime  Time  = 1<<62 - 1
	MaxBeat  Beat  = 1_000_000_000 * OneBeat
	MinTempo Tempo = 20 * BPM
	MaxTempo Tempo = 400 * BPM
)

// Decimals of the units in JSON.
const (
	timeDigits  = 6
	beatDigits  = 9
	tempoDigits = 3
)

// Add returns the time d later.
func (t Time) Add(d Span) Time { return t + Time(d) }

// Sub returns how much later t is than u.
func (t Time) Sub(u Time) Span { return Span(t - u) }

// Floor returns the whole beat at or before b.
func (b Beat) Floor() Beat {
	over := b % OneBeat
	if over < 0 {
		over += OneBeat
	}
	return b - over
}

// Ceil returns the whole beat at or after b.
func (b Beat) Ceil() Beat { return -(-b).Floor() }

// MarshalJSON writes milliseconds.
func (t Time) MarshalJSON() ([]byte, error) { return fixed(int64(t), timeDigits), nil }

// MarshalJSON writes milliseconds.
func (d Span) MarshalJSON() ([]byte, error) { return fixed(int64(d), timeDigits), nil }

// MarshalJSON writes beats.
func (b Beat) MarshalJSON() ([]byte, error) { return fixed(int64(b), beatDigits), nil }

// MarshalJSON writes beats per minute.
func (v Tempo) MarshalJSON() ([]byte, error) { return fixed(int64(v), tempoDigits), nil }

// UnmarshalJSON reads milliseconds.
func (t *Time) UnmarshalJSON(text []byte) (err error) {
	*t, err = readFixed[Time](text, timeDigits, int64(MaxTime))
	return err
}

// UnmarshalJSON reads milliseconds.
func (d *Span) UnmarshalJSON(text []byte) (err error) {
	*d, err = readFixed[Span](text, timeDigits, int64(MaxTime))
	return err
}

// UnmarshalJSON reads beats.
func (b *Beat) UnmarshalJSON(text []byte) (err error) {
	*b, err = readFixed[Beat](text, beatDigits, int64(MaxBeat))
	return err
}

// UnmarshalJSON reads beats per minute.
func (v *Tempo) UnmarshalJSON(text []byte) (err error) {
	*v, err = readFixed[Tempo](text, tempoDigits, int64(MaxTempo))
	return err
}

func readFixed[T ~int32 | ~int64](text []byte, digits int, limit int64) (T, error) {
	v, err := parseFixed(string(text), digits, limit)
	return T(v), err
}
