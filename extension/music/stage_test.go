package music

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNotes(t *testing.T) {
	t.Parallel()
	const now Time = 1_790_000_000_000_000_000
	for text, want := range map[string]Note{
		`play_note {"midi":60}`:                                      {60, 64, now},
		`play_note {"midi":0,"velocity":127}`:                        {0, 127, now},
		`play_note {"midi":127,"velocity":0}`:                        {127, 0, now},
		`play_note {"midi":60,"velocity":1.0,"at":1789999999950.25}`: {60, 1, now - 49_750_000},
		`play_note {"midi":60,"at":null,"channel":3}`:                {60, 64, now},
		`note_off {"midi":60,"velocity":64}`:                         {60, 0, now},
	} {
		event, payload, _ := strings.Cut(text, " ")
		if got, err := ParseNote(event, []byte(payload), now); err != nil || got != want {
			t.Errorf("%s is read as %+v, %v", text, got, err)
		}
	}
	for payload, want := range map[string]string{
		``:                               "bad_payload: the payload must be a JSON object",
		`{}`:                             "bad_payload: midi is missing",
		`{"midi":128}`:                   "bad_payload: midi must be from 0 to 127",
		`{"midi":-1}`:                    "bad_payload: midi must be from 0 to 127",
		`{"midi":60.5}`:                  "bad_payload: midi must be a whole number, not 60.5",
		`{"midi":"C4"}`:                  "bad_payload: midi must be a number",
		`{"midi":60,"velocity":0.8}`:     "bad_payload: velocity must be a whole number, not 0.8",
		`{"midi":60,"velocity":128}`:     "bad_payload: velocity must be from 0 to 127",
		`{"midi":60,"at":"now"}`:         "bad_payload: at must be a number",
		`{"midi":60,"at":0}`:             "note_too_late: at is 1790000000000 ms ago, 5000 at most: is the clock in step?",
		`{"midi":60,"at":1790000003000}`: "note_too_early: at is 3000 ms ahead, 2000 at most: is the clock in step?",
	} {
		if got, err := ParseNote(PlayNote, []byte(payload), now); err == nil || err.Error() != want {
			t.Errorf("%s is read as %+v, %v, want %s", payload, got, err, want)
		}
	}
	if got := newClock().State.Note("anna", Note{60, 64, seconds(0.75)}); got != (StudentNote{60, 64, "anna", seconds(0.75), 3 * OneBeat / 2}) {
		t.Errorf("the room hears %+v", got)
	}
}

// on has a student play a key and returns the code of the refusal, "" if heard.
func on(s *Stage, who string, midi uint8, now Time) string {
	heard, err := s.Play(who, Student, Note{Midi: midi, Velocity: 64}, now)
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Code
	}
	return map[bool]string{false: "unheard"}[heard]
}

// keys writes the notes off.
func keys(notes []Note) string {
	var list []int
	for _, n := range notes {
		if n.Velocity != 0 {
			return "a note on"
		}
		list = append(list, int(n.Midi))
	}
	return fmt.Sprint(list)
}

func TestKeysDoNotStick(t *testing.T) {
	t.Parallel()
	var s Stage
	for _, midi := range []uint8{127, 0, 64, 60, 63} {
		if code := on(&s, "anna", midi, noon); code != "" {
			t.Fatal(code)
		}
	}
	off := Note{Midi: 60}
	if heard, err := s.Play("anna", Student, off, noon); !heard || err != nil {
		t.Errorf("a key that was down goes up: %v, %v", heard, err)
	}
	if heard, err := s.Play("anna", Student, off, noon); heard || err != nil {
		t.Errorf("a key that was up goes up: %v, %v", heard, err)
	}
	if heard, _ := s.Play("ben", Student, off, noon); heard {
		t.Error("ben takes up what ben did not hold")
	}
	if got := keys(s.Leave("anna", noon)); got != "[0 63 64 127]" {
		t.Errorf("when anna vanishes %s go up", got)
	}
	if s.Held("anna") != 0 || s.Leave("anna", noon) != nil || len(s.players) != 0 {
		t.Error("anna holds keys after she left")
	}
	for _, n := range []Note{{Midi: 128, Velocity: 1}, {Midi: 255}, {Midi: 1, Velocity: 128}} {
		if _, err := s.Play("anna", Student, n, noon); err == nil {
			t.Errorf("%+v was played", n)
		}
	}
}

