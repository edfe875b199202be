package limit

import "testing"

// TestWhatIsRepeatedIsKnown tells a node about two tenants, and then something
// else.
func TestWhatIsRepeatedIsKnown(t *testing.T) {
	one := func(name string, users uint32) record { return record{[]byte(name), share{users: users}} }
	part := func(flags byte, n uint64) head { return head{flags: flags | flagRound, epoch: 5, round: 2, part: n} }
	message := func(h head, records ...record) []byte {
		// The writer marks the last part of a round; here some are not.
		m := written(head{epoch: h.epoch, flags: flagAsk, round: h.round, part: h.part}, records...)[0]
		m[2] = h.flags
		return m
	}
	for name, tt := range map[string]struct {
		then         [][]byte
		first, other int
	}{
		"news of one tenant leave the other": {
			[][]byte{message(head{epoch: 5}, one("first", 7))}, 7, 2,
		},
		"a tenant that is only named is gone": {
			[][]byte{message(head{epoch: 5}, one("first", 0))}, 0, 2,
		},
		"what a round does not repeat is gone": {
			[][]byte{message(part(flagLast, 0), one("first", 3))}, 3, 0,
		},
		"all parts of a round count": {
			[][]byte{message(part(0, 0), one("first", 3)), message(part(flagLast, 1), one("other", 4))}, 3, 4,
		},
		"news between the parts of a round count": {
			[][]byte{message(part(0, 0), one("first", 3)), message(head{epoch: 5}, one("other", 9)), message(part(flagLast, 1))}, 3, 9,
		},
		"a round whose first part is lost makes nothing gone": {
			[][]byte{message(part(flagLast, 1), one("first", 3))}, 3, 2,
		},
		"a round whose second part is lost makes nothing gone": {
			[][]byte{message(part(0, 0), one("first", 3)), message(part(flagLast, 2))}, 3, 2,
		},
		"a round of which the end is lost makes nothing gone": {
			[][]byte{message(part(0, 0), one("first", 3))}, 3, 2,
		},
		"a new life begins with nothing": {
			[][]byte{message(head{epoch: 6}, one("first", 8))}, 8, 0,
		},
		"a former life is not heard": {
			[][]byte{message(head{epoch: 4}, one("first", 8))}, 1, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &Meters{Tell: tellNobody}
			first, other := m.Of("first"), m.Of("other")
			begin := message(head{epoch: 5, round: 1}, one("first", 1), one("other", 2))
			for _, message := range append([][]byte{begin}, tt.then...) {
				if err := m.Receive("b", message); err != nil {
					t.Fatal(err)
				}
			}
			if first.ClusterUsers() != tt.first || other.ClusterUsers() != tt.other {
				t.Errorf("%d and %d users, want %d and %d", first.ClusterUsers(), other.ClusterUsers(), tt.first, tt.other)
			}
			m.Left("b")
			if first.ClusterUsers() != 0 || other.ClusterUsers() != 0 {
				t.Errorf("%d and %d users of a node that left", first.ClusterUsers(), other.ClusterUsers())
			}
		})
	}
}
