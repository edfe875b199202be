package presence

import (
	"testing"

	"github.com/tutti-realtime/tutti"
)

func TestEntriesOfATopicAreCounted(t *testing.T) {
	t.Parallel()
	r := &Roster{Deliver: func(tutti.Message) {}}
	at := tutti.Topic{Tenant: "acme", Name: "room"}
	r.Track(at, 1, "ann", nil)
	r.Track(at, 2, "ann", nil)
	r.Track(tutti.Topic{Tenant: "other", Name: "room"}, 3, "bob", nil)
	if n := r.Entries(at); n != 2 {
		t.Errorf("%d are there", n)
	}
	r.Untrack(at, 1)
	r.Untrack(at, 2)
	if n := r.Entries(at); n != 0 {
		t.Errorf("%d are left", n)
	}
}
