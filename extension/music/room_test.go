package music

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is when the rooms of these tests begin.
const noon Time = 1_790_000_000_000_000_123

// newClock returns a room at 120 bpm in 4/4: two beats a second.
func newClock() *Clock {
	return &Clock{State: NewState("k1", noon, 120*BPM, CommonTime)}
}

// seconds returns a time after noon.
func seconds(s float64) Time { return noon + Time(s*1e9) }

// do obeys a command of the form `name {payload}` and fails if it is refused.
func do(t rapid.TB, c *Clock, at Time, name, payload string) Change {
	t.Helper()
	command, err := ParseCommand(name, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	answer, change := c.Do(command, "teacher", at)
	if answer.Error != nil || change == nil {
		t.Fatalf("%s %s: %+v", name, payload, answer)
	}
	return *change
}

// drawPayload makes a command, most of the time one that is obeyed.
func drawPayload(t *rapid.T) (name, payload string) {
	at := rapid.SampledFrom([]string{"now", "beat", "bar"}).Draw(t, "at")
	bpm := rapid.Int64Range(20_000, 400_000).Draw(t, "mbpm")
	n := rapid.IntRange(1, 4).Draw(t, "n")
	meter := rapid.SampledFrom([]string{"4/4", "3/4", "7/8", "1/4", "6/8"}).Draw(t, "meter")
	commands := [][2]string{
		{SetTempo, fmt.Sprintf(`{"bpm":%d.%03d,"at":%q}`, bpm/1000, bpm%1000, at)},
		{SetTempo, fmt.Sprintf(`{"bpm":%d.%03d,"at":%q,"ramp_beats":%d.25}`, bpm/1000, bpm%1000, at, n*n)},
		{SetMeter, fmt.Sprintf(`{"meter":%q}`, meter)},
		{Start, fmt.Sprintf(`{"at":%q}`, at)},
		{Start, fmt.Sprintf(`{"at":%q,"bar":%d,"count_in_bars":%d}`, at, n*10, n-1)},
		{CountIn, fmt.Sprintf(`{"at":%q,"bars":%d}`, at, n)},
		{Stop, fmt.Sprintf(`{"at":%q}`, at)},
		{Seek, fmt.Sprintf(`{"at":%q,"bar":%d,"beat":%d}`, at, n*7, n)},
		{SetInterval, fmt.Sprintf(`{"beats":%d}`, 4*(n-1))},
	}
	command := rapid.SampledFrom(commands).Draw(t, "command")
	return command[0], command[1]
}

// A room is a clock that random commands are given to.
type randomRoom struct {
	clock   *Clock
	now     Time
	changes []Change
	states  []State // the one before each change, and the last
}

func newRandomRoom() *randomRoom {
	c := newClock()
	return &randomRoom{clock: c, now: noon, states: []State{c.State}}
}

// step waits and gives a command. It reports whether anything changed.
func (r *randomRoom) step(t *rapid.T) bool {
	r.now = r.now.Add(Span(rapid.Int64Range(0, int64(3*Second)).Draw(t, "wait")))
	name, payload := drawPayload(t)
	command, err := ParseCommand(name, []byte(payload))
	if err != nil {
		t.Fatalf("%s %s: %v", name, payload, err)
	}
	_, change := r.clock.Do(command, "teacher", r.now)
	if change == nil {
		return false
	}
	r.changes, r.states = append(r.changes, *change), append(r.states, r.clock.State)
	return true
}

func TestNoSequenceOfCommandsBreaksTheTimeline(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRandomRoom()
		for range rapid.IntRange(1, 25).Draw(t, "commands") {
			before := r.clock.State
			r.step(t)
			samePast(t, before, r.clock.State, r.now)
		}
		s := r.clock.State
		if !s.Tempo.ordered() {
			t.Fatalf("out of order: %+v", s.Tempo)
		}
		at := noon.Add(-Second)
		for last := s.Tempo.Beat(at); at < r.now.Add(20*Second); {
			at = at.Add(Span(rapid.Int64Range(8, int64(3*Second)).Draw(t, "on")))
			if b := s.Tempo.Beat(at); b <= last {
				t.Fatalf("the position falls from %d to %d", last, b)
			} else {
				last = b
			}
			inverse(t, s.Tempo, at)
		}
		for _, segment := range s.Tempo[1:] { // no jump where segments meet
			if jump := s.Tempo.Beat(segment.At) - s.Tempo.Beat(segment.At-1); jump < 0 || jump > 8 {
				t.Fatalf("the position jumps by %d at %+v", jump, segment)
			}
			inverse(t, s.Tempo, segment.At)
			inverse(t, s.Tempo, segment.At.Add(segment.Span()))
		}
	})
}

