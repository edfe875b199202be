package music

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// The room begins at noon with 120 bpm, 4/4: a bar takes two seconds.
func TestIntervals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps []step
		until float64
		want  string // number:beats@begin-end
	}{
		"none unless they are wanted":    {[]step{{0, Start, `{}`}}, 20, ""},
		"none while it is stopped":       {[]step{{0, SetInterval, `{"beats":8}`}}, 20, ""},
		"they begin at the next bar":     {[]step{{0, Start, `{}`}, {0.1, SetInterval, `{"beats":8}`}}, 11, "0:8@2-6 1:8@6-10 2:8@10-14"},
		"a new length waits for the end": {[]step{{0, Start, `{}`}, {0.1, SetInterval, `{"beats":8}`}, {3, SetInterval, `{"beats":4}`}}, 9, "0:8@2-6 1:4@6-8 2:4@8-10"},
		"so does the end of them":        {[]step{{0, Start, `{}`}, {0.1, SetInterval, `{"beats":8}`}, {3, SetInterval, `{"beats":0}`}}, 20, "0:8@2-6"},
		"they may come back":             {[]step{{0, Start, `{}`}, {0, SetInterval, `{"beats":4}`}, {0.5, SetInterval, `{"beats":0}`}, {2.5, SetInterval, `{"beats":2}`}}, 5.5, "0:4@0-2 1:2@4-5 2:2@5-6"},
		"a tempo changes their ends":     {[]step{{0, Start, `{}`}, {0, SetInterval, `{"beats":8}`}, {2, SetTempo, `{"bpm":60}`}}, 7, "0:8@0-6 1:8@6-14"},
		"a start begins one": {
			[]step{{0, SetInterval, `{"beats":8}`}, {0, Start, `{}`}, {1, Stop, `{"at":"now"}`}, {4.6, Start, `{}`}}, 10,
			"0:8@0-4 2:8@5-9 3:8@9-13",
		},
		"a start cuts the interval that was under way": {
			[]step{{0, SetInterval, `{"beats":8}`}, {0, Start, `{}`}, {4.6, Stop, `{"at":"now"}`}, {5.9, Start, `{}`}}, 9,
			"0:8@0-4 1:4@4-6 2:8@6-10",
		},
		"a count-in is none": {[]step{{0, SetInterval, `{"beats":4}`}, {0.1, CountIn, `{}`}}, 5, "2:4@2.5-4.5 3:4@4.5-6.5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			for _, s := range tt.steps {
				do(t, c, seconds(s.at), s.name, s.payload)
			}
			var words []string
			for _, i := range c.State.Intervals(noon, seconds(tt.until)) {
				second := func(at Time) float64 { return float64(at.Sub(noon)/Millisecond) / 1000 }
				words = append(words, fmt.Sprintf("%d:%d@%g-%g", i.Number, i.Beats, second(i.At), second(i.Until)))
				if running, any := c.State.Running(i.At); !any || running != i {
					t.Errorf("at its beginning %+v runs, %v, want %+v", running, any, i)
				}
				if running, any := c.State.Running(i.Until - 20); any && running != i {
					t.Errorf("at its end %+v runs, %v, want %+v", running, any, i)
				}
			}
			if got := strings.Join(words, " "); got != tt.want {
				t.Errorf("intervals %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAnIntervalOnTheWire(t *testing.T) {
	t.Parallel()
	c := newClock()
	do(t, c, noon, Start, `{}`)
	do(t, c, noon, SetInterval, `{"beats":16}`)
	i, _ := c.State.Running(seconds(9))
	const want = `{"interval":1,"beat":16,"beats":16,"at":1790000008000.000123,"until":1790000016000.000123,"rev":3}`
	if text, err := json.Marshal(i); err != nil || string(text) != want {
		t.Errorf("sent %s, %v, want %s", text, err, want)
	}
}
