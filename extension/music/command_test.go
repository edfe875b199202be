package music

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Command{
		`set_tempo {"bpm":96}`: {Name: SetTempo, Tempo: 96 * BPM},
		`set_tempo {"bpm":96.0004,"at":"now","ramp_beats":2.5,"key":"k","rev":17,"other":[]}`: {
			Name: SetTempo, Key: "k", Rev: 17, At: AtNow, Tempo: 96 * BPM, Ramp: 5 * OneBeat / 2,
		},
		`set_tempo {"bpm":4e2,"at":null}`:                        {Name: SetTempo, Tempo: MaxTempo},
		`set_meter {"meter":"3/4","at":"bar"}`:                   {Name: SetMeter, Meter: Meter{Beats: 3, Unit: 4}, At: AtBar},
		`start {}`:                                               {Name: Start},
		`start {"at":"bar","bar":-3,"beat":2,"count_in_bars":2}`: {Name: Start, At: AtBar, Bar: -3, InBar: 2, Bars: 2},
		`count_in {}`:                                            {Name: CountIn, Bars: 1},
		`count_in {"bars":2.0}`:                                  {Name: CountIn, Bars: 2},
		`stop {"at":"beat"}`:                                     {Name: Stop},
		`seek {"bar":17}`:                                        {Name: Seek, Bar: 17, InBar: 1},
		`set_interval {"beats":16}`:                              {Name: SetInterval, Beats: 16},
		`set_interval {"beats":0}`:                               {Name: SetInterval},
	} {
		name, payload, _ := strings.Cut(text, " ")
		got, err := ParseCommand(name, []byte(payload))
		if err != nil || got != want {
			t.Errorf("%s is read as %+v, %v", text, got, err)
		}
		if again := wired(t, got); again != got {
			t.Errorf("%+v comes back as %+v", got, again)
		}
	}
}

func TestBadCommands(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`fly {}`:                                 `unknown_command: there is no command "fly"`,
		`set_tempo`:                              `bad_payload: the payload must be a JSON object`,
		`set_tempo null`:                         `bad_payload: the payload must be a JSON object`,
		`set_tempo [96]`:                         `bad_payload: the payload must be a JSON object`,
		`set_tempo {`:                            `bad_payload: the payload must be a JSON object`,
		`set_tempo {}`:                           `bad_payload: bpm is missing`,
		`set_tempo {"bpm":null}`:                 `bad_payload: bpm is missing`,
		`set_tempo {"bpm":"96"}`:                 `bad_payload: bpm must be a number`,
		`set_tempo {"bpm":true}`:                 `bad_payload: bpm must be a number`,
		`set_tempo {"bpm":19.999}`:               `bad_payload: bpm must be from 20 to 400`,
		`set_tempo {"bpm":400.001}`:              `bad_payload: bpm must be from 20 to 400`,
		`set_tempo {"bpm":-96}`:                  `bad_payload: bpm must be from 20 to 400`,
		`set_tempo {"bpm":1e400}`:                `bad_payload: bpm must be from 20 to 400`,
		`set_tempo {"bpm":96,"at":"soon"}`:       `bad_payload: at must be "now", "beat" or "bar"`,
		`set_tempo {"bpm":96,"at":5}`:            `bad_payload: at must be a string`,
		`set_tempo {"bpm":96,"rev":1.5}`:         `bad_payload: rev must be a whole number, not 1.5`,
		`set_tempo {"bpm":96,"rev":-1}`:          `bad_payload: rev must be from 0 to 1099511627776`,
		`set_tempo {"bpm":96,"ramp_beats":-1}`:   `bad_payload: ramp_beats must be from 0 to 1024`,
		`set_tempo {"bpm":96,"ramp_beats":1025}`: `bad_payload: ramp_beats must be from 0 to 1024`,
		`set_tempo {"bpm":96,"key":"` + strings.Repeat("ä", 65) + `"}`: `bad_payload: key must have 64 characters at most`,
		`set_meter {}`:                               `bad_payload: meter is missing`,
		`set_meter {"meter":"4"}`:                    `bad_payload: meter is two numbers such as "3/4": 1 to 32 beats, of a note that is 1, 2, 4, 8, 16 or 32`,
		`set_meter {"meter":"7/8","groups":[2,2]}`:   `bad_payload: groups have 4 beats together, the bar has 7`,
		`set_meter {"meter":"7/8","groups":"2+2+3"}`: `bad_payload: groups must be a list of whole numbers`,
		`start {"beat":2}`:                           `bad_payload: beat is the beat of a bar: bar is missing`,
		`start {"count_in_bars":9}`:                  `bad_payload: count_in_bars must be from 0 to 8`,
		`count_in {"bars":0}`:                        `bad_payload: bars must be from 1 to 8`,
		`seek {}`:                                    `bad_payload: bar is missing`,
		`seek {"bar":1.5}`:                           `bad_payload: bar must be a whole number, not 1.5`,
		`seek {"bar":1000001}`:                       `bad_payload: bar must be from -1000000 to 1000000`,
		`set_interval {"beats":513}`:                 `bad_payload: beats must be from 0 to 512`,
	} {
		name, payload, _ := strings.Cut(text, " ")
		got, err := ParseCommand(name, []byte(payload))
		if err == nil || err.Error() != want {
			t.Errorf("%s is read as %+v, %v, want %s", text, got, err, want)
		}
		if _, ok := errors.AsType[*Refusal](err); !ok {
			t.Errorf("%s: the error is a %T", text, err)
		}
	}
}

