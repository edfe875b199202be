package music

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestReadSettings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		given map[string]any
		err   string // a part of it
	}{
		"none":                        {nil, ""},
		"all":                         {map[string]any{"topic_prefix": "class:", "role_claim": "role", "default_role": "listener", "trust_join_role": true, "look_ahead_ms": 150.5, "beats": "off", "lead_ms": 0.0, "notes_per_second": 10.0, "note_burst": 1.0, "end_after_s": 0.0, "bpm": 60.5, "meter": "7/8", "max_members": 30.0, "clock_error_ms": 0.2}, ""},
		"a number of another type":    {map[string]any{"bpm": 90}, ""},
		"a name that is none":         {map[string]any{"bmp": 90.0}, "there is no setting \"bmp\""},
		"no prefix":                   {map[string]any{"topic_prefix": ""}, "topic_prefix"},
		"a prefix that is the wire's": {map[string]any{"topic_prefix": "realtime:music:"}, "topic_prefix"},
		"a prefix that is no text":    {map[string]any{"topic_prefix": 4.0}, "topic_prefix must be a string"},
		"a path with a hole":          {map[string]any{"role_claim": "a..b"}, "role_claim"},
		"what users write":            {map[string]any{"role_claim": "user_metadata.role"}, "user_metadata"},
		"a look-ahead of nothing":     {map[string]any{"look_ahead_ms": 99.0}, "look_ahead_ms must be from 100 to 5000"},
		"a mode that is none":         {map[string]any{"beats": "late"}, "beats must be"},
		"a tempo that is too fast":    {map[string]any{"bpm": 401.0}, "bpm must be from 20 to 400"},
		"a tempo that is no number":   {map[string]any{"bpm": "fast"}, "bpm must be a number"},
		"a meter that is none":        {map[string]any{"meter": "4/5"}, ""},
		"half a member":               {map[string]any{"max_members": 2.5}, "max_members must be a whole number"},
		"everybody a teacher":         {map[string]any{"default_role": "teacher"}, "default_role"},
		"perhaps":                     {map[string]any{"trust_join_role": "yes"}, "trust_join_role must be true or false"},
		"what has no JSON":            {map[string]any{"bpm": math.NaN()}, "read settings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := ReadSettings(tt.given)
			if name == "a meter that is none" {
				if err == nil {
					t.Error("it is taken")
				}
				return
			}
			if tt.err == "" && (err != nil || s == nil) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%+v, %v; the error should say %q", s, err, tt.err)
			}
		})
	}
	s, _ := ReadSettings(nil)
	if s.Prefix != "music_room:" || s.LookAhead != 200*Millisecond || s.EndAfter != 10*time.Minute || s.DefaultRole != Student || s.TrustJoin {
		t.Errorf("the standard is %+v", s)
	}
	for topic, want := range map[string]bool{"music_room:7b": true, "music_room:": false, "music_roo": false, "": false} {
		if s.isRoom(topic) != want {
			t.Errorf("isRoom(%q) is %v", topic, !want)
		}
	}
}

func TestLateness(t *testing.T) {
	t.Parallel()
	var l lateness
	for i := range 1000 {
		l.add(Span(i) * 10_000) // 0 to 10 ms
	}
	l.add(-Second)
	l.add(1 << 62)
	if l.late.Load() != 800 {
		t.Errorf("%d are above 2 ms, not 800", l.late.Load())
	}
	for part, want := range map[float64]float64{0.5: 0.005, 0.99: 0.0099} {
		if got := l.quantile(part); got < want || got > want*9/8 {
			t.Errorf("the quantile %v is %v, not %v to an eighth more", part, got, want)
		}
	}
	h := l.histogram()
	within := map[float64]uint64{}
	var count uint64
	for i, n := range h.Counts {
		if count += n; i < len(h.Bounds) {
			within[h.Bounds[i]] = count
		}
	}
	if within[0.0001] != 12 || within[0.002] != 202 || within[0.01] != 1001 || count != 1002 {
		t.Errorf("the histogram has %v", within)
	}
	var none lateness
	if got := none.quantile(0.99); got != 0 {
		t.Errorf("of nothing it is %v", got)
	}
}

func TestMetricsOfALesson(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher := c.enter("tea", "teacher")
	teacher.say(Start, `{}`)
	teacher.say(PlayNote, `{"midi":60}`)
	teacher.say(PlayNote, `{}`)
	c.Advance(10 * time.Second)
	seen := map[string]float64{}
	for _, m := range c.house.stats.metrics() {
		if _, twice := seen[m.Name]; twice || m.Help == "" {
			t.Errorf("%s is there twice, or says nothing of itself", m.Name)
		}
		seen[m.Name] = m.Value
	}
	for name, want := range map[string]float64{"rooms": 1, "members": 1, "notes_total": 1, "refusals_total": 1, "beats_late_total": 0} {
		if seen[name] != want {
			t.Errorf("%s is %v, not %v", name, seen[name], want)
		}
	}
	if seen["beats_total"] < 19 {
		t.Errorf("in 10 seconds at 120 bpm %v beats are counted", seen["beats_total"])
	}
}
