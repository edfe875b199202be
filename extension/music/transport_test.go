package music

import (
	"fmt"
	"strings"
	"testing"
)

// heard writes the beats of some seconds after noon: bar.beat@seconds, with a +
// for the first of a bar, a c for a count-in.
func heard(s State, from, to float64) string {
	var words []string
	for _, e := range s.Beats(seconds(from), seconds(to), 1000) {
		word := fmt.Sprintf("%d.%d@%g", e.Place.Bar, e.Place.InBar, float64(e.At.Sub(noon)/Millisecond)/1000)
		if e.CountIn {
			word += "c"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// A step is a command at some seconds after noon.
type step struct {
	at            float64
	name, payload string
}

// The room begins at noon with 120 bpm, 4/4: beats each half second.
func TestTransport(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps []step
		until float64
		want  string
	}{
		"nothing is heard before a start": {nil, 10, ""},
		"a start is at the next beat": {
			[]step{{0.1, Start, `{}`}}, 2.6,
			"1.1@0.5 1.2@1 1.3@1.5 1.4@2 2.1@2.5",
		},
		"exactly on a beat is that beat": {[]step{{0.5, Start, `{}`}}, 1.1, "1.1@0.5 1.2@1"},
		"a start at the next bar":        {[]step{{0.1, Start, `{"at":"bar"}`}}, 3, "1.1@2 1.2@2.5"},
		"a start elsewhere":              {[]step{{0.1, Start, `{"bar":9,"beat":4}`}}, 1.6, "9.4@0.5 10.1@1 10.2@1.5"},
		"a bar is counted in before": {
			[]step{{0.1, Start, `{"count_in_bars":1}`}}, 3.6,
			"0.1@0.5c 0.2@1c 0.3@1.5c 0.4@2c 1.1@2.5 1.2@3 1.3@3.5",
		},
		"a count-in to the midst of a bar": {
			[]step{{0.1, CountIn, `{"bar":5,"beat":4}`}}, 3.1,
			"4.4@0.5c 5.1@1c 5.2@1.5c 5.3@2c 5.4@2.5 6.1@3",
		},
		"a stop now": {[]step{{0, Start, `{}`}, {1.2, Stop, `{"at":"now"}`}}, 9, "1.1@0 1.2@0.5 1.3@1"},
		"a stop at the bar line lets the bar end": {
			[]step{{0, Start, `{}`}, {1.2, Stop, `{"at":"bar"}`}}, 9,
			"1.1@0 1.2@0.5 1.3@1 1.4@1.5",
		},
		"a stop at the beat silences that beat": {[]step{{0, Start, `{}`}, {0.6, Stop, `{"at":"beat"}`}}, 9, "1.1@0 1.2@0.5"},
		"it goes on where it stopped, after any time": {
			[]step{{0, Start, `{}`}, {1.2, Stop, `{"at":"now"}`}, {10.3, Start, `{}`}}, 11.6,
			"1.1@0 1.2@0.5 1.3@1 1.4@10.5 2.1@11 2.2@11.5",
		},
		"a start takes a stop back that was to come": {
			[]step{{0, Start, `{}`}, {0.1, Stop, `{"at":"bar"}`}, {0.2, Start, `{}`}}, 2.6,
			"1.1@0 1.2@0.5 1.3@1 1.4@1.5 2.1@2 2.2@2.5",
		},
		"a stop takes a start back that was to come": {[]step{{0.1, Start, `{"at":"bar"}`}, {0.2, Stop, `{"at":"now"}`}}, 9, ""},
		"a stopped count-in is counted in again to the same place": {
			[]step{{0, CountIn, `{"bar":5}`}, {0.7, Stop, `{"at":"now"}`}, {4.9, Start, `{}`}}, 5.6,
			"4.1@0c 4.2@0.5c 5.1@5 5.2@5.5",
		},
		"a sooner start is heard sooner": {[]step{{0.1, Start, `{"at":"bar"}`}, {0.2, Start, `{}`}}, 1.1, "1.1@0.5 1.2@1"},
		"a seek":                         {[]step{{0, Start, `{}`}, {0.6, Seek, `{"bar":7}`}}, 1.6, "1.1@0 1.2@0.5 7.1@1 7.2@1.5"},
		"a seek at the bar line": {
			[]step{{0, Start, `{}`}, {0.6, Seek, `{"bar":7,"at":"bar"}`}}, 2.6,
			"1.1@0 1.2@0.5 1.3@1 1.4@1.5 7.1@2 7.2@2.5",
		},
		"a seek into a bar makes a pickup": {
			[]step{{0, Start, `{}`}, {0.6, Seek, `{"bar":7,"beat":4}`}}, 2.1,
			"1.1@0 1.2@0.5 7.4@1 8.1@1.5 8.2@2",
		},
		"a seek while stopped is where it starts": {[]step{{0.1, Seek, `{"bar":3}`}, {5.9, Start, `{}`}}, 6.6, "3.1@6 3.2@6.5"},
		"a seek before a stop that is to come moves what follows it": {
			[]step{{0, Start, `{}`}, {0.1, Stop, `{"at":"bar"}`}, {0.6, Seek, `{"bar":7,"beat":3}`}, {5, Start, `{}`}}, 5.6,
			"1.1@0 1.2@0.5 7.3@1 7.4@1.5 8.1@5 8.2@5.5",
		},
		"a meter before a stop that is to come moves what follows it": {
			[]step{{0, Start, `{}`}, {0.1, Stop, `{"at":"bar"}`}, {0.2, Seek, `{"bar":7,"beat":3}`}, {0.3, SetMeter, `{"meter":"1/4"}`}, {5, Start, `{}`}}, 5.6,
			"1.1@0 7.3@0.5 7.4@1 8.1@1.5 9.1@5 10.1@5.5",
		},
		"a meter begins at the bar line": {
			[]step{{0, Start, `{}`}, {0.1, SetMeter, `{"meter":"3/4"}`}}, 4.1,
			"1.1@0 1.2@0.5 1.3@1 1.4@1.5 2.1@2 2.2@2.5 2.3@3 3.1@3.5 3.2@4",
		},
		"a meter exactly at a bar line": {[]step{{0, Start, `{}`}, {0, SetMeter, `{"meter":"2/4"}`}}, 1.6, "1.1@0 1.2@0.5 2.1@1 2.2@1.5"},
		"the later of two meters":       {[]step{{0, Start, `{}`}, {0.1, SetMeter, `{"meter":"3/4"}`}, {0.2, SetMeter, `{"meter":"2/4"}`}}, 3.1, "1.1@0 1.2@0.5 1.3@1 1.4@1.5 2.1@2 2.2@2.5 3.1@3"},
		"a meter while stopped holds from the start": {
			[]step{{0.1, SetMeter, `{"meter":"3/4"}`}, {0.2, Start, `{}`}}, 2.1,
			"1.1@0.5 1.2@1 1.3@1.5 2.1@2",
		},
		"a meter waits for the end of a count-in": {
			[]step{{0, Start, `{"count_in_bars":2}`}, {0.1, SetMeter, `{"meter":"3/4"}`}}, 5.6,
			"-1.1@0c -1.2@0.5c -1.3@1c -1.4@1.5c 0.1@2c 0.2@2.5c 0.3@3c 0.4@3.5c 1.1@4 1.2@4.5 1.3@5 2.1@5.5",
		},
		"a meter and a seek at the same bar line": {
			[]step{{0, Start, `{}`}, {0.1, SetMeter, `{"meter":"2/4"}`}, {0.2, Seek, `{"bar":1,"at":"bar"}`}}, 3.1,
			"1.1@0 1.2@0.5 1.3@1 1.4@1.5 1.1@2 1.2@2.5 2.1@3",
		},
		"a seek and a meter at the same bar line": {
			[]step{{0, Start, `{}`}, {0.1, Seek, `{"bar":1,"at":"bar"}`}, {0.2, SetMeter, `{"meter":"2/4"}`}}, 3.1,
			"1.1@0 1.2@0.5 1.3@1 1.4@1.5 1.1@2 1.2@2.5 2.1@3",
		},
		"a meter that waited for a bar line waits for the one after a seek": {
			[]step{{0, Start, `{}`}, {0.1, SetMeter, `{"meter":"2/4"}`}, {0.2, Seek, `{"bar":9,"beat":3}`}}, 2.6,
			"1.1@0 9.3@0.5 9.4@1 10.1@1.5 10.2@2 11.1@2.5",
		},
		"a place that the new meter lacks is the bar's beginning": {
			[]step{{0, Start, `{}`}, {1.6, Stop, `{"at":"now"}`}, {1.7, Start, `{}`}, {2.1, Stop, `{"at":"now"}`}, {2.2, Seek, `{"bar":5,"beat":4}`}, {2.3, SetMeter, `{"meter":"3/4"}`}, {2.9, Start, `{}`}}, 3.6,
			"1.1@0 1.2@0.5 1.3@1 1.4@1.5 2.1@2 5.1@3 5.2@3.5",
		},
		"twice the tempo at the beat": {[]step{{0, Start, `{}`}, {0.6, SetTempo, `{"bpm":240}`}}, 1.6, "1.1@0 1.2@0.5 1.3@1 1.4@1.25 2.1@1.5"},
		"twice the tempo now": {
			[]step{{0, Start, `{}`}, {0.75, SetTempo, `{"bpm":240,"at":"now"}`}}, 1.3,
			"1.1@0 1.2@0.5 1.3@0.875 1.4@1.125",
		},
		"a start that waits moves with the tempo": {[]step{{0.1, Start, `{"at":"bar"}`}, {1, SetTempo, `{"bpm":60}`}}, 4.1, "1.1@3 1.2@4"},
		"a ramp over four beats to twice the tempo takes 4/3 seconds": {
			[]step{{0, Start, `{}`}, {0, SetTempo, `{"bpm":240,"ramp_beats":4}`}}, 1.6,
			"1.1@0 1.2@0.43 1.3@0.774 1.4@1.07 2.1@1.333 2.2@1.583",
		},
		"a tempo in the midst of a ramp ends it": {
			[]step{{0, Start, `{}`}, {0, SetTempo, `{"bpm":240,"ramp_beats":4}`}, {0.5, SetTempo, `{"bpm":60}`}}, 2,
			"1.1@0 1.2@0.43 1.3@0.774 1.4@1.774",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			for _, s := range tt.steps {
				do(t, c, seconds(s.at), s.name, s.payload)
			}
			if got := heard(c.State, 0, tt.until); got != tt.want {
				t.Errorf("heard\n%s, want\n%s", got, tt.want)
			}
		})
	}
}

func TestRefusedTransport(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps []step // the last is refused
		code  string
	}{
		"a start while it plays":                   {[]step{{0, Start, `{}`}, {1, Start, `{}`}}, AlreadyPlaying},
		"a count-in while it plays":                {[]step{{0, Start, `{}`}, {1, CountIn, `{}`}}, AlreadyPlaying},
		"a start elsewhere before a stop":          {[]step{{0, Start, `{}`}, {1, Stop, `{"at":"bar"}`}, {1, Start, `{"bar":1}`}}, AlreadyPlaying},
		"a start in a count-in":                    {[]step{{0, CountIn, `{}`}, {1, Start, `{}`}}, AlreadyPlaying},
		"a stop while it is stopped":               {[]step{{0, Stop, `{}`}}, AlreadyStopped},
		"a stop after a stop":                      {[]step{{0, Start, `{}`}, {1, Stop, `{}`}, {3, Stop, `{}`}}, AlreadyStopped},
		"a seek in a count-in":                     {[]step{{0, CountIn, `{}`}, {1, Seek, `{"bar":3}`}}, AboutToStart},
		"a seek before a start that is to come":    {[]step{{0.1, Start, `{"at":"bar"}`}, {0.2, Seek, `{"bar":3}`}}, AboutToStart},
		"a seek to a beat that the meter lacks":    {[]step{{0, Start, `{}`}, {1, Seek, `{"bar":3,"beat":5}`}}, BadPayload},
		"the same while it is stopped":             {[]step{{1, Seek, `{"bar":3,"beat":5}`}}, BadPayload},
		"a start at a beat that the meter lacks":   {[]step{{1, Start, `{"bar":3,"beat":5}`}}, BadPayload},
		"a start that names an old revision":       {[]step{{0, Start, `{}`}, {1, Stop, `{"rev":1}`}}, Conflict},
		"a start that names a revision of to come": {[]step{{0, Start, `{"rev":2}`}}, Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			last := len(tt.steps) - 1
			for _, s := range tt.steps[:last] {
				do(t, c, seconds(s.at), s.name, s.payload)
			}
			before := c.State
			command, err := ParseCommand(tt.steps[last].name, []byte(tt.steps[last].payload))
			if err != nil {
				t.Fatal(err)
			}
			answer, change := c.Do(command, "teacher", seconds(tt.steps[last].at))
			if answer.Error == nil || answer.Error.Code != tt.code || change != nil || answer.Rev != before.Rev {
				t.Errorf("answered %+v with %+v, want %s", answer, answer.Error, tt.code)
			}
			if c.State.Rev != before.Rev {
				t.Error("a refused command changed the state")
			}
		})
	}
}

func TestATurnBetweenTwoBeatsIsNotHeard(t *testing.T) {
	t.Parallel()
	l := Transport{{Beat: 0}, {Beat: 16 * OneBeat / 5, Mode: Playing}, {Beat: 4 * OneBeat}, {Beat: 9 * OneBeat / 2, Mode: Playing}}
	if b, any := l.sounds(0); !any || b != 5*OneBeat {
		t.Errorf("the first beat that is heard is %d, %v", b, any)
	}
	if b, any := l[:3].sounds(0); any {
		t.Errorf("beat %d is heard", b)
	}
}