// Whatever a client sends, it is refused, or done without breaking the room.
func FuzzCommand(f *testing.F) {
	for _, seed := range [][2]string{
		{SetTempo, `{"bpm":96,"at":"now","ramp_beats":8,"key":"a","rev":1}`},
		{SetMeter, `{"meter":"7/8","groups":[2,2,3]}`},
		{Start, `{"at":"bar","bar":1,"beat":2,"count_in_bars":2}`},
		{CountIn, `{"bars":2}`},
		{Stop, `{}`},
		{Seek, `{"bar":-1000000,"beat":32}`},
		{SetInterval, `{"beats":7}`},
	} {
		f.Add(seed[0], []byte(seed[1]), int64(noon))
	}
	f.Fuzz(func(t *testing.T, name string, payload []byte, at int64) {
		command, err := ParseCommand(name, payload)
		if err != nil {
			if _, ok := errors.AsType[*Refusal](err); !ok {
				t.Fatalf("refused with a %T", err)
			}
			return
		}
		for _, playing := range []bool{false, true} {
			c := newClock()
			if playing {
				do(t, c, noon, Start, `{}`)
			}
			command.Rev = 0
			// As far as a real clock goes: ten years.
			now := noon.Add(Span(at) % (10 * 365 * 24 * 60 * Minute))
			before := c.State
			if answer, change := c.Do(command, "teacher", now); change != nil {
				follower, ok := before.Follow(*change)
				if !ok || !reflect.DeepEqual(follower, c.State) {
					t.Fatalf("%+v: who follows knows %+v, want %+v", command, follower, c.State)
				}
				if answer.Error != nil || change.At < clampTime(now) {
					t.Fatalf("%+v at %d answered %+v", command, now, answer)
				}
			}
			if now < noon {
				continue
			}
			text, err := json.Marshal(c.State)
			if err != nil {
				t.Fatal(err)
			}
			var read State
			if err := json.Unmarshal(text, &read); err != nil || !reflect.DeepEqual(read, c.State) {
				t.Fatalf("%s is read as %+v, %v", text, read, err)
			}
		}
	})
}

func FuzzState(f *testing.F) {
	c := newClock()
	do(f, c, noon, Start, `{}`)
	do(f, c, noon, SetTempo, `{"bpm":96,"ramp_beats":8}`)
	text, _ := json.Marshal(c.State)
	f.Add(text, int64(noon))
	f.Fuzz(func(t *testing.T, text []byte, at int64) {
		var s State
		if json.Unmarshal(text, &s) != nil {
			return
		}
		now := Time(at)
		s.Beats(now, clampTime(now).Add(Second), 100)
		s.Intervals(clampTime(now), clampTime(now).Add(Second))
		s.Prune(now)
		NewAnnouncer(s, clampTime(now)).Advance(s, clampTime(now), Second)
		if s.Tempo.Beat(now) > s.Tempo.Beat(max(now, now+1)) {
			t.Fatal("the position falls")
		}
	})
}
