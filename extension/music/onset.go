package music

import (
	"cmp"
	"encoding/json"
	"slices"
)

// An Onset is when a student played what, by the server's clock.
type Onset struct {
	At       Time
	Midi     uint8
	Velocity uint8
}

// MarshalJSON writes [ms, midi, velocity]: a take has thousands.
func (o Onset) MarshalJSON() ([]byte, error) {
	return json.Marshal([3]json.Marshaler{o.At, whole(o.Midi), whole(o.Velocity)})
}

// whole is a number without decimals in JSON.
type whole uint8

func (n whole) MarshalJSON() ([]byte, error) { return fixed(int64(n), 0), nil }

// UnmarshalJSON reads [ms, midi, velocity], of which the last may be missing.
func (o *Onset) UnmarshalJSON(text []byte) error {
	var parts []json.RawMessage
	if json.Unmarshal(text, &parts) != nil || len(parts) < 2 || len(parts) > 3 {
		return refuse(BadPayload, "an onset is [ms, midi, velocity]")
	}
	f := fields{raw: map[string]json.RawMessage{"at": parts[0], "midi": parts[1]}}
	if len(parts) == 3 {
		f.raw["velocity"] = parts[2]
	}
	f.need("at")
	read := Onset{At: Time(f.fixed("at", timeDigits, -int64(MaxTime), int64(MaxTime), 0))}
	read.Midi, read.Velocity = f.key()
	*o = read
	return f.err()
}

// compare orders onsets by time, and equal times by the rest, so that the order
// in which batches arrived does not matter.
func (o Onset) compare(p Onset) int {
	return cmp.Or(cmp.Compare(o.At, p.At), cmp.Compare(o.Midi, p.Midi), cmp.Compare(o.Velocity, p.Velocity))
}

// A Batch is some onsets of one student.
type Batch struct {
	Take   string
	Seq    int64 // of the student's batches in the take: the same again is ignored
	Onsets []Onset
}

const (
	maxBatch  = 500    // onsets in a batch
	maxOnsets = 20_000 // of a student in a take
)

// ParseBatch reads {take, seq, ev: [[ms, midi, velocity], ...]}. The error is a
// *Refusal.
func ParseBatch(payload []byte) (Batch, error) {
	f := readFields(payload)
	f.need("take")
	f.need("seq")
	f.need("ev")
	b := Batch{Take: f.text("take", maxKey), Seq: f.whole("seq", 0, 1<<40, 0)}
	var events []json.RawMessage
	if raw, there := f.get("ev"); there && json.Unmarshal(raw, &events) != nil {
		f.wrong("ev must be a list of [ms, midi, velocity]")
	}
	if len(events) > maxBatch {
		f.wrong("a batch has %d onsets at most, not %d: send more batches", maxBatch, len(events))
		events = nil
	}
	b.Onsets = make([]Onset, len(events))
	for i, text := range events {
		if err := b.Onsets[i].UnmarshalJSON(text); err != nil {
			f.wrong("ev[%d]: %s", i, refusal(err).Reason)
			break
		}
	}
	if err := f.err(); err != nil {
		return Batch{}, err
	}
	return b, nil
}

// sortOnsets returns the onsets in order, without those that follow the first of
// a chord within its span.
func sortOnsets(onsets []Onset, chord Span) []Onset {
	sorted := slices.SortedFunc(slices.Values(onsets), Onset.compare)
	kept := sorted[:0]
	for _, o := range sorted {
		if n := len(kept); n > 0 && chord > 0 && o.At.Sub(kept[n-1].At) <= chord {
			continue
		}
		kept = append(kept, o)
	}
	return kept
}
