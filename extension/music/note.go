package music

// Events of notes.
const (
	PlayNote    = "play_note"     // {midi, velocity?, at?}
	NoteOff     = "note_off"      // {midi, at?}
	AllNotesOff = "all_notes_off" // {}
)

// A Note is a key that goes down, or up when its velocity is 0, as in MIDI.
type Note struct {
	Midi     uint8 // 0 to 127
	Velocity uint8 // 0 to 127
	At       Time  // when it was played
}

const (
	maxMidi = 127

	// usualVelocity is what MIDI has keyboards send that do not feel how hard a
	// key is struck.
	usualVelocity = 64

	// A note is heard when it comes, so an old one is only noise; one that is
	// ahead lets clients sound it in time.
	maxNoteAge   = 5 * Second
	maxNoteAhead = 2 * Second
)

// ParseNote reads the payload of play_note or note_off that came at now.
// Velocities are whole numbers from 0 to 127, as in MIDI; a fraction is refused
// rather than guessed at, since 1 would be the loudest or the softest. The error
// is a *Refusal.
func ParseNote(event string, payload []byte, now Time) (Note, error) {
	f := readFields(payload)
	n := Note{At: Time(f.fixed("at", timeDigits, -int64(MaxTime), int64(MaxTime), int64(clampTime(now))))}
	n.Midi, n.Velocity = f.key()
	if event == NoteOff {
		n.Velocity = 0
	}
	if err := f.err(); err != nil {
		return Note{}, err
	}
	switch age := now.Sub(n.At); {
	case age > maxNoteAge:
		return Note{}, refuse(NoteTooLate, "at is %d ms ago, %d at most: is the clock in step?",
			age/Millisecond, maxNoteAge/Millisecond)
	case -age > maxNoteAhead:
		return Note{}, refuse(NoteTooEarly, "at is %d ms ahead, %d at most: is the clock in step?",
			-age/Millisecond, maxNoteAhead/Millisecond)
	}
	return n, nil
}

// key reads midi and velocity.
func (f *fields) key() (midi, velocity uint8) {
	f.need("midi")
	return uint8(f.whole("midi", 0, maxMidi, 0)), uint8(f.whole("velocity", 0, maxMidi, usualVelocity))
}

// A StudentNote is what a room hears of a note.
type StudentNote struct {
	Midi     uint8  `json:"midi"`
	Velocity uint8  `json:"velocity"`
	Student  string `json:"student_id"`
	At       Time   `json:"timestamp"`
	Beat     Beat   `json:"beat"` // on the timeline
}

// Note returns a note as the room hears it.
func (s State) Note(student string, n Note) StudentNote {
	return StudentNote{n.Midi, n.Velocity, student, n.At, s.Tempo.Beat(n.At)}
}
