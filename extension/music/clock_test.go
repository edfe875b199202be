package music

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func parse(t rapid.TB, name, payload string) Command {
	t.Helper()
	command, err := ParseCommand(name, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return command
}

func TestACommandWithAKeyIsDoneOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	tempo := parse(t, SetTempo, `{"bpm":96,"key":"a"}`)
	first, change := c.Do(tempo, "anna", seconds(0.1))
	if first.Error != nil || change == nil || first.Rev != 2 || *first.At != seconds(0.5) || *first.Beat != OneBeat {
		t.Fatalf("answered %+v", first)
	}
	again, change := c.Do(tempo, "anna", seconds(3))
	if want := first; change != nil || !again.Repeated || again.Rev != want.Rev || *again.At != *want.At {
		t.Errorf("again answered %+v, changed %+v", again, change)
	}
	if other, _ := c.Do(tempo, "ben", seconds(4)); other.Repeated || other.Error != nil {
		t.Errorf("somebody else's key is no repetition, answered %+v", other)
	}
	reused, change := c.Do(parse(t, SetTempo, `{"bpm":97,"key":"a"}`), "anna", seconds(5))
	if change != nil || reused.Error == nil || reused.Error.Code != KeyReused {
		t.Errorf("another command with the key answered %+v", reused)
	}
	// It holds on another node too.
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var moved Clock
	if err := json.Unmarshal(text, &moved); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&moved, c) {
		t.Fatalf("moved %+v, want %+v", moved, c)
	}
	if again, change := moved.Do(tempo, "anna", seconds(6)); change != nil || !again.Repeated {
		t.Errorf("the other node answered %+v", again)
	}
}

func TestARefusedCommandMayBeTriedAgainWithItsKey(t *testing.T) {
	t.Parallel()
	c := newClock()
	stop := parse(t, Stop, `{"key":"a"}`)
	if answer, _ := c.Do(stop, "anna", noon); answer.Error == nil || answer.Key != "a" {
		t.Fatalf("answered %+v", answer)
	}
	do(t, c, noon, Start, `{}`)
	if answer, change := c.Do(stop, "anna", seconds(1)); answer.Error != nil || change == nil || answer.Repeated {
		t.Errorf("answered %+v", answer)
	}
}

func TestOfTwoWhoSawTheSameRevisionOneIsToldOfTheOther(t *testing.T) {
	t.Parallel()
	c := newClock()
	if answer, _ := c.Do(parse(t, SetTempo, `{"bpm":96,"rev":1}`), "anna", noon); answer.Error != nil {
		t.Fatalf("answered %+v", answer)
	}
	answer, change := c.Do(parse(t, SetTempo, `{"bpm":98,"rev":1}`), "ben", noon)
	if change != nil || answer.Error == nil || answer.Error.Code != Conflict || answer.Rev != 2 {
		t.Errorf("answered %+v", answer)
	}
	if answer, _ := c.Do(parse(t, SetTempo, `{"bpm":98,"rev":2}`), "ben", noon); answer.Error != nil {
		t.Errorf("answered %+v", answer)
	}
}

func TestTheOldestKeysAreForgotten(t *testing.T) {
	t.Parallel()
	c := newClock()
	for i := range maxAnswered + 1 {
		do(t, c, seconds(float64(i)), SetInterval, fmt.Sprintf(`{"beats":%d,"key":"k%d"}`, i%7+1, i))
	}
	if len(c.Answered) != maxAnswered {
		t.Errorf("%d keys are kept", len(c.Answered))
	}
	if _, found := c.done("teacher", "k0"); found {
		t.Error("the first key is kept")
	}
	if _, found := c.done("teacher", "k1"); !found {
		t.Error("the second key is forgotten")
	}
}

func TestACommandThatChangesNothingHasNoRevision(t *testing.T) {
	t.Parallel()
	for _, command := range []Command{parse(t, SetMeter, `{"meter":"4/4"}`), parse(t, SetTempo, `{"bpm":120,"ramp_beats":4}`)} {
		c := newClock()
		answer, change := c.Do(command, "anna", noon)
		if answer.Error != nil || change != nil || answer.Rev != 1 || c.State.Rev != 1 {
			t.Errorf("%s answered %+v, changed %+v", command.Name, answer, change)
		}
	}
}

func TestAClockThatStepsBackDoesNotChangeThePast(t *testing.T) {
	t.Parallel()
	c := newClock()
	do(t, c, seconds(10), Start, `{}`)
	change := do(t, c, seconds(3), SetTempo, `{"bpm":60,"at":"now"}`)
	if change.At < seconds(10) {
		t.Errorf("a change at second 3 after one at 10 takes effect at %v", change.At.Sub(noon))
	}
}

func TestALeadHasChangesKnownBefore(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.Lead = 100 * Millisecond
	for at, want := range map[string]Time{"now": seconds(0.55), "beat": seconds(1), "bar": seconds(2)} {
		room := *c
		if change := do(t, &room, seconds(0.45), SetTempo, `{"bpm":96,"at":"`+at+`"}`); change.At < want || change.At > want+8 {
			t.Errorf("%s takes effect at %v", at, change.At.Sub(noon))
		}
	}
}

