package music

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// playTake has students play a take of 8 beats at 120 bpm: ann on each beat, bob
// 20 ms late and without the last.
func playTake(c *class, teacher, ann, bob *pupil, during func()) {
	teacher.say(Start, `{}`)
	c.Advance(500 * time.Millisecond)
	teacher.say(StartTake, `{"at":"bar","beats":8,"key":"t"}`)
	started := decode[takePayload](c.t, ann.last(TakeStarted))
	for i := range 8 {
		at := started.At.Add(Span(i) * 500 * Millisecond)
		c.Advance(at.Add(100 * Millisecond).wall().Sub(c.Now()))
		ann.say(TakeEvents, fmt.Sprintf(`{"take":%q,"seq":%d,"ev":[[%s,60,90]]}`, started.Take, i, ms(at)))
		if i < 7 {
			bob.say(TakeEvents, fmt.Sprintf(`{"take":%q,"seq":%d,"ev":[[%s,62,90]]}`, started.Take, i, ms(at.Add(20*Millisecond))))
		}
		if i == 3 {
			during()
		}
	}
	ann.say(TakeEvents, fmt.Sprintf(`{"take":%q,"seq":7,"ev":[[%s,60,90]]}`, started.Take, ms(started.At))) // again
	c.Advance(3 * time.Second)
}

func TestTake(t *testing.T) {
	t.Parallel()
	for name, during := range map[string]func(c *class){
		"in peace":                   func(*class) {},
		"while the room crashes":     func(c *class) { c.room.Crash() },
		"while another node goes on": func(c *class) { c.house.server = "second"; c.room.Crash() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClass(t, map[string]any{"lead_ms": 0.0})
			teacher, ann, bob := c.enter("tea", "teacher"), c.enter("ann", "student"), c.enter("bob", "student")
			playTake(c, teacher, ann, bob, func() {
				c.Advance(time.Second / 4)
				during(c)
			})
			stopped := decode[takePayload](t, bob.last(TakeStopped))
			if stopped.Aborted || stopped.End == nil || *stopped.End != stopped.Begin+8*OneBeat {
				t.Errorf("the take ends as %+v", stopped)
			}
			perfect := decode[Score](t, ann.last(TakeScore))
			if perfect.Hit != 8 || perfect.Missed != 0 || *perfect.Mean != 0 || len(perfect.Dots) != 8 {
				t.Errorf("who was on each beat has %+v", perfect)
			}
			table := decode[tablePayload](t, teacher.last(TakeTable))
			if len(table.Scores) != 2 || table.Scores[1].Student != "bob" {
				t.Fatalf("the table is %+v", table)
			}
			if late := table.Scores[1]; late.Hit != 7 || late.Missed != 1 || *late.Mean != 20*Millisecond || late.Dots != nil {
				t.Errorf("who was late has %+v", late)
			}
			if all := ann.all(TakeTable); len(all) > 0 {
				t.Error("students hear how others played")
			}
		})
	}
}

func TestTakeCommands(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher, ann := c.enter("tea", "teacher"), c.enter("ann", "student")
	teacher.say(StopTake, `{}`)
	teacher.refused(NoTake)
	teacher.say(StartTake, `{"feel":"waltz"}`)
	teacher.refused(BadPayload)
	teacher.say(StartTake, `{"key":"a"}`)
	first := decode[answerPayload](t, teacher.last(AnswerEvent)).Take
	teacher.say(StartTake, `{"key":"a"}`)
	if again := decode[answerPayload](t, teacher.last(AnswerEvent)).Take; again != first || len(ann.all(TakeStarted)) != 1 {
		t.Errorf("a take that was asked for twice is %s and %s", first, again)
	}
	teacher.say(StartTake, `{"key":"b"}`)
	teacher.refused(TakeRuns)
	ann.say(TakeEvents, `{"take":"another","seq":0,"ev":[]}`)
	ann.refused(NoTake)
	ann.say(TakeEvents, `{"take":"`+first+`","seq":0,"ev":[[1]]}`)
	ann.refused(BadPayload)
	teacher.say(StopTake, `{"at":"now"}`)
	ann.last(TakeStopped)
	teacher.say(StopTake, `{}`)
	teacher.refused(NoTake)
	teacher.say(StartTake, `{"key":"a"}`) // comes late
	if again := decode[answerPayload](t, teacher.last(AnswerEvent)); again.Take != first || !again.Repeated {
		t.Errorf("when its take is over the command is answered %+v", again)
	}
	teacher.say(StartTake, `{"key":"b"}`) // at once: the first is scored
	teacher.last(TakeTable)
}

