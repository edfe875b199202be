package phoenix_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

const room = "realtime:room1"

var one = phoenix.Ref(`"1"`)

// encodings holds what testdata/encode.txt shows for V1 and V2.
var encodings = map[string]func(v phoenix.Version) []byte{
	"a reply to a heartbeat": func(v phoenix.Version) []byte {
		return phoenix.AppendReply(nil, v, phoenix.Reply{
			Ref: phoenix.Ref(`"7"`), Topic: phoenix.HeartbeatTopic, Status: phoenix.StatusOK,
		})
	},
	"a reply to a join": func(v phoenix.Version) []byte {
		return phoenix.AppendReply(nil, v, phoenix.Reply{
			JoinRef: one, Ref: one, Topic: room, Status: phoenix.StatusOK,
			Response: []byte(`{"postgres_changes":[]}`),
		})
	},
	"an error whose response is a bare string": func(v phoenix.Version) []byte {
		return phoenix.AppendReply(nil, v, phoenix.Reply{
			JoinRef: phoenix.Ref("1"), Ref: phoenix.Ref("5.0"), Topic: room, Status: phoenix.StatusError,
			Response: []byte(`"payload_size_exceeded"`),
		})
	},
	"a reply on a topic that needs escapes": func(v phoenix.Version) []byte {
		return phoenix.AppendReply(nil, v, phoenix.Reply{
			Topic: "realtime:\"\\/\n\r\t\x00\x1f\x7fé😀\xff", Status: phoenix.StatusOK,
		})
	},
	"a push": func(v phoenix.Version) []byte {
		return phoenix.AppendPush(nil, v, one, room, phoenix.EventSystem,
			[]byte(`{"channel":"room1","extension":"postgres_changes","message":"Subscribed to PostgreSQL","status":"ok"}`))
	},
	"a push without payload": func(v phoenix.Version) []byte {
		return phoenix.AppendPush(nil, v, one, room, phoenix.EventPresenceState, nil)
	},
	"a close": func(v phoenix.Version) []byte {
		return phoenix.AppendEnd(nil, v, one, room, phoenix.EventClose)
	},
	"an error of a channel without join ref": func(v phoenix.Version) []byte {
		return phoenix.AppendEnd(nil, v, nil, room, phoenix.EventError)
	},
	"a broadcast that came as text": fanOut(tutti.Message{
		Form: tutti.Object, Event: "broadcast", Payload: []byte(`{"type":"broadcast","event":"pos","payload":{"x":1}}`),
	}),
	"a broadcast with JSON": fanOut(tutti.Message{
		Form: tutti.JSON, Event: "pos", Payload: []byte(`{"x":1}`),
	}),
	"a broadcast with JSON and metadata": fanOut(tutti.Message{
		Form: tutti.JSON, Event: "po\"s", Payload: []byte(`[1]`), Meta: []byte(`{"replayed":true}`),
	}),
	"a broadcast of bytes": fanOut(tutti.Message{
		Form: tutti.Binary, Event: "pos", Payload: []byte{0, 255},
	}),
	"a broadcast with an event of 256 bytes": fanOut(tutti.Message{
		Form: tutti.JSON, Event: strings.Repeat("x", 256), Payload: []byte("1"),
	}),
	"a message of no known form": fanOut(tutti.Message{
		Form: 9, Event: "pos", Payload: []byte("1"),
	}),
	"what a client sends as text": func(v phoenix.Version) []byte {
		return phoenix.AppendClient(nil, v, &phoenix.Frame{
			JoinRef: one, Ref: phoenix.Ref(`"2"`), Topic: []byte(room), Event: "presence",
			Payload: []byte(`{"type":"presence","event":"untrack"}`),
		})
	},
}

