package feed

import (
	"testing"

	"github.com/tutti-realtime/tutti/internal/wal"
)

func TestTheConditionOfAFeed(t *testing.T) {
	t.Parallel()
	r := &reader{}
	f := &Feeds{readers: map[string]*reader{"acme": r}}
	expect := func(when string, want Condition) {
		t.Helper()
		if got, here := f.Condition("acme"); !here || got != want {
			t.Errorf("%s: %+v %v, want %+v", when, got, here, want)
		}
	}
	expect("at first", Condition{State: StateConnecting})
	r.remember(wal.Down{Failure: &wal.Failure{Code: wal.DatabaseNotFound, Cause: "no such database", Cure: "check db_name"}})
	expect("without a database", Condition{State: StateDown, Code: wal.DatabaseNotFound, Cause: "no such database; check db_name"})
	r.remember(wal.Connecting{})
	expect("while it tries again", Condition{State: StateDown, Code: wal.DatabaseNotFound, Cause: "no such database; check db_name"})
	r.remember(wal.Live{})
	r.live.Store(true)
	expect("when it is live", Condition{State: StateLive})
	if _, here := f.Condition("nobody"); here {
		t.Error("somebody unknown has a feed")
	}
}