func TestTakeOver(t *testing.T) {
	t.Parallel()
	c := newClass(t, map[string]any{"bpm": 96.0})
	teacher, ann := c.enter("tea", "teacher"), c.enter("ann", "student")
	teacher.say(Start, `{"key":"s"}`)
	teacher.say(SetRole, `{"student_id":"ann","role":"assistant"}`)
	teacher.say(Mute, `{"student_id":"ann"}`)
	c.Advance(7 * time.Second)
	before := ann.beats()
	ann.forget()
	c.Advance(1234 * time.Microsecond)

	c.house.server = "another"
	c.room.Crash()
	over := decode[TakeOver](t, ann.last(TakenOver))
	if over.Offset != 0 || over.PhaseError == nil || *over.PhaseError != Millisecond || over.Discontinuity {
		t.Errorf("members are told %+v", over)
	}
	w := decode[welcomePayload](t, ann.last(RoomState))
	if w.State.Epoch != over.State.Epoch || w.You.Role != Assistant || len(w.Muted) != 1 {
		t.Errorf("and then %+v", w)
	}
	c.Advance(5 * time.Second)
	first, last := before[0], ann.beats()
	for _, b := range last {
		want := first.At.Add(Span(b.Beat-first.Beat) * 625 * Millisecond)
		if b.At != want || b.Rev < w.State.Rev {
			t.Fatalf("beat %d is at %d, not at %d; rev %d", b.Beat, b.At, want, b.Rev)
		}
	}
	// What was asked of the lost node is not done twice.
	teacher.say(Start, `{"key":"s"}`)
	if again := decode[answerPayload](t, teacher.last(AnswerEvent)); !again.Repeated {
		t.Errorf("the command that came again is answered %+v", again)
	}
	if got := c.house.stats.takeovers.Load(); got != 1 {
		t.Errorf("%d take-overs were counted", got)
	}
}

func TestTakeOverByAClockThatIsBehind(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher := c.enter("tea", "teacher")
	teacher.say(SetTempo, `{"bpm":90}`)
	kept := string(c.room.Kept())
	// As if the lost node had known a time that is 40 ms ahead of ours.
	latest := ms(clock(c.Now()))
	if !strings.Contains(kept, `"latest":`+latest) {
		t.Fatalf("the latest time is not kept in %s", kept)
	}
	a := &actor{room: nopRoom{t: t}, house: &house{server: "second", stats: &stats{}}, set: &Settings{}, given: map[string]Role{}, parts: map[string]string{}}
	if _, ok := a.restore([]byte(kept), clock(c.Now()).Add(-40*Millisecond)); !ok {
		t.Fatal("what was kept is not restored")
	}
	if a.clock.State.Epoch == "" || a.house.stats.jumps.Load() != 1 || a.house.stats.phase.Load() < int64(40*Millisecond) {
		t.Errorf("40 ms between the clocks go unnoticed: %d", a.house.stats.phase.Load())
	}
	if strings.Contains(kept, a.clock.State.Epoch) {
		t.Error("the clock jumped in the same epoch")
	}
}

func TestRoomThatWasEmpty(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher := c.enter("tea", "teacher")
	teacher.say(SetTempo, `{"bpm":77}`)
	teacher.Leave()
	c.Advance(time.Minute)
	teacher = c.enter("tea", "teacher")
	w := decode[welcomePayload](t, teacher.last(RoomState))
	if got := w.State.Tempo.Tempo(w.Now); got != 77*BPM {
		t.Errorf("who comes back finds %v", got)
	}
	if over := teacher.all(TakenOver); len(over) > 0 {
		t.Errorf("the same server took over from itself: %v", over)
	}
}

func TestWhatWasKeptCannotBeRead(t *testing.T) {
	t.Parallel()
	a := &actor{room: nopRoom{t: t}}
	for _, bad := range []string{` `, `{}`, `{"clock":{"state":{"rev":1}}}`, `[]`} {
		if _, ok := a.restore([]byte(bad), startOf); ok {
			t.Errorf("%q is restored", bad)
		}
	}
}

func TestRoomSaysIntervals(t *testing.T) {
	t.Parallel()
	c := newClass(t, nil)
	teacher, ann := c.enter("tea", "teacher"), c.enter("ann", "student")
	teacher.say(SetInterval, `{"beats":8}`)
	teacher.say(Start, `{"at":"bar"}`)
	c.Advance(30 * time.Second)
	seen := map[int64]Interval{}
	for _, text := range ann.all(IntervalDue) {
		i := decode[Interval](t, text)
		if known, again := seen[i.Number]; again {
			t.Errorf("interval %d is said twice: %+v and %+v", i.Number, known, i)
		}
		if i.Until.Sub(i.At) != 4*Second {
			t.Errorf("interval %d takes %d", i.Number, i.Until.Sub(i.At))
		}
		seen[i.Number] = i
	}
	if len(seen) < 7 {
		t.Errorf("in 30 seconds %d intervals of 4 seconds were said", len(seen))
	}
	ann.forget()
	teacher.say(SetTempo, `{"bpm":60,"at":"now"}`)
	if i := decode[Interval](t, ann.last(IntervalDue)); i.Until.Sub(i.At) <= 4*Second {
		t.Errorf("the interval that runs is not announced again: %+v", i)
	}
}
