package cluster

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

var goldens = map[string]parcel{
	"message": {kind: kindMessage, message: tutti.Message{
		Topic: tutti.Topic{Tenant: "acme", Name: "room\x00\xff", Private: true}, Form: tutti.Binary,
		Event: "note", Payload: []byte{1, 2, 3}, Meta: []byte(`{"id":"1"}`),
	}},
	"note":   {kind: kindNote, message: tutti.Message{Topic: tutti.Topic{Tenant: "acme"}, Event: "presence", Payload: []byte("{}")}},
	"tell":   {kind: kindTell, to: "b", message: tutti.Message{Event: "kick"}},
	"answer": {kind: kindAnswer, to: "b", message: tutti.Message{Meta: []byte{200, 1, 0}, Payload: []byte("7")}},
	"beat":   {kind: kindBeat, message: tutti.Message{Payload: appendBytes(appendNumbers(nil, 7, 1), `{"region":"eu"}`)}},
	"ask": {kind: kindLease, message: tutti.Message{Payload: encodeLease(&leaseMessage{
		op: opAsk, name: "wal/acme", term: 1 << 40, view: []uint64{1, 1 << 63},
	})}},
	"claim": {kind: kindLease, message: tutti.Message{Payload: encodeLease(&leaseMessage{
		op: opClaim, chunk: 3, claims: []claim{{"wal/acme", 5}, {"room", 6}},
	})}},
}

// golden returns the bytes of a golden file, which is hexadecimal.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEnvelopesAreWhatTheyWere(t *testing.T) {
	t.Parallel()
	for name, p := range goldens {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := appendParcel([]byte("before"), "node1", 1<<60+5, 300, &p)[len("before"):]
			if *rewrite {
				if err := os.WriteFile(filepath.Join("testdata", name+".hex"), []byte(hex.EncodeToString(got)+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want := golden(t, name)
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%x, want\n%x", got, want)
			}
			e, err := decodeEnvelope(want)
			if err != nil {
				t.Fatal(err)
			}
			back := parcel{kind: e.kind, to: p.to, message: tutti.Message{
				Topic: tutti.Topic{Tenant: string(e.tenant), Name: string(e.topic), Private: e.private, Bare: e.bare},
				Form:  e.form, Event: string(e.event), Payload: e.payload, Meta: e.meta,
			}}
			if !bytes.Equal(appendParcel(nil, string(e.node), e.epoch, e.seq, &back), want) {
				t.Errorf("read as %+v", e)
			}
		})
	}
}

func TestEveryLengthIsChecked(t *testing.T) {
	t.Parallel()
	for name := range goldens {
		data := golden(t, name)
		for n := range data {
			if _, err := decodeEnvelope(data[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are an envelope", name, n, len(data))
			}
		}
		if _, err := decodeEnvelope(append(bytes.Clone(data), 0)); err == nil {
			t.Errorf("%s: a byte too many is none too many", name)
		}
		e, _ := decodeEnvelope(data)
		if e.kind != kindLease {
			continue
		}
		for n := range e.payload {
			if _, err := decodeLease(e.payload[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are a message about leases", name, n, len(e.payload))
			}
		}
	}
}

func TestANewerMinorVersionIsUnderstood(t *testing.T) {
	t.Parallel()
	data := golden(t, "message")
	old, err := decodeEnvelope(data)
	if err != nil {
		t.Fatal(err)
	}
	newer := append(bytes.Clone(data), "a field that is not known"...)
	newer[0]++
	e, err := decodeEnvelope(newer)
	if err != nil {
		t.Fatal(err)
	}
	e.minor = old.minor
	if !reflect.DeepEqual(e, old) {
		t.Errorf("read as %+v", e)
	}
	newer[0] += 1 << 4
	if _, err := decodeEnvelope(newer); err == nil {
		t.Error("another major version is understood")
	}
}

// speak publishes raw bytes as another release would.
func speak(t *testing.T, from *testNode, topic tutti.Topic, data []byte) {
	t.Helper()
	if err := from.conn.Publish(from.toBucket(from.interest.of(topic)), data); err != nil {
		t.Fatal(err)
	}
}

func TestTwoReleasesUnderstandEachOther(t *testing.T) {
	t.Parallel()
	n := trio(t)
	tune(t, n[0], room("r"), n[1])
	seq := uint64(0)
	build := func(k kind, form tutti.Form, event string) []byte {
		seq++
		return appendParcel(nil, "newer", 1, seq, &parcel{kind: k, message: tutti.Message{Topic: room("r"), Form: form, Event: event}})
	}
	speak(t, n[0], room("r"), build(99, tutti.JSON, "a kind that is not known"))
	speak(t, n[0], room("r"), build(kindMessage, 99, "a form that is not known"))
	newer := append(build(kindMessage, tutti.JSON, "a field that is not known"), "field"...)
	newer[0]++
	speak(t, n[0], room("r"), newer)
	other := build(kindMessage, tutti.JSON, "a major version that is not known")
	other[0] += 1 << 4
	speak(t, n[0], room("r"), other)
	speak(t, n[0], room("r"), []byte{major << 4, 1, 2, 3, 4})
	speak(t, n[0], room("r"), newer) // twice
	seq--                            // of the major version that nobody counted
	speak(t, n[0], room("r"), build(kindMessage, tutti.JSON, "the end"))
	eventually(t, "b hears the end", func() bool { return slices.Contains(n[1].texts(), "the end") })
	var heard []string
	for _, text := range n[1].texts() {
		if text != "hello" {
			heard = append(heard, text)
		}
	}
	if want := []string{"a field that is not known", "the end"}; !reflect.DeepEqual(heard, want) {
		t.Errorf("heard %q", heard)
	}
	if s := n[1].Stats(); s.Unknown != 3 || s.Malformed != 1 || s.Late != 1 || s.Missed != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsMissingIsCountedAndTold(t *testing.T) {
	t.Parallel()
	n := trio(t)
	tune(t, n[0], room("r"), n[1])
	for _, seq := range []uint64{10, 11, 15} {
		speak(t, n[0], room("r"), appendParcel(nil, "other", 1, seq, &parcel{kind: kindMessage, message: tutti.Message{Topic: room("r")}}))
	}
	eventually(t, "three are missed", func() bool { return n[1].Stats().Missed == 3 })
	eventually(t, "b is told", func() (told bool) { n[1].note(func() { told = n[1].missed == 1 }); return told })
}

func FuzzDecode(f *testing.F) {
	for name := range goldens {
		f.Add(golden(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEnvelope(data)
		if err != nil {
			return
		}
		if len(e.payload) > len(data) || len(e.node) == 0 {
			t.Errorf("read as %+v", e)
		}
		if m, err := decodeLease(e.payload); err == nil {
			again, err := decodeLease(encodeLease(&m))
			if err != nil || !reflect.DeepEqual(again, m) {
				t.Errorf("%+v becomes %+v, %v", m, again, err)
			}
		}
	})
}

// Whatever a node is sent, it goes on.
func FuzzDesk(f *testing.F) {
	for name := range goldens {
		f.Add(golden(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEnvelope(data)
		if err != nil {
			return
		}
		d := newDesk("self", 1, newPace(5e9), 0)
		d.post = func(string, kind, []byte) {}
		d.info = func() []byte { return []byte("{}") }
		d.unix = func() int64 { return 1e12 }
		d.handle(1, string(e.node), e.epoch, e.kind, e.payload)
		d.tick(10e9)
	})
}
