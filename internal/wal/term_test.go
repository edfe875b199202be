package wal

import (
	"errors"
	"testing"

	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

func TestALaterTermGoesFirst(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, numbers)
	early, late, anybody := feed(t, dsn), feed(t, dsn), feed(t, dsn)
	early.Term, late.Term = 0xa1, 0xa2
	early.run(t)
	await[Live](t, early)
	anybody.run(t)
	if f := await[Down](t, anybody).Failure; f.Code != ReplicationSlotBeingUsed || errors.Is(f, ErrOutranked) {
		t.Errorf("one without a term is down by %v", f)
	}
	if err := anybody.finish(); !errors.Is(err, errStopped) {
		t.Error(err)
	}
	late.run(t)
	await[Live](t, late)
	// Its connection was ended. It may be quicker to come back than the later is
	// to begin, and is ended once more.
	f := await[Down](t, early).Failure
	for f.Code == DatabaseUnavailable {
		f = await[Down](t, early).Failure
	}
	if f.Code != ReplicationSlotBeingUsed || !errors.Is(f, ErrOutranked) {
		t.Errorf("the earlier is down by %v", f)
	}
	psql(t, conn, "INSERT INTO n VALUES (1)")
	late.expect(t, 1)
	name := value[string](t, conn, "SELECT application_name FROM pg_stat_activity JOIN pg_replication_slots ON pid = active_pid WHERE slot_name = $1", late.Slot)
	if term, found := termOf(name); !found || term != 0xa2 {
		t.Errorf("it shows as %s", name)
	}
}

func TestTermsInNames(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in    string
		term  uint64
		found bool
	}{
		"one of ours":           {appNameOf(1<<64 - 1), 1<<64 - 1, true},
		"one without a term":    {appNameOf(0), 0, false},
		"one that is no number": {appName + "/x", 0, false},
		"another":               {"psql", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if term, found := termOf(tt.in); term != tt.term || found != tt.found {
				t.Errorf("%s is %x, %v", tt.in, term, found)
			}
		})
	}
}

// A feed that is shared tells the server nothing that was not confirmed.
func TestASharedFeedForgetsWhatIsConfirmed(t *testing.T) {
	t.Parallel()
	dsn := postmastertest.Database(t)
	conn := open(t, dsn)
	psql(t, conn, numbers)
	r := feed(t, dsn)
	r.Shared = true
	r.run(t)
	since := await[Live](t, r).Since
	psql(t, conn, "CREATE TABLE other (x int)", "INSERT INTO other SELECT generate_series(1, 1000)", "INSERT INTO n VALUES (1)")
	tx := r.next(t)
	psql(t, conn, "INSERT INTO other SELECT generate_series(1, 1000)")
	until(t, "it has passed that", func() bool { return r.Passed() > tx.EndLSN })
	confirmed := func() uint64 {
		s, _, err := Inspect(t.Context(), r.Config, r.Slot)
		if err != nil {
			t.Fatal(err)
		}
		return s.Confirmed
	}
	until(t, "what was handed over is confirmed", func() bool { return confirmed() >= tx.EndLSN })
	if at := confirmed(); at != tx.EndLSN || at <= since {
		t.Errorf("the slot stands at %s, %s was confirmed", FormatLSN(at), FormatLSN(tx.EndLSN))
	}
	passed := r.Passed()
	r.Confirm(passed)
	until(t, "what was passed is confirmed", func() bool { return confirmed() == passed })
}
