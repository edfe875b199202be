package limit

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// written returns the messages that records make.
func written(h head, records ...record) (messages [][]byte) {
	w := &writer{head: h, send: func(m []byte) { messages = append(messages, m) }}
	for _, r := range records {
		w.add(string(r.tenantID), r.share)
	}
	w.end()
	return messages
}

func readAll(t fataler, message []byte) (head, []record) {
	h, rest, err := decode(message)
	if err != nil {
		t.Fatalf("%v in %x", err, message)
	}
	var records []record
	for len(rest) > 0 {
		var r record
		if r, rest, err = next(rest); err != nil {
			t.Fatalf("%v in a record that decode has read", err)
		}
		records = append(records, r)
	}
	return h, records
}

type fataler interface{ Fatalf(string, ...any) }

func TestTheBytesOfAMessage(t *testing.T) {
	for name, tt := range map[string]struct {
		head    head
		records []record
		want    string
	}{
		"a tenant with users and events, and one that is gone": {
			head{epoch: 300, round: 5},
			[]record{
				{[]byte("acme"), share{users: 200, rates: [kinds]uint32{1024}}},
				{[]byte("bolt"), share{}},
			},
			"10" + "05" + "00" + "ac02" + "05" + "00" +
				"09" + "04" + "61636d65" + "c801" + "8008" +
				"05" + "04" + "626f6c74",
		},
		"a rate is told behind zeros": {
			head{epoch: 1},
			[]record{{[]byte("a"), share{rates: [kinds]uint32{4: 1}}}},
			"10" + "04" + "00" + "01" + "00" + "00" + "08" + "01" + "61" + "000000000001",
		},
		"a round without tenants": {head{flags: flagRound, epoch: 1, round: 2}, nil, "10" + "04" + "03" + "01" + "02" + "00"},
		"a question":              {head{flags: flagAsk, epoch: 1, round: 2}, nil, "10" + "04" + "04" + "01" + "02" + "00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages := written(tt.head, tt.records...)
			if len(messages) != 1 || hex.EncodeToString(messages[0]) != tt.want {
				t.Errorf("%x, want %s", messages, tt.want)
			}
		})
	}
	if len(written(head{epoch: 1})) != 0 {
		t.Error("no news made a message")
	}
}

func TestAMessageIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := head{epoch: rapid.Uint64().Draw(t, "epoch"), round: rapid.Uint64().Draw(t, "round")}
		want := rapid.SliceOf(rapid.Custom(func(t *rapid.T) record {
			r := record{tenantID: []byte(rapid.StringN(1, 60, maxID).Draw(t, "tenant"))}
			r.share.users = rapid.Uint32().Draw(t, "users")
			for i := range r.share.rates {
				r.share.rates[i] = rapid.Uint32().Draw(t, "rate")
			}
			return r
		})).Draw(t, "records")
		for _, message := range written(h, want...) {
			gotHead, got := readAll(t, message)
			if gotHead != h || !slices.EqualFunc(got, want, sameRecord) {
				t.Fatalf("%v %v, want %v %v", gotHead, got, h, want)
			}
		}
	})
}

func sameRecord(x, y record) bool {
	return string(x.tenantID) == string(y.tenantID) && x.share == y.share
}

func TestManyRecordsAreSeveralMessages(t *testing.T) {
	most := share{math.MaxUint32, [kinds]uint32{math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxUint32}}
	var records []record
	for i := range 2500 {
		records = append(records, record{[]byte(fmt.Sprintf("%0*d", maxID, i)), most})
	}
	messages := written(head{flags: flagRound, round: 7}, records...)
	var got []record
	for i, message := range messages {
		if len(message) > maxMessage {
			t.Errorf("a message of %d bytes", len(message))
		}
		h, some := readAll(t, message)
		if h.part != uint64(i) || h.is(flagLast) != (i == len(messages)-1) || h.round != 7 {
			t.Errorf("message %d of %d has head %+v", i, len(messages), h)
		}
		got = append(got, some...)
	}
	if len(messages) < 3 || !slices.EqualFunc(got, records, sameRecord) {
		t.Errorf("%d records came in %d messages, want %d", len(got), len(messages), len(records))
	}
}

