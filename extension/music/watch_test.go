package music

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti"
)

func TestAClockThatIsSetHasAnotherName(t *testing.T) {
	t.Parallel()
	w := newWatch("s")
	var wall, steady, set int64
	w.read = func() (int64, int64) { return wall + set, steady }
	w.base.Store(0)
	pass := func(d Span) { wall, steady = wall+int64(d), steady+int64(d) }
	first := w.epoch()
	pass(5 * Minute)
	if set = int64(Millisecond / 2); w.epoch() != first {
		t.Error("half a millisecond is another clock")
	}
	late := w.read
	w.read = func() (int64, int64) { w.read = late; set = 0; return wall + int64(Second), steady }
	if w.epoch() != first {
		t.Error("a thread that had to wait is another clock")
	}
	pass(Second)
	set = int64(40 * Millisecond)
	second := w.epoch()
	if second == first || w.epoch() != second {
		t.Errorf("%q was set and is %q", first, second)
	}
	if set = 0; w.epoch() == second {
		t.Error("what was set back is the same clock")
	}
}

func TestTakeOverByAClockThatWasCompared(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		skew *tutti.Skew
		want Span
		jump bool
	}{
		"not compared: the setting": {want: 7 * Millisecond, jump: true},
		"almost the same":           {skew: &tutti.Skew{Ahead: -200 * time.Microsecond, Bound: 100 * time.Microsecond}, want: 300_000},
		"apart":                     {skew: &tutti.Skew{Ahead: 3 * time.Millisecond, Bound: time.Millisecond}, want: 4 * Millisecond, jump: true},
		"known badly":               {skew: &tutti.Skew{Bound: 2 * time.Millisecond}, want: 2 * Millisecond, jump: true},
		"as far apart as can be":    {skew: &tutti.Skew{Ahead: -1 << 63, Bound: -1}, want: 3_600_000 * Millisecond, jump: true},
	} {
		c := newClass(t, map[string]any{"clock_error_ms": 7.0})
		teacher := c.enter("tea", "teacher")
		teacher.say(Start, `{}`)
		c.Advance(3 * time.Second)
		before := decode[welcomePayload](t, ask(teacher)).State
		if tt.skew != nil {
			c.room.Skew(*tt.skew)
		}
		c.house.server = "another"
		c.room.Crash()
		over := decode[TakeOver](t, teacher.last(TakenOver))
		if over.Offset != 0 || over.PhaseError == nil || *over.PhaseError != tt.want || over.Discontinuity != tt.jump {
			t.Errorf("%s: %+v", name, over)
		}
		if same := over.State.Epoch == before.Epoch; same == tt.jump {
			t.Errorf("%s: the epoch is the same: %v", name, same)
		}
		if at := over.State.Tempo.Phase(before.Tempo, over.Now); at != 0 {
			t.Errorf("%s: beats are elsewhere by %d", name, at)
		}
	}
}

// ask returns the state of the room.
func ask(p *pupil) string {
	p.say(GetState, `{}`)
	return p.last(RoomState)
}

func TestPongNamesItsClock(t *testing.T) {
	t.Parallel()
	h, other := newHouse(), newHouse()
	pong := func(h *house) (p struct {
		Epoch  string
		S1, S2 float64
	}) {
		_, text, _ := h.pong(&tutti.Event{Name: ClockPing, Payload: []byte(`{"id":1,"c0":2}`)}, time.Now())
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return p
	}
	a, b := pong(h), pong(other)
	if a.Epoch == "" || a.Epoch != pong(h).Epoch || a.Epoch == b.Epoch || a.S2 < a.S1 {
		t.Errorf("one clock says %+v, another %+v", a, b)
	}
}
