package account_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tutti-realtime/tutti/internal/account"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// written returns 10 committed rows, 100 ms apart, of which row 5 is somebody
// else's and row 8 was rolled back.
func written() *account.Rows {
	l := &account.Rows{}
	for i := range 10 {
		owner, fate := "", account.Committed
		switch i {
		case 4:
			owner = "somebody else"
		case 7:
			fate = account.Failed
		}
		id := l.Add([]string{owner}, false)
		l.Mark(id, 1, func(r *account.Row) { r.Begun, r.Done, r.Fate = at(100*i), at(100*i+10), fate })
	}
	return l
}

func heard(ids ...int64) (all []account.Arrival) {
	for _, id := range ids {
		all = append(all, account.Arrival{ID: id, At: at(100 * int(id))})
	}
	return all
}

// A checker that never says no is worth nothing.
func TestRowsNoticeBrokenPromises(t *testing.T) {
	t.Parallel()
	right := []int64{1, 2, 3, 4, 6, 7, 9, 10}
	for sentence, tt := range map[string]struct {
		ids   []int64
		ended time.Time
		want  string
	}{
		"all is right":                        {ids: right},
		"one is dropped":                      {ids: []int64{1, 2, 3, 6, 7, 9, 10}, want: "1 lost ([4])"},
		"the last is dropped":                 {ids: right[:7], want: "1 lost ([10])"},
		"one is doubled":                      {ids: append(slices.Clone(right), 3), want: "1 doubled ([3])"},
		"one is another's":                    {ids: []int64{1, 2, 3, 4, 5, 6, 7, 9, 10}, want: "1 strange ([5])"},
		"one was never committed":             {ids: []int64{1, 2, 3, 4, 6, 7, 8, 9, 10}, want: "1 strange ([8])"},
		"one was never written":               {ids: append(slices.Clone(right), 99), want: "1 strange ([99])"},
		"one overtakes":                       {ids: []int64{2, 1, 3, 4, 6, 7, 9, 10}, want: "1 disordered ([1])"},
		"who has left need not hear the rest": {ids: right[:4], ended: at(450)},
		"but all before what he heard last":   {ids: []int64{1, 2, 4}, ended: at(450), want: "1 lost ([3])"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := written().Audit(account.Hearing{Subscribed: at(-1), Ended: tt.ended, Rows: heard(tt.ids...)})
			if got := b.Faults(); got != tt.want {
				t.Errorf("it says %q, not %q", got, tt.want)
			}
		})
	}
}

func TestWordsNoticeBrokenPromises(t *testing.T) {
	t.Parallel()
	for sentence, tt := range map[string]struct {
		ids     []int64
		trouble []int // nodes that are in trouble all the time
		want    string
		missed  int
	}{
		"all is right":                          {ids: []int64{1, 2, 3, 4}},
		"one is dropped":                        {ids: []int64{1, 2, 4}, want: "1 lost ([3])"},
		"one is dropped after an answer":        {ids: []int64{1, 3, 4}, want: "1 lost ([2]), 1 acknowledged and lost ([2])"},
		"one is doubled":                        {ids: []int64{1, 2, 2, 3, 4}, want: "1 doubled ([2])"},
		"one is another tenant's":               {ids: []int64{1, 2, 3, 4, 5}, want: "1 strange ([5])"},
		"one is nobody's":                       {ids: []int64{1, 2, 3, 4, 77}, want: "1 strange ([77])"},
		"one is dropped by a node in trouble":   {ids: []int64{1, 2, 4}, trouble: []int{1}, missed: 1},
		"trouble of a third node is no excuse":  {ids: []int64{1, 2, 4}, trouble: []int{2}, want: "1 lost ([3])"},
		"trouble is no excuse for what doubles": {ids: []int64{1, 2, 2, 3, 4}, trouble: []int{0, 1, 2}, want: "1 doubled ([2])"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w, troubles := &account.Words{Margin: time.Second}, &account.Troubles{}
			speaker, listener := w.Enter(), w.Enter()
			for i := range 4 {
				w.Say(account.Word{Connection: speaker, Room: "ours/room", Node: 0, At: at(2000 + i), Acked: i == 1})
			}
			w.Say(account.Word{Connection: speaker, Room: "theirs/room", Node: 0, At: at(2000)})
			if tt.trouble != nil {
				troubles.Begin("test", at(0), tt.trouble...)
			}
			b := w.Audit(account.Attendance{Connection: listener, Room: "ours/room", Node: 1, Joined: at(0), Words: heard(tt.ids...)}, troubles)
			if got := b.Faults(); got != tt.want || b.Missed != tt.missed {
				t.Errorf("it says %q and %d missed, not %q and %d", got, b.Missed, tt.want, tt.missed)
			}
		})
	}
}

// Who comes or goes while a word is on its way may hear it or not.
func TestWordsAtTheDoorAreNotDue(t *testing.T) {
	t.Parallel()
	w := &account.Words{Margin: time.Second}
	speaker, listener := w.Enter(), w.Enter()
	w.Say(account.Word{Connection: speaker, Room: "r", At: at(500)})
	w.Say(account.Word{Connection: speaker, Room: "r", At: at(4500)})
	b := w.Audit(account.Attendance{Connection: listener, Room: "r", Joined: at(0), Ended: at(5000)}, &account.Troubles{})
	if b.Faults() != "" || b.Due != 0 {
		t.Errorf("due are %d, and it says %q", b.Due, b.Faults())
	}
	w.Say(account.Word{Connection: speaker, Room: "r", At: at(2500)})
	w.Leave(speaker, at(2600))
	if b := w.Audit(account.Attendance{Connection: listener, Room: "r", Joined: at(0)}, &account.Troubles{}); b.Due != 0 {
		t.Errorf("%d words of one who was hung up on are due", b.Due)
	}
}

func TestTroublesEnd(t *testing.T) {
	t.Parallel()
	troubles := &account.Troubles{}
	end := troubles.Begin("cut", at(1000), 1)
	if troubles.Calm(at(5000), at(5001)) {
		t.Error("a trouble that lasts is over")
	}
	end(at(2000))
	for sentence, tt := range map[string]struct {
		at   int
		node []int
		want bool
	}{
		"before":               {at: 500, want: true},
		"in it":                {at: 1500, want: false},
		"another node":         {at: 1500, node: []int{0, 2}, want: true},
		"one of two nodes":     {at: 1500, node: []int{0, 1}, want: false},
		"a moment after":       {at: 2050, want: true},
		"after":                {at: 2500, want: true},
		"shortly before":       {at: 950, want: false},
		"before, another node": {at: 950, node: []int{0}, want: true},
	} {
		if got := troubles.Calm(at(tt.at), at(tt.at+100), tt.node...); got != tt.want {
			t.Errorf("%s: calm is %t", sentence, got)
		}
	}
}