func fanOut(m tutti.Message) func(phoenix.Version) []byte {
	m.Topic = tutti.Topic{Tenant: "acme", Name: "room1"}
	return func(v phoenix.Version) []byte {
		out, text, ok := phoenix.AppendMessage([]byte("dst:"), v, &m)
		switch {
		case !ok && string(out) != "dst:":
			return []byte("not ok, but changed dst")
		case !ok:
			return []byte("cannot be sent")
		case text:
			return out[len("dst:"):]
		}
		header := out[len("dst:"):][:5]
		return fmt.Appendf(nil, "bytes % X %+q", header, out[len("dst:")+5:])
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	const file = "testdata/encode.txt"
	out := []byte("# What the server sends, in V1 and in V2. Binary frames: the header in hex, the rest quoted.\n")
	for _, name := range slices.Sorted(maps.Keys(encodings)) {
		out = fmt.Appendf(out, "\n# %s\nv1 %s\nv2 %s\n", name,
			encodings[name](phoenix.V1), encodings[name](phoenix.V2))
	}
	if *update {
		if err := os.WriteFile(file, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(want), "\n")
	for i, got := range strings.Split(string(out), "\n") {
		if i >= len(lines) || got != lines[i] {
			t.Fatalf("line %d of %s should be\n%s", i+1, file, got)
		}
	}
}

func TestAppendMessageLimits(t *testing.T) {
	t.Parallel()
	x := func(n int) string { return strings.Repeat("x", n) }
	meta := func(n int) []byte { return []byte(`{"a":"` + x(n-8) + `"}`) }
	for name, tt := range map[string]struct {
		topic, event string
		meta         []byte
		v1, v2       bool
	}{
		"everything of 255 bytes fits":                   {topic: x(246), event: x(255), meta: meta(255), v1: true, v2: true},
		"a topic of 256 bytes, prefix included, is V1's": {topic: x(247), v1: true},
		"an event of 256 bytes is V1's":                  {event: x(256), v1: true},
		"metadata of 256 bytes are V1's":                 {meta: meta(256), v1: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := tutti.Message{
				Topic: tutti.Topic{Name: tt.topic}, Form: tutti.JSON,
				Event: tt.event, Meta: tt.meta, Payload: []byte("{}"),
			}
			for v, want := range map[phoenix.Version]bool{phoenix.V1: tt.v1, phoenix.V2: tt.v2} {
				if _, _, ok := phoenix.AppendMessage(nil, v, &m); ok != want {
					t.Errorf("V%d: ok = %v", v, ok)
				}
			}
		})
	}
}

func TestBinaryFramesOfClients(t *testing.T) {
	t.Parallel()
	f := phoenix.Frame{
		JoinRef: phoenix.Ref(`"10"`), Ref: one, Topic: []byte("top"), Event: "event",
		UserEvent: "user-event", Encoding: phoenix.EncodingJSON, Payload: []byte(`{"a":"b"}`),
	}
	long := f
	long.Topic = []byte(strings.Repeat("x", 256))
	for name, tt := range map[string]struct {
		appendTo func([]byte, *phoenix.Frame) ([]byte, bool)
		want     string
	}{
		"the worked example of kind 3": {
			appendTo: phoenix.AppendUserBroadcast,
			want:     "\x03\x02\x01\x03\x0A\x00\x01101topuser-event" + `{"a":"b"}`,
		},
		"kind 0": {
			appendTo: phoenix.AppendBinaryPush,
			want:     "\x00\x02\x01\x03\x05101topevent" + `{"a":"b"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, ok := tt.appendTo(nil, &f); string(got) != tt.want || !ok {
				t.Errorf("got %q, %v", got, ok)
			}
			if got, ok := tt.appendTo([]byte("dst"), &long); string(got) != "dst" || ok {
				t.Errorf("a topic of 256 bytes: got %q, %v", got, ok)
			}
		})
	}
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for vsn, want := range map[string]phoenix.Version{
		"": phoenix.V1, "1.0.0": phoenix.V1, "1.0.17": phoenix.V1, "2.0.0": phoenix.V2, "2.0.9": phoenix.V2,
		"1": 0, "2": 0, "2.0": 0, "2.0.": 0, "2.1.0": 0, "1.1.0": 0, "3.0.0": 0, "abc": 0, ".0.0": 0,
		"2.0.01": 0, "02.0.0": 0, "2.0.0.0": 0, "2.0.-1": 0, "2.0.x": 0, " 2.0.0": 0,
	} {
		if got, ok := phoenix.ParseVersion(vsn); got != want || ok != (want != 0) {
			t.Errorf("ParseVersion(%q) = %d, %v", vsn, got, ok)
		}
	}
}
