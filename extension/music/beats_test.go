package music

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// announced writes events as beat@seconds/rev, with a - before those that are off.
func announced(events []BeatEvent) string {
	var words []string
	for _, e := range events {
		word := fmt.Sprintf("%d@%g/%d", e.Beat, float64(e.At.Sub(noon)/Millisecond)/1000, e.Rev)
		if e.Off {
			word = "-" + word
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// The room plays since noon, 120 bpm. It is asked each half second with a
// look-ahead of one second and a half, unless the case says otherwise.
func TestAnnouncing(t *testing.T) {
	t.Parallel()
	const asked = 0.25 // past the beat
	for name, tt := range map[string]struct {
		command step
		want    []string // after noon 0.25, the command, 0.75, ...
	}{
		"without a change each beat once": {step{}, []string{"1@0.5/2 2@1/2 3@1.5/2", "", "4@2/2", "5@2.5/2"}},
		"a slower tempo moves what was announced": {
			step{0.3, SetTempo, `{"bpm":60}`},
			[]string{"1@0.5/2 2@1/2 3@1.5/2", "1@0.5/3 2@1.5/3 3@2.5/3", "", ""},
		},
		"a faster tempo moves it, and more comes due": {
			step{0.3, SetTempo, `{"bpm":240}`},
			[]string{"1@0.5/2 2@1/2 3@1.5/2", "1@0.5/3 2@0.75/3 3@1/3 4@1.25/3 5@1.5/3 6@1.75/3", "7@2/3", "8@2.25/3 9@2.5/3"},
		},
		"a change after what was announced says nothing again": {
			step{0.3, SetTempo, `{"bpm":60,"at":"bar"}`},
			[]string{"1@0.5/2 2@1/2 3@1.5/2", "", "4@2/3", ""},
		},
		"a stop takes back what was announced": {
			step{0.3, Stop, `{"at":"now"}`},
			[]string{"1@0.5/2 2@1/2 3@1.5/2", "-1@0.5/3 -2@1/3 -3@1.5/3", "", ""},
		},
		"a stop at the bar takes nothing back": {
			step{0.3, Stop, `{"at":"bar"}`},
			[]string{"1@0.5/2 2@1/2 3@1.5/2", "", "", ""},
		},
		"a seek calls beats anew": {
			step{0.3, Seek, `{"bar":7}`},
			[]string{"1@0.5/2 2@1/2 3@1.5/2", "1@0.5/3 2@1/3 3@1.5/3", "4@2/3", "5@2.5/3"},
		},
		"a meter that is what it was says nothing again": {
			step{0.3, SetInterval, `{"beats":8}`},
			[]string{"1@0.5/2 2@1/2 3@1.5/2", "", "4@2/3", "5@2.5/3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			do(t, c, noon, Start, `{}`)
			a := NewAnnouncer(c.State, seconds(asked))
			for i, want := range tt.want {
				at := asked + 0.5*float64(i-1)
				if i == 0 {
					at = asked
				}
				if i == 1 {
					at = 0.3
					if tt.command.name != "" {
						do(t, c, seconds(at), tt.command.name, tt.command.payload)
					}
				}
				if got := announced(a.Advance(c.State, seconds(at), 3*Second/2-50*Millisecond)); got != want {
					t.Errorf("at %g announced %q, want %q", at, got, want)
				}
			}
		})
	}
}

// A client keeps of each beat the event with the greatest rev.
type client struct {
	latest map[int64]BeatEvent
	seen   map[[2]uint64]bool
}

func (c *client) hear(t *rapid.T, events []BeatEvent) {
	for _, e := range events {
		key := [2]uint64{uint64(e.Beat), e.Rev}
		if c.seen[key] {
			t.Fatalf("beat %d is announced twice in revision %d", e.Beat, e.Rev)
		}
		c.seen[key] = true
		if old, known := c.latest[e.Beat]; known && old.Rev >= e.Rev {
			t.Fatalf("beat %d: revision %d follows %d", e.Beat, e.Rev, old.Rev)
		}
		c.latest[e.Beat] = e
	}
}

// check compares what the client knows with the truth.
func (c *client) check(t *rapid.T, s State, from, to Time) {
	truth := map[int64]BeatEvent{}
	for _, e := range s.Beats(from, to, 100_000) {
		truth[e.Beat] = e
	}
	for k, want := range truth {
		got, known := c.latest[k]
		want.Rev = got.Rev
		if !known || got != want {
			t.Fatalf("of beat %d the client knows %+v, want %+v", k, got, want)
		}
	}
	for k, got := range c.latest {
		if _, sounds := truth[k]; !sounds && !got.Off && got.At >= from && got.At < to {
			t.Fatalf("the client sounds beat %d, which is not heard: %+v", k, got)
		}
	}
}

func TestEachBeatIsAnnouncedOncePerRevision(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRandomRoom()
		do(t, r.clock, noon, Start, `{}`)
		ahead := Span(rapid.Int64Range(0, int64(2*Second)).Draw(t, "ahead"))
		a := NewAnnouncer(r.clock.State, noon)
		c := client{map[int64]BeatEvent{}, map[[2]uint64]bool{}}
		asked := noon
		c.hear(t, a.Advance(r.clock.State, asked, ahead))
		for range rapid.IntRange(1, 20).Draw(t, "commands") {
			before := r.clock.State
			r.step(t)
			for asked.Add(25*Millisecond) < r.now { // as it was before the command
				asked = asked.Add(25 * Millisecond)
				c.hear(t, a.Advance(before, asked, ahead))
			}
			if rapid.Bool().Draw(t, "at once") {
				asked = r.now
				c.hear(t, a.Advance(r.clock.State, asked, ahead))
			}
		}
		for range 40 {
			asked = asked.Add(25 * Millisecond)
			c.hear(t, a.Advance(r.clock.State, asked, ahead))
		}
		c.check(t, r.clock.State, noon, asked.Add(ahead))
	})
}

// A steady room announces each beat before it is due by the look-ahead, less the
// time between two looks; and Wake says when to look.
func TestBeatsAreAnnouncedInTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		tempo := rapid.Int32Range(int32(MinTempo), int32(MaxTempo)).Draw(t, "tempo")
		do(t, c, noon, SetTempo, fmt.Sprintf(`{"bpm":%d.%03d}`, tempo/1000, tempo%1000))
		do(t, c, noon, Start, `{}`)
		const ahead = 100 * Millisecond
		a := NewAnnouncer(c.State, noon)
		var next int64
		a.Advance(c.State, noon.Add(-ahead-1), ahead) // nothing yet
		for range 50 {
			wake, any := a.Wake(ahead)
			if !any {
				t.Fatal("a room that plays does not wake")
			}
			if early := a.Advance(c.State, wake-1, ahead); len(early) != 0 {
				t.Fatalf("%+v before it was due", early)
			}
			events := a.Advance(c.State, wake, ahead)
			if len(events) != 1 || events[0].Beat != next || events[0].At.Sub(wake) != ahead {
				t.Fatalf("at %d announced %+v, want beat %d", wake, events, next)
			}
			next++
		}
	})
}

