//go:build linux

package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/account"
)

// The kit is held to what it is for: on a node that keeps its promises it finds
// nothing, and it finds what is broken by hand.
func TestTheKitNoticesBrokenPromises(t *testing.T) {
	t.Parallel()
	needPostgreSQL(t)
	s := newStage(t, plan{alone: true})
	all := s.invite(3, wish{rows: true, presence: true}, a)
	stop, silence := s.writer.start(t), s.chat(all, 20)
	s.pass(time.Second)
	all[2].session().end()
	s.agree(all, patience)
	stop()
	silence()
	s.close()
	if s.talk.lost != 0 {
		t.Errorf("%d broadcasts were lost on one node", s.talk.lost)
	}
	c := all[0].session()
	acc := s.ledger.Audit(c.hearing())
	if acc.Heard < 20 {
		t.Fatalf("only %d rows were heard", acc.Heard)
	}
	rows := slices.Clone(c.rows)
	middle := len(rows) / 2
	ofMessage := func(came arrival) bool {
		r, _ := s.ledger.Get(came.ID)
		return r.Message
	}
	message := slices.IndexFunc(rows, ofMessage)
	if message < 0 {
		t.Fatal("no message of SQL was heard")
	}
	hidden := s.ledger.Find(func(r account.Row) bool { return r.Owner == stranger && r.Fate == account.Committed })
	for sentence, tt := range map[string]struct {
		rows []arrival
		want string
	}{
		"one is lost":               {slices.Delete(slices.Clone(rows), middle, middle+1), "1 lost"},
		"a message is lost":         {slices.Delete(slices.Clone(rows), message, message+1), "1 lost"},
		"the last is lost":          {rows[:len(rows)-1], "1 lost"},
		"one comes twice":           {append(slices.Clone(rows), rows[middle]), "1 doubled"},
		"one is not for the client": {append(slices.Clone(rows), arrival{ID: hidden, At: time.Now()}), "1 strange"},
		"one does not exist":        {append(slices.Clone(rows), arrival{ID: 1 << 40, At: time.Now()}), "1 strange"},
		"one is late":               {append(slices.Clone(rows[1:]), rows[0]), "1 disordered"},
	} {
		c.note(func() { c.rows = tt.rows })
		acc := s.ledger.Audit(c.hearing())
		if f := acc.Faults(); !strings.Contains(f, tt.want) {
			t.Errorf("%s: the ledger says %q, not %q", sentence, f, tt.want)
		}
	}
	c.note(func() { c.rows = rows })
	if _, what := s.differ(all[:1]); what == "" {
		t.Error("nobody notices presences of guests who are not looked at")
	}
}
