package music

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

func TestStudentPlaysANote(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher, ann := c.enter("tea", "teacher"), c.enter("ann", "student")
	c.Advance(1250 * time.Millisecond)
	ann.say(PlayNote, `{"midi":60,"velocity":90}`)
	want := StudentNote{60, 90, "ann", ahead(1250 * time.Millisecond), 2*OneBeat + OneBeat/2} // at 120 bpm
	for _, p := range []*pupil{teacher, ann} {
		if got := decode[StudentNote](t, p.last(NotePlayed)); got != want {
			t.Errorf("%s hears %+v, not %+v", p.Member().Key, got, want)
		}
	}
	ann.Leave()
	if got := decode[StudentNote](t, teacher.last(NotePlayed)); got.Midi != 60 || got.Velocity != 0 {
		t.Errorf("when a student goes whose key is down, the others hear %+v", got)
	}
	ann = c.enter("ann", "student")
	ann.say(PlayNote, `{"midi":"c"}`)
	ann.refused(BadPayload)
}

func TestBeatsComeAhead(t *testing.T) {
	t.Parallel()
	c := newClass(t, map[string]any{"bpm": 100.0, "lead_ms": 0.0})
	teacher, ann := c.enter("tea", "teacher"), c.enter("ann", "student")
	teacher.say(Start, `{"at":"bar"}`)
	teacher.last(TransportChanged)
	for i := range 5000 { // 50 minutes
		begun := len(ann.beats())
		if i == 0 && begun != 1 {
			t.Fatalf("%d beats are heard at the start, not 1", begun)
		}
		at := ahead(600 * time.Millisecond * time.Duration(i+1))
		c.Advance(at.wall().Add(-200 * time.Millisecond).Sub(c.Now()))
		heard := ann.beats()
		if len(heard) != 1 {
			t.Fatalf("beat %d: %d events 200 ms before it", i+1, len(heard))
		}
		if b := heard[0]; b.Beat != int64(i+1) || b.At != at || b.Bar != int64(i+1)/4+1 || b.InBar != (i+1)%4+1 {
			t.Fatalf("beat %d is said to be %+v, not at %d", i+1, b, at)
		}
	}
}

func TestInstantBeats(t *testing.T) {
	t.Parallel()
	c := newClass(t, map[string]any{"beats": "instant", "lead_ms": 0.0})
	teacher := c.enter("tea", "teacher")
	teacher.say(Start, `{}`)
	teacher.beats()
	c.Advance(499 * time.Millisecond)
	if early := teacher.beats(); len(early) != 0 {
		t.Errorf("beats are heard before they are due: %+v", early)
	}
	c.Advance(time.Millisecond)
	if due := teacher.beats(); len(due) != 1 || due[0].At != clock(c.Now()) {
		t.Errorf("at the beat %+v is heard", due)
	}
}

func TestTeacherChangesTheTempo(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher, ann := c.enter("tea", "teacher"), c.enter("ann", "student")
	teacher.say(Start, `{"at":"beat"}`)
	c.Advance(1100 * time.Millisecond)
	ann.forget()
	teacher.say(SetTempo, `{"bpm":60,"at":"beat","key":"k1"}`)
	change := decode[Change](t, ann.last(TempoChanged))
	if change.By != "tea" || change.Key != "k1" || change.Beat != 3*OneBeat || change.At != ahead(1500*time.Millisecond) {
		t.Errorf("the change is %+v", change)
	}
	answer := decode[answerPayload](t, teacher.last(AnswerEvent))
	if answer.Command != SetTempo || answer.Key != "k1" || answer.Rev != change.Rev {
		t.Errorf("the teacher is answered %+v", answer)
	}
	c.Advance(3 * time.Second)
	heard := ann.beats()
	last := heard[len(heard)-1]
	if want := ahead(1500 * time.Millisecond).Add(Second * Span(last.Beat-3)); last.At != want {
		t.Errorf("beat %d is at %d, not at %d", last.Beat, last.At, want)
	}
	// The same again is answered, and nobody else hears of it.
	teacher.say(SetTempo, `{"bpm":60,"at":"beat","key":"k1"}`)
	if again := decode[answerPayload](t, teacher.last(AnswerEvent)); !again.Repeated || again.Rev != change.Rev {
		t.Errorf("the second time the answer is %+v", again)
	}
	if all := ann.all(TempoChanged); len(all) != 0 {
		t.Errorf("a command that came twice was done twice: %v", all)
	}
	teacher.say(SetTempo, `{"bpm":61,"key":"k1"}`)
	teacher.refused(KeyReused)
	teacher.say(SetTempo, `{"bpm":61,"rev":1}`)
	teacher.refused(Conflict)
}

