package hub

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
	"github.com/tutti-realtime/tutti/internal/websocket"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	room := topic("room")
	for name, tt := range map[string]struct {
		in     tutti.Message
		v1, v2 string // the payloads of the frames; "" for no frame
		binary bool   // the frame for V2
	}{
		"an object": {
			in: tutti.Message{Topic: room, Event: "presence_diff", Payload: []byte(`{"joins":{},"leaves":{}}`)},
			v1: `{"topic":"realtime:room","event":"presence_diff","payload":{"joins":{},"leaves":{}},"ref":null}`,
			v2: `[null,null,"realtime:room","presence_diff",{"joins":{},"leaves":{}}]`,
		},
		"JSON": {
			in:     tutti.Message{Topic: room, Form: tutti.JSON, Event: "note", Payload: []byte(`{"a":1}`), Meta: []byte(`{"id":"7"}`)},
			v1:     `{"topic":"realtime:room","event":"broadcast","payload":{"event":"note","payload":{"a":1},"type":"broadcast","meta":{"id":"7"}},"ref":null}`,
			v2:     "\x04\x0D\x04\x0A\x01realtime:roomnote{\"id\":\"7\"}{\"a\":1}",
			binary: true,
		},
		"bytes cannot be said in V1": {
			in:     tutti.Message{Topic: room, Form: tutti.Binary, Event: "note", Payload: []byte("\x00\xFF")},
			v2:     "\x04\x0D\x04\x00\x00realtime:roomnote\x00\xFF",
			binary: true,
		},
		"a long event cannot be said in V2": {
			in: tutti.Message{Topic: room, Form: tutti.JSON, Event: strings.Repeat("e", 256), Payload: []byte(`1`)},
			v1: `{"topic":"realtime:room","event":"broadcast","payload":{"event":"` + strings.Repeat("e", 256) + `","payload":1,"type":"broadcast"},"ref":null}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &Message{Message: tt.in}
			for v, want := range map[phoenix.Version]string{phoenix.V1: tt.v1, phoenix.V2: tt.v2} {
				got := m.Frame(v)
				if want == "" {
					if got != nil {
						t.Errorf("V%d: got %q, want none", v, got)
					}
					continue
				}
				op := websocket.Text
				if v == phoenix.V2 && tt.binary {
					op = websocket.Binary
				}
				if whole := websocket.AppendFrame(nil, op, []byte(want)); !bytes.Equal(got, whole) {
					t.Errorf("V%d: got %q, want %q", v, got, whole)
				}
			}
		})
	}
}

func TestAMessageIsEncodedOnceForEachSerializer(t *testing.T) {
	t.Parallel()
	m := &Message{Message: tutti.Message{Topic: topic("room"), Form: tutti.JSON, Event: "note", Payload: []byte(`{}`)}}
	var asking sync.WaitGroup
	frames := make([]*byte, 20)
	for i := range frames {
		asking.Go(func() { frames[i] = &m.Frame(phoenix.Version(1 + i%2))[0] })
	}
	asking.Wait()
	for i := range frames {
		if frames[i] != frames[i%2] {
			t.Errorf("listener %d got other bytes than listener %d", i, i%2)
		}
	}
	if frames[0] == frames[1] {
		t.Error("V1 and V2 got the same bytes")
	}
}

// All loops are given one message, so that they share its frames.
func TestLoopsShareAMessage(t *testing.T) {
	t.Parallel()
	h, queues := newTestHub(3)
	for i := range queues {
		l := &listener{}
		h.Shard(i).Join(topic("room"), &l.seat, l)
	}
	h.Deliver(tutti.Message{Topic: topic("room")})
	for i, q := range queues {
		if len(q.messages) != 1 || q.messages[0] != queues[0].messages[0] {
			t.Errorf("loop %d was given %v", i, q.messages)
		}
	}
}

func TestEncodingAllocatesTheFrameOnly(t *testing.T) {
	for name, m := range map[string]tutti.Message{
		"an object": {Topic: topic("room"), Event: "broadcast", Payload: []byte(`{"type":"broadcast","event":"e","payload":{}}`)},
		"JSON":      {Topic: topic("room"), Form: tutti.JSON, Event: "note", Payload: bytes.Repeat([]byte("1"), 256)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []phoenix.Version{phoenix.V1, phoenix.V2} {
				if n := testing.AllocsPerRun(100, func() { _ = seal(v, &m) }); n > 1 {
					t.Errorf("V%d: %v allocations, want 1", v, n)
				}
			}
		})
	}
}
