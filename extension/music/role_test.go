package music

import (
	"errors"
	"testing"
)

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{ // of nobody, listener, student, assistant, teacher
		ClockPing: ".LSAT", ClockReport: ".LSAT", GetState: ".LSAT",
		PlayNote: "..SAT", NoteOff: "..SAT", AllNotesOff: "..SAT", TakeEvents: "..SAT",
		SetTempo: "...AT", SetMeter: "...AT", Start: "...AT", CountIn: "...AT", Stop: "...AT", Seek: "...AT",
		SetInterval: "...AT", Mute: "...AT", Unmute: "...AT", Solo: "...AT", Unsolo: "...AT",
		StartTake: "...AT", StopTake: "...AT",
		SetRole: "....T",
		"fly":   ".....",
	} {
		got := ""
		for r := Nobody; r <= Teacher; r++ {
			if r.Permit(command) == nil {
				got += string(".LSAT"[r])
			} else {
				got += "."
			}
		}
		if got != want {
			t.Errorf("%s is for %s, want %s", command, got, want)
		}
	}
	for want, err := range map[string]error{
		"not_allowed: set_tempo is for the role assistant and above, and you are student": Student.Permit(SetTempo),
		"not_allowed: set_role is for teachers, and you are assistant":                    Assistant.Permit(SetRole),
		"not_allowed: you have no role in this room":                                      Nobody.Permit(ClockPing),
		`unknown_command: there is no command "fly"`:                                      Teacher.Permit("fly"),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("refused with %v, want %s", err, want)
		}
	}
}

func TestRolesAreGiven(t *testing.T) {
	t.Parallel()
	m := Members{"tina": Teacher, "ada": Assistant, "sam": Student, "leo": Listener}
	for _, step := range []struct {
		by, who string
		role    Role
		code    string // of the refusal
	}{
		{"ada", "sam", Assistant, NotAllowed},
		{"stranger", "sam", Assistant, NotAllowed},
		{"tina", "stranger", Student, UnknownMember},
		{"tina", "sam", Nobody, BadPayload},
		{"tina", "sam", 9, BadPayload},
		{"tina", "tina", Student, LastTeacher},
		{"tina", "leo", Student, ""},
		{"tina", "ada", Teacher, ""},
		{"tina", "tina", Listener, ""},
		{"tina", "sam", Teacher, NotAllowed},
		{"ada", "tina", Teacher, ""},
	} {
		before := m[step.who]
		err := m.Give(step.by, step.who, step.role)
		code := ""
		if r, ok := errors.AsType[*Refusal](err); ok {
			code = r.Code
		}
		if code != step.code || err == nil && m[step.who] != step.role || err != nil && m[step.who] != before {
			t.Errorf("%s makes %s %v: %v, want %q", step.by, step.who, step.role, err, step.code)
		}
	}
}

func TestPayloadsAboutMembers(t *testing.T) {
	t.Parallel()
	if who, role, err := ParseRole([]byte(`{"student_id":"sam","role":"assistant"}`)); who != "sam" || role != Assistant || err != nil {
		t.Errorf("read %s, %v, %v", who, role, err)
	}
	for payload, want := range map[string]string{
		`{"role":"student"}`:                   "bad_payload: student_id is missing",
		`{"student_id":"sam"}`:                 "bad_payload: role is missing",
		`{"student_id":"sam","role":"nobody"}`: `bad_payload: there is no role "nobody": there are listener, student, assistant and teacher`,
		`{"student_id":5,"role":"student"}`:    "bad_payload: student_id must be a string",
	} {
		if _, _, err := ParseRole([]byte(payload)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", payload, err, want)
		}
	}
	if who, err := ParseWho([]byte(`{"student_id":"sam"}`)); who != "sam" || err != nil {
		t.Errorf("read %s, %v", who, err)
	}
	for _, payload := range []string{`{}`, `{"student_id":""}`, `{"student_id":null}`, `[]`} {
		if who, err := ParseWho([]byte(payload)); err == nil {
			t.Errorf("%s is read as %q", payload, who)
		}
	}
}

func TestRolesAndModesHaveNames(t *testing.T) {
	t.Parallel()
	for r := Listener; r <= Teacher; r++ {
		if got := wired(t, r); got != r {
			t.Errorf("%v comes back as %v", r, got)
		}
	}
	var r Role
	for _, name := range []string{"", "nobody", "Teacher", "admin"} {
		if err := r.UnmarshalText([]byte(name)); err == nil {
			t.Errorf("%q is %v", name, r)
		}
	}
	for m := Stopped; m <= Playing; m++ {
		if got := wired(t, m); got != m {
			t.Errorf("mode %d comes back as %d", m, got)
		}
	}
}