// A state that was pruned says other things of what is over, and nobody wants to
// hear them.
func TestWhatIsOverIsNotAnnouncedAgain(t *testing.T) {
	t.Parallel()
	c := newClock()
	do(t, c, noon, Start, `{}`)
	a := NewAnnouncer(c.State, noon)
	a.Advance(c.State, seconds(0.5), Second)
	do(t, c, seconds(5), SetTempo, `{"bpm":60}`)
	for at := 5.0; at <= 20; at++ {
		a.Advance(c.State, seconds(at), Second)
	}
	c.State = c.State.Prune(seconds(15))
	do(t, c, seconds(20.1), SetTempo, `{"bpm":90,"at":"bar"}`)
	if got := announced(a.Advance(c.State, seconds(20.1), Second)); got != "" {
		t.Errorf("announced again: %s", got)
	}
}

func TestAPausedNodeDoesNotAnnounceThePast(t *testing.T) {
	t.Parallel()
	c := newClock()
	do(t, c, noon, Start, `{}`)
	a := NewAnnouncer(c.State, noon)
	a.Advance(c.State, noon, Second)
	events := a.Advance(c.State, noon.Add(60*Minute), Second)
	if len(events) != 5 || events[0].At != noon.Add(60*Minute-Second) {
		t.Errorf("after an hour %d beats from %v on", len(events), events)
	}
}