func TestRoomAsksForRoles(t *testing.T) {
	t.Parallel()
	commands := map[string]struct {
		payload string
		least   Role
	}{
		GetState: {`{}`, Listener}, ClockReport: {`{"rtt_p50":20,"latency":null}`, Listener},
		PlayNote: {`{"midi":60}`, Student}, NoteOff: {`{"midi":60}`, Student}, AllNotesOff: {`{}`, Student},
		SetTempo: {`{"bpm":90}`, Assistant}, SetMeter: {`{"meter":"3/4"}`, Assistant}, Start: {`{}`, Assistant},
		CountIn: {`{}`, Assistant}, SetInterval: {`{"beats":8}`, Assistant}, Seek: {`{"bar":3}`, Assistant},
		Mute: {`{"student_id":"lis"}`, Assistant}, Solo: {`{"student_id":"lis"}`, Assistant},
		SetPart: {`{"student_id":"lis","part":"violin"}`, Assistant}, StartTake: {`{}`, Assistant},
		SetRole: {`{"student_id":"lis","role":"student"}`, Teacher},
	}
	for name, role := range map[string]Role{"listener": Listener, "student": Student, "assistant": Assistant, "teacher": Teacher} {
		for command, tt := range commands {
			c := newClass(t, nil)
			c.enter("tea", "teacher")
			c.enter("lis", "listener")
			who := c.enter("who", name)
			c.Advance(time.Second)
			who.forget()
			who.say(command, tt.payload)
			refusals := who.all(Refused)
			if role >= tt.least && len(refusals) > 0 {
				t.Errorf("a %s may not %s: %v", name, command, refusals)
			}
			if role < tt.least && (len(refusals) != 1 || !strings.Contains(refusals[0], NotAllowed)) {
				t.Errorf("a %s may %s: %v", name, command, refusals)
			}
		}
	}
}

