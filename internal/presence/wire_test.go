package presence

import (
	"bufio"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
)

var update = flag.Bool("update", false, "write testdata/messages.txt anew")

const goldenBase = 1_700_000_000_000_000_000

func goldenEntry(channel uint64, key, prev, members string) Entry {
	return Entry{Channel: channel, Key: key, Meta: render("ABCDEFGHIJKLMNOP", prev, []byte(members))}
}

// goldenFrames returns a body of each kind, and what is read from it.
func goldenFrames() []struct {
	name string
	body []byte
	want frame
} {
	one, two := id{1, 2, 3}, id{1, 0xFF}
	stamp := Stamp{goldenBase + 300, 7}
	ann, bob := goldenEntry(1, "ann", "", `"name":"Ann"`), goldenEntry(300, "bób", "ponmlkjihgfedcba", "")
	var some sums
	some[0], some[255] = 1, 2
	topic := func() []byte { return appendTopic(nil, one, stamp, goldenBase) }
	ids := appendIDs(nil, []id{one, two})
	return []struct {
		name string
		body []byte
		want frame
	}{
		{"listen", ids, frame{kind: kindListen, ids: []id{one, two}}},
		{"unlisten", ids, frame{kind: kindUnlisten, ids: []id{one, two}}},
		{"whole", append([]byte{1}, ids...), frame{kind: kindWhole, bucket: 1, ids: []id{one, two}}},
		{"changes", appendChange(appendChange(topic(), Diff{Joins: []Entry{ann}}), Diff{Leaves: []Entry{bob}}), frame{
			kind: kindChanges, id: one, stamp: stamp, changes: []change{{Entry: ann}, {remove: true, Entry: Entry{Channel: 300}}},
		}},
		{"copy", appendEntry(appendEntry(append(topic(), 1), ann), bob), frame{
			kind: kindCopy, id: one, stamp: stamp, more: true, entries: []Entry{ann, bob},
		}},
		{"gone", ids, frame{kind: kindGone, ids: []id{one, two}}},
		{"want", ids, frame{kind: kindWant, ids: []id{one, two}}},
		{"digest", appendRoots(nil, 1, 1<<63), frame{kind: kindDigest, roots: [2]uint64{1, 1 << 63}}},
		{"heard", appendSums(nil, &some), frame{kind: kindHeard, sums: &some}},
		{"held", appendSums(nil, &some), frame{kind: kindHeld, sums: &some}},
		{"list", appendTopic(append([]byte{1}, 0, 0, 0, 0, 0, 0, 0, 9), two, stamp, goldenBase), frame{
			kind: kindList, bucket: 1, sum: 9, ids: []id{two}, stamps: []Stamp{stamp},
		}},
		{"ack", []byte{0x80, 1}, frame{kind: kindAck, seq: 128}},
	}
}

var goldenHeader = header{line: 2, to: 300, life: 0xC0FFEE, seq: 5}

func TestTheBytesOfMessagesDoNotChange(t *testing.T) {
	const path = "testdata/messages.txt"
	var text strings.Builder
	for _, f := range goldenFrames() {
		b := appendFrame(appendHeader(nil, goldenHeader), f.want.kind, f.body)
		fmt.Fprintf(&text, "%s %s\n", f.name, hex.EncodeToString(b))
	}
	fmt.Fprintf(&text, "hello %s\n", hex.EncodeToString(appendHeader(nil, header{line: 1, life: 1})))
	if *update {
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(golden) != text.String() {
		t.Errorf("the bytes are\n%swant\n%s", text.String(), golden)
	}
}

func TestMessagesAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	golden := readGolden(t)
	for _, f := range goldenFrames() {
		h, frames, err := parse(golden[f.name], goldenBase)
		if err != nil || h != goldenHeader || len(frames) != 1 || !reflect.DeepEqual(frames[0], f.want) {
			t.Errorf("%s: read %+v %+v, %v; want %+v", f.name, h, frames, err, f.want)
		}
	}
	h, frames, err := parse(golden["hello"], goldenBase)
	if err != nil || h != (header{line: 1, life: 1}) || len(frames) > 0 {
		t.Errorf("hello: read %+v %+v, %v", h, frames, err)
	}
}