func TestAStoppedRoomDoesNotWake(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := NewAnnouncer(c.State, noon)
	if events := a.Advance(c.State, noon, Second); events != nil {
		t.Errorf("a stopped room announces %v", events)
	}
	if at, any := a.Wake(Second); any {
		t.Errorf("a stopped room wakes at %d", at)
	}
	do(t, c, seconds(1.1), Start, `{"at":"bar"}`)
	a.Advance(c.State, seconds(1.1), 0)
	if at, any := a.Wake(Second / 2); !any || at != seconds(1.5) {
		t.Errorf("the start is announced at %d, %v", at, any)
	}
}

func TestABeatOnTheWire(t *testing.T) {
	t.Parallel()
	c := newClock()
	do(t, c, noon, SetMeter, `{"meter":"7/8","groups":[2,2,3]}`)
	do(t, c, noon, Start, `{"count_in_bars":1,"bar":21}`)
	events := c.State.Beats(noon, seconds(10), 8)
	for i, want := range map[int]string{
		0: `{"beat":0,"bar":20,"beat_in_bar":1,"bpm":120,"at":1790000000000.000123,"rev":3,"accent":2,"count_in":true}`,
		1: `{"beat":1,"bar":20,"beat_in_bar":2,"bpm":120,"at":1790000000500.000123,"rev":3,"accent":0,"count_in":true}`,
		4: `{"beat":4,"bar":20,"beat_in_bar":5,"bpm":120,"at":1790000002000.000123,"rev":3,"accent":1,"count_in":true}`,
		7: `{"beat":7,"bar":21,"beat_in_bar":1,"bpm":120,"at":1790000003500.000123,"rev":3,"accent":2}`,
	} {
		if text, err := json.Marshal(events[i]); err != nil || string(text) != want {
			t.Errorf("beat %d is %s, %v, want %s", i, text, err, want)
		}
	}
	if !reflect.DeepEqual(events[:3], c.State.Beats(noon, seconds(10), 3)) {
		t.Error("a limit gives other beats")
	}
}

// Windows that follow each other give each beat, and each interval, to exactly
// one of them, also when they meet at a beat.
func TestWindowsShareNoBeat(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRandomRoom()
		do(t, r.clock, noon, SetInterval, `{"beats":3}`)
		for range rapid.IntRange(1, 15).Draw(t, "commands") {
			r.step(t)
		}
		s, end := r.clock.State, r.now.Add(10*Second)
		var beats []BeatEvent
		var intervals []Interval
		for at := noon; at < end; {
			next := at.Add(Span(rapid.Int64Range(1, int64(3*Second)).Draw(t, "window")))
			if rapid.Bool().Draw(t, "at a beat") {
				next = s.Tempo.Time(s.Tempo.BeatAfter(next)).Add(Span(rapid.Int64Range(0, 1).Draw(t, "past")))
			}
			next = min(next, end)
			beats = append(beats, s.Beats(at, next, 1000)...)
			intervals = append(intervals, s.Intervals(at, next)...)
			at = next
		}
		if want := s.Beats(noon, end, 100_000); !reflect.DeepEqual(beats, want) {
			t.Fatalf("in windows\n%+v, want\n%+v", beats, want)
		}
		if want := s.Intervals(noon, end); !reflect.DeepEqual(intervals, want) {
			t.Fatalf("in windows\n%+v, want\n%+v", intervals, want)
		}
	})
}
