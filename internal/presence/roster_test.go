package presence

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"

	"github.com/tutti-realtime/tutti"
)

var room = tutti.Topic{Tenant: "acme", Name: "room"}

// recorder returns a Roster and the diffs that it delivers, refs written as
// ref1, ref2, … in the order in which they appear.
func recorder() (*Roster, func() []string) {
	var sent []tutti.Message
	refs := make(map[string]string)
	r := &Roster{Deliver: func(m tutti.Message) { sent = append(sent, m) }}
	return r, func() (diffs []string) {
		for _, m := range sent {
			diffs = append(diffs, tame(refs, m.Payload))
		}
		sent = nil
		return diffs
	}
}

var refPattern = regexp.MustCompile(`("phx_ref(?:_prev)?":)"([A-Za-z0-9_-]{16})"`)

// tame gives each ref of a payload a name that does not change from run to run.
func tame(names map[string]string, payload []byte) string {
	return string(refPattern.ReplaceAllFunc(payload, func(found []byte) []byte {
		parts := refPattern.FindSubmatch(found)
		ref := string(parts[2])
		if names[ref] == "" {
			names[ref] = fmt.Sprint("ref", len(names)+1)
		}
		return append(parts[1], names[ref]...)
	}))
}

func wantDiffs(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("diffs = %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("diff %d = %s\nwant     %s", i, got[i], want[i])
		}
	}
}

func TestTheLifeOfAPresence(t *testing.T) {
	r, diffs := recorder()
	ann := []byte(`{"name":"Ann"}`)
	if string(r.State(room)) != `{}` {
		t.Errorf("the state of an empty topic is %s", r.State(room))
	}
	if r.Untrack(room, 1) {
		t.Error("untrack has changed something before any track")
	}
	if !r.Track(room, 1, "ann", ann) {
		t.Error("the first track has changed nothing")
	}
	wantDiffs(t, diffs(), `{"joins":{"ann":{"metas":[{"phx_ref":ref1,"name":"Ann"}]}},"leaves":{}}`)

	if r.Track(room, 1, "ann", ann) {
		t.Error("the same payload has changed something")
	}
	ann[9] = 'U' // the payload is not kept
	if !r.Track(room, 1, "ann", ann) {
		t.Error("another payload has changed nothing")
	}
	wantDiffs(t, diffs(), `{"joins":{"ann":{"metas":[{"phx_ref":ref2,"phx_ref_prev":ref1,"name":"Unn"}]}},`+
		`"leaves":{"ann":{"metas":[{"phx_ref":ref1,"name":"Ann"}]}}}`)
	if r.Track(room, 1, "ann", ann) {
		t.Error("the payload of an update has changed something when it came again")
	}

	if !r.Untrack(room, 1) || r.Untrack(room, 1) {
		t.Error("untrack works once")
	}
	wantDiffs(t, diffs(), `{"joins":{},"leaves":{"ann":{"metas":[{"phx_ref":ref2,"phx_ref_prev":ref1,"name":"Unn"}]}}}`)

	if !r.Track(room, 1, "ann", ann) {
		t.Error("the payload of before the untrack has changed nothing")
	}
	wantDiffs(t, diffs(), `{"joins":{"ann":{"metas":[{"phx_ref":ref3,"name":"Unn"}]}},"leaves":{}}`)
}

func TestMessagesAreDiffsForEverybody(t *testing.T) {
	var got tutti.Message
	r := &Roster{Deliver: func(m tutti.Message) { got = m }}
	r.Track(room, 7, "ann", nil)
	if got.Topic != room || got.Form != tutti.Object || got.Event != "presence_diff" || got.Sender != 0 || got.Meta != nil {
		t.Errorf("message = %+v", got)
	}
	if !json.Valid(got.Payload) {
		t.Errorf("payload = %s", got.Payload)
	}
}

