package music

import "fmt"

// A Role is what a member may do; a greater one may do all that a lesser may.
type Role uint8

// Roles. The zero value may do nothing.
const (
	Nobody Role = iota
	Listener
	Student
	Assistant
	Teacher
)

// String returns the role's name.
func (r Role) String() string {
	return [...]string{"nobody", "listener", "student", "assistant", "teacher"}[min(r, Teacher)]
}

// MarshalText writes the role's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role's name.
func (r *Role) UnmarshalText(text []byte) error {
	for known := Listener; known <= Teacher; known++ {
		if known.String() == string(text) {
			*r = known
			return nil
		}
	}
	return fmt.Errorf("there is no role %.40q: there are listener, student, assistant and teacher", text)
}

// Other commands and events that members send.
const (
	ClockPing   = "clock_ping"
	ClockReport = "clock_report"
	GetState    = "get_state"
	TakeEvents  = "take_events"
	Mute        = "mute"
	Unmute      = "unmute"
	Solo        = "solo"
	Unsolo      = "unsolo"
	StartTake   = "start_take"
	StopTake    = "stop_take"
	SetRole     = "set_role"
	SetPart     = "set_part"
)

// Least returns the least role that may give a command, and whether there is
// such a command.
func Least(command string) (Role, bool) {
	switch command {
	case ClockPing, ClockReport, GetState:
		return Listener, true
	case PlayNote, NoteOff, AllNotesOff, TakeEvents:
		return Student, true
	case SetTempo, SetMeter, Start, CountIn, Stop, Seek, SetInterval,
		Mute, Unmute, Solo, Unsolo, SetPart, StartTake, StopTake:
		return Assistant, true
	case SetRole:
		return Teacher, true
	}
	return Nobody, false
}

// Permit refuses, with a *Refusal, what a role may not do.
func (r Role) Permit(command string) error {
	least, known := Least(command)
	switch {
	case !known:
		return refuse(UnknownCommand, "there is no command %.40q", command)
	case r == Nobody:
		return refuse(NotAllowed, "you have no role in this room")
	case r < least && least == Teacher:
		return refuse(NotAllowed, "%s is for teachers, and you are %s", command, r)
	case r < least:
		return refuse(NotAllowed, "%s is for the role %s and above, and you are %s", command, least, r)
	}
	return nil
}

// Members is the roles of those who are in a room.
type Members map[string]Role

// Give has one member give another a role. A teacher may hand over to another
// and step down, but not leave the room without a teacher. The error is a
// *Refusal.
func (m Members) Give(by, who string, role Role) error {
	if err := m[by].Permit(SetRole); err != nil {
		return err
	}
	now, here := m[who]
	switch {
	case !here:
		return refuse(UnknownMember, "nobody of that name is in the room")
	case role < Listener || role > Teacher:
		return refuse(BadPayload, "role must be listener, student, assistant or teacher")
	case now == Teacher && role != Teacher && m.teachers() == 1:
		return refuse(LastTeacher, "the room would have no teacher: make somebody else one first")
	}
	m[who] = role
	return nil
}

func (m Members) teachers() int {
	n := 0
	for _, r := range m {
		if r == Teacher {
			n++
		}
	}
	return n
}

// ParseRole reads the payload of set_role, {student_id, role}. The error is a
// *Refusal.
func ParseRole(payload []byte) (who string, role Role, err error) {
	f := readFields(payload)
	f.need("student_id")
	f.need("role")
	who = f.text("student_id", maxName)
	if err := role.UnmarshalText([]byte(f.text("role", maxKey))); err != nil {
		f.wrong("%s", err.Error())
	}
	return who, role, f.err()
}

// ParseWho reads whom mute, unmute, solo and unsolo are about, {student_id}. The
// error is a *Refusal.
func ParseWho(payload []byte) (who string, err error) {
	f := readFields(payload)
	f.need("student_id")
	who = f.text("student_id", maxName)
	if who == "" {
		f.wrong("student_id must not be empty")
	}
	return who, f.err()
}

// maxName is the longest name of a member, characters.
const maxName = 256