// TestAnOlderReleaseUnderstandsANewerOne adds to each part of a message what
// this release does not know, and takes away what an older one did not.
func TestAnOlderReleaseUnderstandsANewerOne(t *testing.T) {
	for name, message := range map[string]string{
		"as it is":                     "10" + "04" + "00010203" + "05" + "01" + "61" + "070809",
		"another minor version":        "1f" + "04" + "00010203" + "05" + "01" + "61" + "070809",
		"more in the head":             "10" + "07" + "00010203" + "ffffff" + "05" + "01" + "61" + "070809",
		"unknown flags":                "10" + "04" + "f0010203" + "05" + "01" + "61" + "070809",
		"more numbers in the record":   "10" + "04" + "00010203" + "0a" + "01" + "61" + "070809000000" + "0102",
		"other things in the record":   "10" + "04" + "00010203" + "0b" + "01" + "61" + "070809000000" + "ffffff",
		"fewer numbers, others behind": "10" + "04" + "00010203" + "05" + "01" + "61" + "070809" + "02" + "01" + "62",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, _ := hex.DecodeString(message)
			h, records := readAll(t, raw)
			want := share{users: 7, rates: [kinds]uint32{8, 9}}
			if h.epoch != 1 || h.round != 2 || h.part != 3 || string(records[0].tenantID) != "a" || records[0].share != want {
				t.Errorf("%+v %+v", h, records)
			}
		})
	}
}

func TestWhatIsNoMessageChangesNothing(t *testing.T) {
	good := "10" + "04" + "00010203" + "03" + "01" + "61" + "07"
	for name, tt := range map[string]struct {
		message string
		want    error
	}{
		"nothing":                           {"", errShort},
		"another major version":             {"2004000102", errVersion},
		"a version and no more":             {"10", errShort},
		"a head that is cut":                {"100400", errShort},
		"a head without flags":              {"1000", errShort},
		"a head with too few numbers":       {"1002" + "0001", errShort},
		"a number of too many bits":         {"100d" + "00" + "ffffffffffffffffffffff01", errNumber},
		"a record longer than the message":  {good + "0901", errShort},
		"a record without a tenant":         {good + "00", errShort},
		"a tenant without a name":           {good + "0100", errName},
		"a name longer than its record":     {good + "020561", errShort},
		"a name longer than there is":       {good + hex.EncodeToString(tooLong()), errName},
		"a number that ends with a record":  {good + "03" + "01" + "61" + "80", errShort},
		"a number of a record of many bits": {good + "0d" + "01" + "61" + "ffffffffffffffffffff01", errNumber},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := hex.DecodeString(tt.message)
			if err != nil {
				t.Fatal(err)
			}
			m := &Meters{Tell: func(string, []byte) error { return nil }}
			if err := m.Receive("b", raw); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if n := m.Of("a").ClusterUsers(); n != 0 {
				t.Errorf("%d users", n)
			}
		})
	}
}

func tooLong() []byte {
	name := append(binary.AppendUvarint(nil, maxID+1), strings.Repeat("x", maxID+1)...)
	return append(binary.AppendUvarint(nil, uint64(len(name))), name...)
}

func TestRatesAreToldInFractions(t *testing.T) {
	for average, want := range map[float64]uint32{
		0: 0, 1: 1024, 0.5: 512, 100: 102400, 1.0 / 60: 17, -1: 0,
		1e300: math.MaxUint32, math.Inf(1): math.MaxUint32,
	} {
		if got := rate(average); got != want {
			t.Errorf("%v is told as %d, want %d", average, got, want)
		}
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(written(head{flags: flagRound, epoch: 3, round: 1}, record{[]byte("acme"), share{users: 3}}, record{[]byte("bolt"), share{}})[0])
	f.Add(written(head{flags: flagAsk, epoch: 3})[0])
	f.Add(tooLong())
	f.Fuzz(func(t *testing.T, message []byte) {
		m := &Meters{Tell: func(string, []byte) error { return nil }}
		acme := m.Of("acme")
		if m.Receive("b", message) != nil {
			if m.exchange.peers["b"] != nil {
				t.Fatal("a message that is none was taken in")
			}
			return
		}
		if err := m.Receive("c", message); err != nil {
			t.Fatal(err)
		}
		_, records := readAll(t, message)
		last := uint32(0)
		for _, r := range records {
			if string(r.tenantID) == "acme" {
				last = r.share.users
			}
		}
		if got := acme.ClusterUsers(); got != 2*int(last) {
			t.Fatalf("%d users, want twice %d", got, last)
		}
		m.Left("b")
		m.Left("c")
		if len(m.exchange.accounts) != 1 || acme.ClusterUsers() != 0 || acme.Events.Average() != 0 {
			t.Fatalf("%d accounts and %d users are left", len(m.exchange.accounts), acme.ClusterUsers())
		}
	})
}
