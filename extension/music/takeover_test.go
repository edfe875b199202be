package music

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestTheTimelineSurvivesItsOwner(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRandomRoom()
		for range rapid.IntRange(1, 15).Draw(t, "commands") {
			r.step(t)
		}
		// The new owner's clock shows `truth` more, and parts by up to 100 ppm. It
		// asked once, over a road that is slower in one direction.
		truth := Span(rapid.Int64Range(-int64(Minute), int64(Minute)).Draw(t, "offset"))
		there := Span(rapid.Int64Range(0, int64(3*Millisecond)).Draw(t, "there"))
		back := Span(rapid.Int64Range(0, int64(3*Millisecond)).Draw(t, "back"))
		age := Span(rapid.Int64Range(0, int64(20*Second)).Draw(t, "age"))
		drift := Span(rapid.Int64Range(-100, 100).Draw(t, "ppm")) * age / 1_000_000
		asked := r.now.Add(truth)
		bridge := Compare(asked, asked.Add(there-truth), asked.Add(there+back))
		now := bridge.Measured.Add(age)

		took := wired(t, bridge.Take(r.clock.State, "k2", now))
		truly := r.clock.State.Tempo.shift(truth + drift)
		phase := truly.Phase(took.State.Tempo, now)
		if jump := max(phase, -phase); jump > *took.PhaseError+16 {
			t.Fatalf("beats jump by %d ns, and %d was promised", jump, *took.PhaseError)
		} else if jump > Millisecond+16 && !took.Discontinuity {
			t.Fatalf("a jump of %d ns is not flagged", jump)
		}
		if want := there+back+2*age*maxDrift/1_000_000 > 2*Millisecond; took.Discontinuity != want && *took.PhaseError != Millisecond {
			t.Fatalf("with an error of %d discontinuity is %v", *took.PhaseError, took.Discontinuity)
		}
		if newEpoch := took.State.Epoch != "k1"; newEpoch != took.Discontinuity {
			t.Fatalf("epoch %s, discontinuity %v", took.State.Epoch, took.Discontinuity)
		}
		if !took.State.Tempo.ordered() || took.State.Rev != r.clock.State.Rev+1 {
			t.Fatalf("took %+v", took.State)
		}
		// All but the times is the same, and these by exactly the offset.
		back2 := took.State
		back2.Tempo, back2.Rev, back2.Epoch = back2.Tempo.shift(-took.Offset), r.clock.State.Rev, "k1"
		if !reflect.DeepEqual(back2, r.clock.State) {
			t.Fatalf("took %+v of %+v", took.State, r.clock.State)
		}
	})
}

func TestAnUnknownClockIsADiscontinuity(t *testing.T) {
	t.Parallel()
	took := Bridge{}.Take(newClock().State, "k2", seconds(5))
	if !took.Discontinuity || took.PhaseError != nil || took.Offset != 0 || took.State.Epoch != "k2" {
		t.Errorf("took %+v", took)
	}
	if text, _ := json.Marshal(took); !reflect.DeepEqual(wired(t, took), took) {
		t.Errorf("sent %s", text)
	}
}

func TestANewOwnerRemembersWhatWasAnswered(t *testing.T) {
	t.Parallel()
	c := newClock()
	start := parse(t, Start, `{"key":"a"}`)
	first, _ := c.Do(start, "anna", seconds(0.1))
	owner, _ := c.Take(Bridge{Offset: Second, Known: true, Measured: seconds(2)}, "k2", seconds(2))
	again, change := owner.Do(start, "anna", seconds(2))
	if change != nil || !again.Repeated || *again.At != first.At.Add(Second) {
		t.Errorf("the new owner answered %+v", again)
	}
	if old, _ := c.Do(start, "anna", seconds(2)); *old.At != *first.At {
		t.Errorf("the old clock was altered: %+v", old)
	}
}