func TestNobodySpeaksForTheRoom(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher, ann := c.enter("tea", "teacher"), c.enter("ann", "student")
	for _, event := range append(saidByRooms(), "Beat", "BEAT", "STUDENT_NOTE", tutti.ExtensionError) {
		teacher.forget()
		ann.forget()
		ann.say(event, `{"beat":1}`)
		if denied := ann.all(tutti.ExtensionError); len(denied) != 1 || !strings.Contains(denied[0], tutti.ExtensionEventReserved) {
			t.Errorf("who sends %s hears %v", event, denied)
		}
		if forged := teacher.all(event); len(forged) > 0 {
			t.Errorf("a student can forge %s", event)
		}
	}
	ann.say("chat", `{"text":"hello"}`)
	teacher.last("chat")
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		settings map[string]any
		member   tutti.Member
		id       string
		role     Role
	}{
		"the token's claim": {member: memberAs("u1", "assistant"), id: "u1", role: Assistant},
		"another claim": {
			settings: map[string]any{"role_claim": "music.role"},
			member:   tutti.Member{Claims: tutti.Claims{Subject: "u1", Raw: json.RawMessage(`{"music":{"role":"teacher"}}`)}},
			id:       "u1", role: Teacher,
		},
		"what users write themselves does not count": {
			member: tutti.Member{Claims: tutti.Claims{Subject: "u1", Raw: json.RawMessage(`{"user_metadata":{"music_role":"teacher"}}`)}},
			id:     "u1", role: Student,
		},
		"a join is not believed": {
			member: tutti.Member{Key: "ann", Join: json.RawMessage(`{"role":"teacher"}`)}, id: "guest:member-1", role: Student,
		},
		"a join is believed where that is set": {
			settings: map[string]any{"trust_join_role": true},
			member:   tutti.Member{Key: "ann", Join: json.RawMessage(`{"config":{"presence":{"role":"teacher"}}}`)},
			id:       "guest:ann", role: Teacher,
		},
		"the default":         {settings: map[string]any{"default_role": "listener"}, member: tutti.Member{}, id: "guest:member-1", role: Listener},
		"nonsense in a claim": {member: memberAs("u1", "headmaster"), id: "u1", role: Student},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClass(t, tt.settings)
			p := &pupil{c.room.MustJoin(tt.member), t, nil}
			got := decode[welcomePayload](t, p.last(RoomState)).You
			if got.Student != tt.id || got.Role != tt.role {
				t.Errorf("%+v, not %s as %v", got, tt.id, tt.role)
			}
		})
	}
}

func TestTeacherGivesRoles(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher, ann := c.enter("tea", "teacher"), c.enter("ann", "student")
	teacher.say(SetRole, `{"student_id":"ann","role":"assistant"}`)
	ann.say(SetTempo, `{"bpm":99}`)
	ann.last(TempoChanged)
	ann.say(Mute, `{"student_id":"tea"}`)
	ann.refused(NotAllowed)
	teacher.say(SetRole, `{"student_id":"tea","role":"student"}`)
	teacher.refused(LastTeacher)
	teacher.say(SetRole, `{"student_id":"bob","role":"student"}`)
	teacher.refused(UnknownMember)
	// It stays when she comes back, and her token cannot undo it.
	ann.Leave()
	ann = c.enter("ann", "listener")
	if you := decode[welcomePayload](t, ann.last(RoomState)).You; you.Role != Assistant {
		t.Errorf("after she came back she is %v", you.Role)
	}
	// Another token counts where nothing was given.
	bob := c.enter("bob", "student")
	*bob.Member() = func(m tutti.Member) tutti.Member { m.ID = bob.Member().ID; return m }(memberAs("bob", "teacher"))
	bob.say(SetTempo, `{"bpm":98}`)
	bob.last(TempoChanged)
}

func TestRoomMutesAndLetsPlayAlone(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher, ann, bob := c.enter("tea", "teacher"), c.enter("ann", "student"), c.enter("bob", "student")
	ann.say(PlayNote, `{"midi":60}`)
	bob.forget()
	teacher.say(Mute, `{"student_id":"ann"}`)
	if off := decode[StudentNote](t, bob.last(NotePlayed)); off.Midi != 60 || off.Velocity != 0 {
		t.Errorf("what was down when she was muted: %+v", off)
	}
	ann.say(PlayNote, `{"midi":62}`)
	ann.refused(Muted)
	teacher.say(Unmute, `{"student_id":"ann"}`)
	teacher.say(Solo, `{"student_id":"ann"}`)
	bob.say(PlayNote, `{"midi":62}`)
	bob.refused(Muted)
	ann.say(PlayNote, `{"midi":64}`)
	if n := decode[StudentNote](t, bob.last(NotePlayed)); n.Student != "ann" || n.Midi != 64 {
		t.Errorf("who plays alone is heard as %+v", n)
	}
	c.Advance(time.Second)
	if r := decode[rosterPayload](t, bob.last(RosterEvent)); len(r.Solo) != 1 || r.Solo[0] != "ann" || len(r.Muted) != 0 {
		t.Errorf("the roster says %+v", r)
	}
	for range 60 {
		ann.say(PlayNote, `{"midi":64}`)
	}
	ann.refused(TooManyNotes)
	for range 100 {
		ann.say(GetState, `{}`)
	}
	ann.refused(TooManyEvents)
	if states := ann.all(RoomState); len(states) > 70 {
		t.Errorf("the whole state was sent %d times at once", len(states))
	}
	c.Advance(time.Second)
	ann.say(GetState, `{}`)
	ann.last(RoomState)
}

