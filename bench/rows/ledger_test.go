package main

import (
	"slices"
	"testing"
	"time"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		frame string
		want  int
		ok    bool
	}{
		"of a row, behind its columns": {
			`[null,null,"realtime:notes","postgres_changes",{"ids":[7],"data":{"columns":[{"name":"n","type":"int8"}],"record":{"body":"x","n":42}}}]`, 42, true},
		"of a message, as jsonb has it": {`{"n": 5, "text": "a"}`, 5, true},
		"a reply has none":              {`["1","1","realtime:notes","phx_reply",{"status":"ok","response":{}}]`, 0, false},
		"null is none":                  {`{"n":null}`, 0, false},
		"cut off":                       {`{"n":`, 0, false},
		"a longer one than there are":   {`{"n":99999999999999999999999999}`, 9_999_999_999_999, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, ok := number([]byte(tt.frame)); got != tt.want || ok != tt.ok {
				t.Errorf("number = %d, %t", got, ok)
			}
		})
	}
}

// frame is as much of a frame as a ledger looks at.
func frame(n string) []byte { return []byte(`{"n":` + n + `}`) }

func TestALedgerCountsWhatComes(t *testing.T) {
	t.Parallel()
	s := table("test", "even numbers are for seat 0, odd ones for seat 1")
	s.rate, s.length, s.writers, s.warm = 10, time.Second, 2, 2
	s.wants = func(seat, n int) bool { return n%2 == seat }
	l := newLedger(s, 2)
	l.send(0, 9)
	for _, came := range []struct {
		seat int
		n    string
	}{
		{0, "0"}, {0, "0"}, {1, "1"}, // these do not count yet
		{0, "2"}, {0, "6"}, {0, "4"}, // 4 and 6 are of one writer
		{1, "3"}, {1, "3"}, // again
		{1, "8"}, // not theirs
		{0, "10"},
	} {
		if !l.hear(came.seat, frame(came.n), time.Now()) {
			t.Errorf("%s is no change", came.n)
		}
	}
	if l.hear(0, []byte("{}"), time.Now()) {
		t.Error("what has no number is a change")
	}
	if l.warmed != 2 || l.deliveries != 4 || l.duplicates != 1 || l.disordered != 1 || l.strays != 2 {
		t.Errorf("warmed %d, deliveries %d, duplicates %d, disordered %d, strays %d", l.warmed, l.deliveries, l.duplicates, l.disordered, l.strays)
	}
	if all, unsent := l.expected(s.warm, s.total()), l.unsent(s.warm, s.total()); all != 10 || unsent != 2 {
		t.Errorf("expected %d, of which %d are not sent", all, unsent)
	}
	if got := l.lost(2); !slices.Equal(got, []string{"change 5 to client 1", "change 7 to client 1"}) {
		t.Errorf("lost: %q", got)
	}
	if got := l.latency.Spread(); got.Count != 4 || got.Max <= 0 || got.Max > 60_000 {
		t.Errorf("latency = %+v", got)
	}
}

func TestWhatIsNotSentCannotCome(t *testing.T) {
	t.Parallel()
	l := newLedger(table("test", ""), 1)
	l.hear(0, frame("0"), time.Now())
	if l.strays != 1 || l.warmed+l.deliveries != 0 {
		t.Errorf("strays %d, others %d", l.strays, l.warmed+l.deliveries)
	}
}