func readGolden(t testing.TB) map[string][]byte {
	f, err := os.Open("testdata/messages.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	all := make(map[string][]byte)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if all[name], err = hex.DecodeString(text); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	t.Parallel()
	with := func(k kind, body ...byte) []byte { return appendFrame(appendHeader(nil, goldenHeader), k, body) }
	topic := appendTopic(nil, id{1}, Stamp{goldenBase, 1}, goldenBase)
	for name, tt := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":                              {nil, errShort},
		"half a header":                        {[]byte{major << 4, 1}, errShort},
		"another major version":                {[]byte{(major + 1) << 4, 1, 1, 0, 0, 0, 0, 1}, errVersion},
		"no line":                              {appendHeader(nil, header{}), errValue},
		"frames without a number":              {appendFrame(appendHeader(nil, header{line: 1}), kindAck, []byte{1}), errValue},
		"a number in more bytes than it needs": {[]byte{major << 4, 0x81, 0, 0, 0, 0, 0, 0, 0}, errValue},
		"a kind that nobody knows":             {with(77), errKind},
		"a body that ends too early":           {with(kindAck), errShort},
		"a body that goes on":                  {with(kindAck, 1, 1), errRest},
		"a length beyond the end":              {append(appendHeader(nil, goldenHeader), byte(kindAck), 2, 1), errShort},
		"half an id":                           {with(kindListen, 1, 2), errShort},
		"an id in another's bucket":            {with(kindWhole, append([]byte{2}, make([]byte, 16)...)...), errValue},
		"a version of zero":                    {with(kindChanges, append(make([]byte, 16), 0, 0)...), errValue},
		"an epoch beyond the end of time": {
			with(kindChanges, append(make([]byte, 16), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1)...), errValue,
		},
		"changes of nothing":           {with(kindChanges, topic...), errShort},
		"a copy of nothing":            {with(kindCopy, append(topic, 0)...), errShort},
		"an unknown change":            {with(kindChanges, append(topic, 2, 1)...), errValue},
		"an entry without a ref":       {with(kindChanges, append(topic, 1, 1, 0, 0)...), errValue},
		"an entry with half a ref":     {with(kindChanges, append(topic, 1, 1, 0, 1, 5)...), errShort},
		"a key of broken bytes":        {with(kindChanges, append(topic, append([]byte{1, 1, 1, 0xFF, 1}, make([]byte, 13)...)...)...), errValue},
		"a key that ends in the ether": {with(kindChanges, append(topic, 1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1)...), errShort},
		"half the sums":                {with(kindHeard, make([]byte, 1024)...), errShort},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, frames, err := parse(tt.in, goldenBase); !errors.Is(err, tt.want) || frames != nil {
				t.Errorf("read %+v, %v; want %v", frames, err, tt.want)
			}
		})
	}
}

func TestAMessageOfANewerReleaseIsReadAsFarAsItIsKnown(t *testing.T) {
	t.Parallel()
	b := appendHeader(nil, goldenHeader)
	b[0] = major<<4 | (minor + 1)
	b = appendFrame(b, 77, []byte("what will they think of next"))
	b = appendFrame(b, kindAck, []byte{3, 99}) // a field more
	_, frames, err := parse(b, goldenBase)
	if err != nil || len(frames) != 1 || frames[0].kind != kindAck || frames[0].seq != 3 {
		t.Errorf("read %+v, %v", frames, err)
	}
}

// FuzzParse looks for bytes that panic, or that are read as something that is
// written in another way.
func FuzzParse(f *testing.F) {
	for _, b := range readGolden(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, frames, err := parse(data, goldenBase)
		if err != nil || data[0]&15 > minor {
			return
		}
		for _, f := range frames {
			for _, e := range f.entries {
				again := reader{rest: appendEntry(nil, e)}
				if got := again.entry(); again.err != nil || !same(got, e) {
					t.Fatalf("%+v is read as %+v, %v", e, got, again.err)
				}
			}
		}
	})
}

// FuzzReceive looks for frames that harm a node which believes their sender.
func FuzzReceive(f *testing.F) {
	for _, b := range readGolden(f) {
		f.Add(b[min(len(b), len(appendHeader(nil, goldenHeader))):])
	}
	f.Fuzz(func(t *testing.T, frames []byte) {
		r, w := crowd(t, 2)
		t0 := tutti.Topic{Tenant: "acme", Name: "one"}
		r.Listen(t0)
		r.Track(t0, 1, "ann", nil)
		w.settle()
		p := r.far.peers["node1"]
		b := appendHeader(nil, header{line: p.theirs, to: p.line, life: uint32(r.Epoch), seq: p.received + 1})
		if r.Receive("node1", p.epoch, append(b, frames...)) == nil && len(frames) > 0 && p.received == 0 {
			t.Fatal("it is read and not counted")
		}
		decode[wireState](r.State(t0))
		w.settle()
	})
}