func TestLateJoinerGetsAll(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher := c.enter("tea", "teacher")
	c.enter("ann", "student")
	for _, say := range [][2]string{
		{SetTempo, `{"bpm":90}`}, {SetMeter, `{"meter":"3/4"}`}, {SetInterval, `{"beats":6}`}, {Start, `{}`},
		{Mute, `{"student_id":"ann"}`}, {SetPart, `{"student_id":"ann","part":"viola"}`}, {StartTake, `{"feel":"swing"}`},
	} {
		teacher.say(say[0], say[1])
	}
	c.Advance(10 * time.Second)
	late := c.enter("bob", "student")
	w := decode[welcomePayload](t, late.last(RoomState))
	if w.Now != clock(c.Now()) || w.State.Tempo.Tempo(w.Now) != 90*BPM || w.State.Transport.Mode(w.State.Tempo.Beat(w.Now)) != Playing {
		t.Errorf("the time is %+v", w.State)
	}
	if len(w.Members) != 3 || w.Members[0].Part != "viola" || len(w.Muted) != 1 || w.Take == nil || w.Take.Grading.Feel != Swing || w.Interval == nil {
		t.Errorf("of the class he hears %+v", w)
	}
	late.say(GetState, `{}`)
	late.last(RoomState)
}

func TestRosterIsForLeaders(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher, ann := c.enter("tea", "teacher"), c.enter("ann", "student")
	c.Advance(time.Second)
	teacher.forget()
	ann.forget()
	ann.say(ClockReport, `{"rtt_p50":18.25,"uncertainty":2.1,"latency":null,"drift_ppm":-23}`)
	ann.say(ClockReport, `{"rtt_p50":"fast"}`)
	ann.refused(BadPayload)
	c.Advance(time.Second)
	q := decode[rosterPayload](t, teacher.last(RosterEvent)).Members[0].Quality
	if q == nil || *q.RoundTrip != 18_250_000 || q.Latency != nil || *q.Drift != -23*Millisecond {
		t.Errorf("the teacher hears of the clock of ann: %+v", q)
	}
	if heard := ann.all(RosterEvent); len(heard) != 0 {
		t.Errorf("students hear of clocks: %v", heard)
	}
}

func TestFullRoom(t *testing.T) {
	t.Parallel()
	c := newClass(t, map[string]any{"max_members": 1.0})
	c.enter("ann", "student")
	if _, err := c.room.Join(memberAs("bob", "student")); err == nil {
		t.Error("more are let in than the room holds")
	}
	c.enter("tea", "teacher")
}

func TestClockPing(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	ann := c.enter("ann", "listener")
	ann.say(ClockPing, `{"id":41,"c0":8123.25}`)
	pong := decode[struct{ ID, C0, S1, S2 json.Number }](t, ann.last(ClockPong))
	if s1 := ms(clock(c.Now())); pong.ID != "41" || pong.C0 != "8123.25" || string(pong.S1) != s1 || pong.S2 == "" {
		t.Errorf("the answer is %+v", pong)
	}
	for _, bad := range []string{`{}`, `{"id":1}`, `{"id":{},"c0":1}`, `{"id":null,"c0":1}`, `{"id":1,"c0":"` + strings.Repeat("9", 70) + `"}`} {
		ann.say(ClockPing, bad)
		ann.refused(BadPayload)
	}
}