func TestAKeyIsSharedByChannelsAndTopicsAreApart(t *testing.T) {
	r, _ := recorder()
	private := room
	private.Private = true
	r.Track(room, 1, "ann", []byte(`{"n":1}`))
	r.Track(room, 2, "bob", []byte(`{"n":2}`))
	r.Track(room, 3, "ann", []byte(`{"n":3}`))
	r.Track(private, 1, "ann", []byte(`{"n":4}`))
	r.Track(room, 1, "ann", []byte(`{"n":5}`))
	got := tame(make(map[string]string), r.State(room))
	want := `{"ann":{"metas":[{"phx_ref":ref1,"phx_ref_prev":ref2,"n":5},{"phx_ref":ref3,"n":3}]},` +
		`"bob":{"metas":[{"phx_ref":ref4,"n":2}]}}`
	if got != want {
		t.Errorf("state = %s\nwant    %s", got, want)
	}
	if topics, entries := r.Count(); topics != 2 || entries != 4 {
		t.Errorf("count = %d topics, %d entries", topics, entries)
	}
}

func TestAChannelThatComesWithAnotherKeyLeavesItsOld(t *testing.T) {
	r, diffs := recorder()
	r.Track(room, 1, "ann", nil)
	r.Track(room, 1, "bob", nil)
	wantDiffs(t, diffs()[1:], `{"joins":{"bob":{"metas":[{"phx_ref":ref2,"phx_ref_prev":ref1}]}},`+
		`"leaves":{"ann":{"metas":[{"phx_ref":ref1}]}}}`)
}

func TestBrokenKeysThatLookAlikeAreOneKey(t *testing.T) {
	r, _ := recorder()
	r.Track(room, 1, "a\xff", nil)
	r.Track(room, 2, "a\xfe", nil)
	got := tame(make(map[string]string), r.State(room))
	if want := `{"a` + "\uFFFD" + `":{"metas":[{"phx_ref":ref1},{"phx_ref":ref2}]}}`; got != want {
		t.Errorf("state = %s", got)
	}
}

func TestEmptyTopicsAreForgottenAndBeginANewEpoch(t *testing.T) {
	r, _ := recorder()
	r.Epoch = 100
	var stamps []Stamp
	for range 3 {
		for name := range 10 {
			topic := tutti.Topic{Tenant: "acme", Name: fmt.Sprint(name)}
			r.Track(topic, 1, "ann", nil)
		}
		stamps = append(stamps, r.shard(room).stampOf(r, room))
		for name := range 10 {
			topic := tutti.Topic{Tenant: "acme", Name: fmt.Sprint(name)}
			r.Untrack(topic, 1)
		}
		if topics, entries := r.Count(); topics != 0 || entries != 0 {
			t.Fatalf("%d topics and %d entries are left", topics, entries)
		}
	}
	for i, s := range stamps {
		if s.Epoch <= 100 || i > 0 && !stamps[i-1].before(s) {
			t.Errorf("the epochs do not grow: %v", stamps)
		}
	}
}

// stampOf tracks and untracks once, and returns the stamp of the topic between.
func (s *shard) stampOf(r *Roster, t tutti.Topic) Stamp {
	r.Track(t, 1, "ann", nil)
	defer r.Untrack(t, 1)
	return s.topics[t].own.stamp
}

func BenchmarkTrackAndUntrack(b *testing.B) {
	for _, size := range []int{20, 1000} {
		b.Run(fmt.Sprintf("in a topic of %d", size), func(b *testing.B) {
			r := populated(size)
			payload := []byte(`{"name":"Ann","online_at":"2026-01-01T00:00:00.000Z"}`)
			b.ReportAllocs()
			for b.Loop() {
				r.Track(room, 1_000_000, "ann", payload)
				r.Untrack(room, 1_000_000)
			}
		})
	}
}

func BenchmarkState(b *testing.B) {
	for _, size := range []int{20, 1000} {
		b.Run(fmt.Sprintf("of a topic of %d", size), func(b *testing.B) {
			r := populated(size)
			b.ReportAllocs()
			for b.Loop() {
				r.State(room)
			}
		})
	}
}

func populated(size int) *Roster {
	r := &Roster{Deliver: func(tutti.Message) {}}
	for i := range size {
		r.Track(room, uint64(i), fmt.Sprint("user-", i), []byte(`{"name":"Bob","online_at":"2026-01-01T00:00:00.000Z"}`))
	}
	return r
}