func TestMuteAndSolo(t *testing.T) {
	t.Parallel()
	var s Stage
	leads := func(who string) bool { return who == "teacher" }
	for _, who := range []string{"anna", "ben", "cleo"} {
		if code := on(&s, who, 60, noon); code != "" {
			t.Fatal(code)
		}
	}
	if _, err := s.Play("teacher", Teacher, Note{Midi: 60, Velocity: 1}, noon); err != nil {
		t.Fatal(err)
	}
	if got := keys(s.Mute("anna", true, noon)); got != "[60]" {
		t.Errorf("when anna is muted %s go up", got)
	}
	if code := on(&s, "anna", 61, noon); code != Muted {
		t.Errorf("anna is muted and plays: %s", code)
	}
	off := s.Solo("ben", true, leads, noon)
	if len(off) != 1 || keys(off["cleo"]) != "[60]" {
		t.Errorf("when ben plays alone these go up: %v", off)
	}
	s.Solo("anna", true, leads, noon)
	for who, want := range map[string]string{"anna": Muted, "ben": "", "cleo": Muted} {
		if code := on(&s, who, 62, noon); code != want {
			t.Errorf("%s plays: %q, want %q", who, code, want)
		}
	}
	if heard, err := s.Play("teacher", Teacher, Note{Midi: 61, Velocity: 1}, noon); !heard || err != nil {
		t.Errorf("the teacher plays: %v, %v", heard, err)
	}
	want := Hearing{[]string{"anna"}, []string{"anna", "ben"}}
	if got := s.Hearing(); !reflect.DeepEqual(got, want) {
		t.Errorf("hearing %+v, want %+v", got, want)
	}
	var other Stage
	other.Restore(Hearing{[]string{"anna", "anna"}, []string{"ben", "anna"}})
	if got := other.Hearing(); !reflect.DeepEqual(got, want) {
		t.Errorf("another node has %+v, want %+v", got, want)
	}
	s.Leave("anna", noon)
	s.Leave("ben", noon)
	if code := on(&s, "cleo", 63, noon); code != "" {
		t.Errorf("everybody who played alone has left, and cleo plays: %s", code)
	}
	if code := on(&s, "anna", 63, noon); code != Muted {
		t.Errorf("anna comes back muted and plays: %q", code)
	}
	s.Mute("anna", false, noon)
	if code := on(&s, "anna", 63, noon); code != "" {
		t.Errorf("anna may play again: %s", code)
	}
}

func TestTooManyNotes(t *testing.T) {
	t.Parallel()
	s := Stage{Rate: Rate{PerSecond: 10, Burst: 3}}
	play := func(now Time) error {
		_, err := s.Play("anna", Student, Note{Midi: 60, Velocity: 1}, now)
		return err
	}
	for range 3 {
		if err := play(noon); err != nil {
			t.Fatal(err)
		}
	}
	r, ok := errors.AsType[*Refusal](play(seconds(0.04)))
	if !ok || r.Code != TooManyNotes || r.Retry != 60*Millisecond ||
		r.Reason != "more than 10 notes per second: the next is let through in 60 ms" {
		t.Fatalf("refused with %+v", r)
	}
	if heard, err := s.Play("anna", Student, Note{Midi: 60}, seconds(0.04)); !heard || err != nil {
		t.Errorf("a key may always go up: %v, %v", heard, err)
	}
	if err := play(seconds(0.04).Add(r.Retry)); err != nil {
		t.Errorf("after the time that was said: %v", err)
	}
	if err := play(noon); err == nil {
		t.Error("a clock that steps back gives notes")
	}
	if err := play(noon.Add(-60 * Minute).Add(Second)); err == nil {
		t.Error("a clock that steps back gives notes")
	}
	if err := play(noon.Add(-60 * Minute).Add(2 * Second)); err != nil {
		t.Errorf("a clock that stepped back locks out: %v", err)
	}
}

// Over any time no more is let through than the rate and one burst; and who keeps
// to the rate is never refused.
func TestTheBucketKeepsTheRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := Rate{rapid.Int64Range(1, 50).Draw(t, "rate"), rapid.Int64Range(1, 20).Draw(t, "burst")}
		var b Bucket
		now := noon
		var let []Time
		for _, wait := range rapid.SliceOfN(rapid.Int64Range(0, int64(Second)), 1, 100).Draw(t, "waits") {
			now = now.Add(Span(wait))
			wait, ok := b.Take(rate, now)
			if ok {
				let = append(let, now)
				continue
			}
			early, late := b, b
			if _, ok := early.Take(rate, now.Add(wait-1)); ok {
				t.Fatalf("let through before %d ns", wait)
			}
			if _, ok := late.Take(rate, now.Add(wait)); !ok {
				t.Fatalf("not let through after %d ns", wait)
			}
		}
		for i := range let {
			for j := i; j < len(let); j++ {
				most := rate.Burst + int64(let[j].Sub(let[i]))*rate.PerSecond/int64(Second)
				if n := int64(j - i + 1); n > most+1 {
					t.Fatalf("%d in %d ns, at most %d", n, let[j].Sub(let[i]), most)
				}
			}
		}
		steady := now.Add(Minute)
		for range 50 {
			steady = steady.Add(Second / Span(rate.PerSecond))
			if _, ok := b.Take(rate, steady); !ok {
				t.Fatal("refused at the rate")
			}
		}
	})
}