func TestAStateStaysSmall(t *testing.T) {
	t.Parallel()
	c := newClock()
	refused, follower := 0, c.State
	for i := range 3000 { // ten a second for five minutes
		command := parse(t, SetTempo, fmt.Sprintf(`{"bpm":%d,"at":"now"}`, 60+i%100))
		now := seconds(float64(i) / 10)
		answer, change := c.Do(command, "anna", now)
		if change != nil {
			follower, _ = follower.Follow(*change)
		}
		// Who follows throws nothing away, and knows the same of what is and comes.
		for _, at := range []Time{now, now.Add(Second)} {
			if follower.Tempo.Beat(at) != c.State.Tempo.Beat(at) {
				t.Fatalf("after %d commands a follower is elsewhere", i)
			}
		}
		if answer.Error != nil {
			if refused++; answer.Error.Code != TooManyChanges {
				t.Fatalf("answered %+v", answer.Error)
			}
		}
		if c.State.size() > maxKept {
			t.Fatalf("%d entries are kept", c.State.size())
		}
	}
	if refused == 0 || refused > 2500 {
		t.Errorf("%d of 3000 were refused", refused)
	}
	do(t, c, seconds(1000), SetTempo, `{"bpm":60}`)
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	c := newClock()
	do(t, c, noon, Start, `{}`)
	change := do(t, c, seconds(0.25), SetTempo, `{"bpm":96.5,"at":"now","ramp_beats":8,"key":"x"}`)
	for name, tt := range map[string]struct {
		sent any
		want string
	}{
		"a change": {change, `{"event":"tempo_changed","rev":3,"by":"teacher","key":"x","at":1790000000250.000123,"beat":0.5,` +
			`"tempo":{"from":0.5,"add":[{"at":1790000000250.000123,"beat":0.5,"bpm":120,"ramp":{"to":96.5,"beats":8,"ms":4434.180139}}]}}`},
		"all": {Greeting{seconds(1), c.State}, `{"now":1790000001000.000123,"state":{"epoch":"k1","rev":3,` +
			`"tempo":[{"at":1790000000000.000123,"beat":0,"bpm":120},{"at":1790000000250.000123,"beat":0.5,"bpm":120,"ramp":{"to":96.5,"beats":8,"ms":4434.180139}}],` +
			`"bars":[{"beat":0,"bar":1,"beat_in_bar":1,"meter":"4/4"}],` +
			`"transport":[{"beat":0,"state":"playing"}],` +
			`"intervals":[{"beat":0,"beats":0,"interval":0}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if text, err := json.Marshal(tt.sent); err != nil || string(text) != tt.want {
				t.Errorf("sent\n%s, %v, want\n%s", text, err, tt.want)
			}
		})
	}
}

func TestAMissedChangeIsNoticed(t *testing.T) {
	t.Parallel()
	c := newClock()
	follower := c.State
	do(t, c, noon, Start, `{}`)
	change := do(t, c, noon, SetTempo, `{"bpm":60}`)
	if _, ok := follower.Follow(change); ok {
		t.Error("a change was applied without the one before it")
	}
	if _, ok := c.State.Follow(change); ok {
		t.Error("a change was applied twice")
	}
}

func TestStatesThatMakeNoSenseAreNotRead(t *testing.T) {
	t.Parallel()
	state := func(rev, tempo, bars, transport, cycles string) string {
		return `{"rev":` + rev + `,"tempo":[` + tempo + `],"bars":[` + bars + `],"transport":[` + transport + `],"intervals":[` + cycles + `]}`
	}
	const tempo, bars = `{"at":0,"beat":0,"bpm":60}`, `{"beat":0,"bar":1,"beat_in_bar":1,"meter":"4/4"}`
	const transport, cycles = `{"beat":0,"state":"playing"}`, `{"beat":0,"beats":8,"interval":0}`
	var s State
	if err := json.Unmarshal([]byte(state("1", tempo, bars, transport, cycles)), &s); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no revision":               state("0", tempo, bars, transport, cycles),
		"no segment":                state("1", "", bars, transport, cycles),
		"no mark":                   state("1", tempo, "", transport, cycles),
		"no turn":                   state("1", tempo, bars, "", cycles),
		"no cycle":                  state("1", tempo, bars, transport, ""),
		"a segment without a tempo": state("1", `{"at":0,"beat":0}`, bars, transport, cycles),
		"a tempo of 0":              state("1", `{"at":0,"beat":0,"bpm":0}`, bars, transport, cycles),
		"a jump":                    state("1", tempo+`,{"at":1000,"beat":2,"bpm":60}`, bars, transport, cycles),
		"segments out of order":     state("1", `{"at":1000,"beat":1,"bpm":60},`+tempo, bars, transport, cycles),
		"a ramp to nowhere":         state("1", `{"at":0,"beat":0,"bpm":60,"ramp":{"to":60,"beats":4}}`, bars, transport, cycles),
		"a ramp of no beats":        state("1", `{"at":0,"beat":0,"bpm":60,"ramp":{"to":90,"beats":0}}`, bars, transport, cycles),
		"a mark in a beat":          state("1", tempo, `{"beat":0.5,"bar":1,"beat_in_bar":1,"meter":"4/4"}`, transport, cycles),
		"a beat beyond the bar":     state("1", tempo, `{"beat":0,"bar":1,"beat_in_bar":5,"meter":"4/4"}`, transport, cycles),
		"a meter of no beats":       state("1", tempo, `{"beat":0,"bar":1,"beat_in_bar":1,"meter":"0/4"}`, transport, cycles),
		"an unknown mode":           state("1", tempo, bars, `{"beat":0,"state":"flying"}`, cycles),
		"a stop that leads nowhere": state("1", tempo, bars, `{"beat":0,"state":"stopped"}`, cycles),
		"an interval of -1":         state("1", tempo, bars, transport, `{"beat":0,"beats":-1,"interval":0}`),
		"a list":                    `[]`,
		"null in a list":            state("1", "null", bars, transport, cycles),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s State
			if err := json.Unmarshal([]byte(text), &s); err == nil {
				t.Errorf("%s is read as %+v", text, s)
			}
		})
	}
}