// samePast checks that a command changed nothing that is over.
func samePast(t *rapid.T, before, after State, now Time) {
	for _, ago := range []Span{1, 1000, Second / 3, Second, 5 * Second} {
		at := now.Add(-ago)
		if at < noon { // before the room there was nothing
			continue
		}
		if before.Tempo.Beat(at) != after.Tempo.Beat(at) || before.Tempo.Tempo(at) != after.Tempo.Tempo(at) {
			t.Fatalf("the position %v ago changed", ago)
		}
		b := after.Tempo.Beat(at).Floor()
		was, is := before.Event(b), after.Event(b)
		if was.Rev = is.Rev; was != is && was.At < now {
			t.Fatalf("beat %d is over and changed from %+v to %+v", b, was, is)
		}
	}
}

func TestWhoFollowsChangesKnowsTheState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRandomRoom()
		follower := wired(t, r.clock.State)
		for range rapid.IntRange(1, 25).Draw(t, "commands") {
			if !r.step(t) {
				continue
			}
			var ok bool
			change := wired(t, r.changes[len(r.changes)-1])
			if follower, ok = follower.Follow(change); !ok || !reflect.DeepEqual(follower, r.clock.State) {
				t.Fatalf("after %+v\n%+v is believed, want\n%+v", change, follower, r.clock.State)
			}
			if change.At < r.now {
				t.Fatalf("%+v takes effect before it was commanded", change)
			}
		}
		if again := wired(t, *r.clock); !reflect.DeepEqual(again.State, r.clock.State) {
			t.Fatalf("a late joiner gets %+v, want %+v", again, *r.clock)
		}
	})
}

// wired returns a value as it comes out of JSON.
func wired[T any](t rapid.TB, v T) T {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var read T
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return read
}

func TestPruningChangesNothingLater(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRandomRoom()
		for range rapid.IntRange(1, 25).Draw(t, "commands") {
			r.step(t)
		}
		whole := r.clock.State
		cut := noon.Add(Span(rapid.Int64Range(0, int64(r.now.Sub(noon)+5*Second)).Draw(t, "cut")))
		rest := whole.Prune(cut)
		for at := cut; at < r.now.Add(20*Second); at = at.Add(371 * Millisecond) {
			if rest.Tempo.Beat(at) != whole.Tempo.Beat(at) || rest.Tempo.Tempo(at) != whole.Tempo.Tempo(at) {
				t.Fatalf("at %d the position is another", at)
			}
		}
		end := r.now.Add(20 * Second)
		if a, b := whole.Beats(cut, end, 1000), rest.Beats(cut, end, 1000); !reflect.DeepEqual(a, b) {
			t.Fatalf("other beats:\n%+v\n%+v", a, b)
		}
		if a, b := whole.Intervals(cut, end), rest.Intervals(cut, end); !reflect.DeepEqual(a, b) {
			t.Fatalf("other intervals:\n%+v\n%+v", a, b)
		}
		if again := rest.Prune(cut); !reflect.DeepEqual(again, rest) {
			t.Fatalf("pruning twice is not pruning once")
		}
	})
}
